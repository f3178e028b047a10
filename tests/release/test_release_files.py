"""Wheel and sdist: the same bytes each time, all that is used, and nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from releasing import building, contents, project

pytestmark = pytest.mark.skipif(not project.is_checkout(), reason="a release is made from a checkout")

USED_AT_RUN_TIME = {
    "samevoice/py.typed",
    "samevoice/models/shipped/small.onnx",
    "samevoice/models/shipped/vad.onnx",
    "samevoice/models/zoo/campplus.onnx",
    "samevoice/models/zoo/campplus.json",
    "samevoice/networks/facts.json",
    "samevoice/gallery/migrations/env.py",
    "samevoice/gallery/migrations/versions/0001_first.py",
    "samevoice/service/web/index.html",
    "samevoice/service/web/texts.json",
    "samevoice/service/web/vendor/onnxruntime/ort-wasm-simd-threaded.wasm.gz",
    "samevoice/service/web/vendor/onnxruntime/LICENSE",
    "samevoice/service/web/vendor/onnxruntime/ThirdPartyNotices.txt",
    "samevoice/service/web/vendor/wavesurfer/LICENSE",
    "samevoice/training/recipes/fbanknet-20k.toml",
}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Wheel and sdist of the last commit; `build` itself refuses files that differ between two builds."""
    wheel, sdist = building.build(tmp_path_factory.mktemp("dist"))
    return wheel, sdist


@pytest.mark.slow
def test_the_wheel_holds_the_package_as_git_has_it(release: tuple[Path, Path]) -> None:
    found = contents.in_wheel(release[0])
    assert found >= USED_AT_RUN_TIME
    own = {name for name in found if name.startswith("samevoice/")}
    assert own == {name.removeprefix("src/") for name in project.tracked() if name.startswith("src/")}
    told = {name.partition("/")[2] for name in found - own}
    licences = {"licenses/LICENSE", "licenses/NOTICE"}
    assert told == {"METADATA", "RECORD", "WHEEL", "entry_points.txt"} | licences


@pytest.mark.slow
def test_the_sdist_holds_all_that_git_has(release: tuple[Path, Path]) -> None:
    assert contents.in_sdist(release[1]) == project.tracked() | {"PKG-INFO"}


@pytest.mark.slow
def test_members_are_dated_by_the_commit_and_sums_are_those_of_the_files(release: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(release[0]) as archive:
        assert len({member.date_time for member in archive.infolist()}) == 1
    lines = (release[0].parent / building.SUMS).read_text(encoding="utf-8").splitlines()
    assert lines == [f"{building.digest(path)}  {path.name}" for path in release]


@pytest.mark.slow
def test_builds_that_differ_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the moment of the build in them, two builds would not be the same."""
    moments = iter(range(1_700_000_000, 1_800_000_000, 86_400))
    monkeypatch.setattr(project, "moment", lambda: next(moments))
    with pytest.raises(project.ReleaseError, match="two builds differ"):
        building.build(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_too_little_and_too_much_are_told() -> None:
    wanted = contents.wanted_in_wheel(["src/samevoice/a.py", "tests/b.py"], ["LICENSE"])
    found = {one for one in wanted if not one.endswith("a.py")} | {"samevoice/scratch.npz"}
    assert contents.differences("the wheel", found, wanted) == [
        "the wheel lacks samevoice/a.py",
        "the wheel holds samevoice/scratch.npz, which does not belong there",
    ]
