"""What may be installed: one lower bound each, the same on the page, and a trial for every extra."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from releasing import bounds, checking, project, trying


def test_the_page_says_what_pyproject_says() -> None:
    assert bounds.PAGE.read_text(encoding="utf-8") == bounds.page(), "run: python -m releasing.bounds"


def test_constraints_are_the_lower_bounds_of_what_was_chosen() -> None:
    lines = bounds.constraints("media").splitlines()
    assert {line.split("==")[0] for line in lines} == {one.name for one in project.requirements()} | {"av"}
    for requirement in project.requirements():
        [line] = [line for line in lines if line.split("==")[0] == requirement.name]
        assert requirement.specifier.contains(Version(line.split("==")[1]))


@pytest.mark.parametrize("line", ["numpy", "numpy>=1,<3", "numpy==2"])
def test_a_requirement_without_exactly_a_lower_bound_is_refused(line: str) -> None:
    with pytest.raises(project.ReleaseError, match="one lower bound"):
        bounds.lowest(Requirement(line))


def test_the_classifiers_begin_where_installing_does() -> None:
    required = SpecifierSet(project.table()["requires-python"])
    oldest = project.pythons()[0]
    assert required.contains(oldest)
    assert not required.contains(f"3.{int(oldest.split('.')[1]) - 1}")
    assert project.pythons() == sorted(project.pythons(), key=Version)


def test_every_extra_is_tried_without_and_with() -> None:
    assert set(trying.MISSING) == set(project.extras())
    assert set(checking.WITH_OLDEST) | set(bounds.UNCHECKED) == set(project.extras())
    assert set(checking.TESTS) - {None} == set(checking.WITH_OLDEST)


def test_the_tests_that_belong_to_extras_are_there() -> None:
    for files in checking.TESTS.values():
        for file in files:
            assert (project.ROOT / file).is_file()
