"""Everything that others made is named, and what is named is there."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

from packaging.utils import canonicalize_name

from releasing import licences, project
from releasing.shipped import shipped

AGAIN = "run: python -m releasing.licences"


def test_every_binary_and_vendored_file_is_listed() -> None:
    assert licences.unlisted(project.files()) == []


def test_what_must_be_listed_is_noticed() -> None:
    new = [
        "src/samevoice/models/shipped/other.onnx",
        "src/samevoice/service/web/vendor/new/new.js",
        "tests/data/x.json",
    ]
    ours = ["src/samevoice/service/web/js/api.js", "tests/data/make_x.py", "samples/README.md", "Makefile"]
    assert licences.unlisted([*new, "src/samevoice/service/web/fonts/a.woff2", *ours]) == sorted(
        [*new, "src/samevoice/service/web/fonts/a.woff2"]
    )


def test_what_is_listed_is_there() -> None:
    files = project.files()
    for one in shipped():
        for pattern in one.files:
            assert any(fnmatchcase(file, pattern) for file in files), pattern
        assert one.text is None or one.text in files
        assert one.wheel == all(pattern.startswith("src/") for pattern in one.files)


def test_both_pages_are_current() -> None:
    assert licences.NOTICE.read_text(encoding="utf-8") == licences.notice(), AGAIN
    assert licences.PAGE.read_text(encoding="utf-8") == licences.page(), AGAIN


def test_recordings_have_the_licences_that_lie_beside_them() -> None:
    beside = (project.ROOT / "samples" / "README.md").read_text(encoding="utf-8").replace(" ", "-")
    for one in shipped():
        if one.files[0].startswith("samples/"):
            assert one.licence in beside


def test_every_requirement_has_a_licence() -> None:
    kept = json.loads(licences.NEEDED.read_text(encoding="utf-8"))
    for extra in (None, *project.extras()):
        for requirement in project.requirements(extra):
            assert kept[canonicalize_name(requirement.name)]["licence"] != "see the package", f"{AGAIN} --collect"


def test_licences_are_read_from_what_is_installed() -> None:
    """The core's own packages are beside every interpreter that runs the tests."""
    found = {one.metadata["Name"].lower(): one for one in licences.installed_with(project.requirements())}
    kept = json.loads(licences.NEEDED.read_text(encoding="utf-8"))
    assert {"numpy", "onnxruntime", "mako"} <= set(found)  # mako: comes with alembic
    assert licences.licence_of(found["sqlalchemy"]) == kept["sqlalchemy"]["licence"]
