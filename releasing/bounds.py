"""`python -m releasing.bounds`: the oldest versions that samevoice may be installed with.

`--constraints EXTRA...` prints them in the form that `pip install --constraint` reads, those of the core and of these
extras; without it, docs/requirements.md is written anew.

Knows: lower bounds. Does not know: whether they are right; `checking` finds that out.
"""

from __future__ import annotations

import sys
from pathlib import Path

from packaging.requirements import Requirement

from releasing.project import ROOT, ReleaseError, extras, pythons, requirements, table

PAGE = ROOT / "docs" / "requirements.md"
HEAD = """# What samevoice needs

Generated from `pyproject.toml` by `python -m releasing.bounds`. On Python {oldest} to {newest} `make release-check`
installs the wheel and tries what it promises; all tests run on the one that `make test` finds. Any version of a package
from the oldest one named here on may be used: `make release-check` installs exactly the oldest ones too, on
Python {oldest}, and runs the tests that belong to them.

| package | oldest version | needed by |
|---|---|---|
"""
FOOT = """
Torch is needed to train and to export, never to verify, enrol, diarize or serve. Its oldest version is not among those
that `make release-check` installs: of that one, the package index has only builds of gigabytes for Linux.
"""
UNCHECKED = ("train",)
"""Extras whose oldest versions are not installed by `checking`; the page says why."""


def lowest(requirement: Requirement) -> str:
    """The oldest version that a requirement allows.

    Raises:
        ReleaseError: it has no lower bound, or says more than that.
    """
    bounds = list(requirement.specifier)
    if len(bounds) != 1 or bounds[0].operator != ">=":
        raise ReleaseError(f"{requirement}: must have one lower bound and no other, so that it can be tested")
    return bounds[0].version


def constraints(*chosen: str) -> str:
    """A file of constraints: the oldest versions of what the core and these extras need, and of nothing else."""
    wanted = [one for extra in (None, *chosen) for one in requirements(extra)]
    return "".join(sorted({f"{one.name}=={lowest(one)}\n" for one in wanted}))


def page() -> str:
    """The content of docs/requirements.md."""
    needed: dict[str, tuple[str, list[str]]] = {}
    for extra in (None, *extras()):
        for one in requirements(extra):
            version, by = needed.setdefault(one.name, (lowest(one), []))
            if version != lowest(one):
                raise ReleaseError(f"{one.name} has two lower bounds, {version} and {lowest(one)}; choose one")
            by.append("core" if extra is None else f"`[{extra}]`")
    rows = [f"| {name} | {version} | {', '.join(by)} |\n" for name, (version, by) in needed.items()]
    known = pythons()
    return HEAD.format(oldest=known[0], newest=known[-1]) + "".join(rows) + FOOT


def main() -> int:
    """Print constraints, or write the page."""
    if sys.argv[1:2] == ["--constraints"]:
        chosen = sys.argv[2:]
        if unknown := set(chosen) - set(table()["optional-dependencies"]):
            print(f"no extra is called {', '.join(sorted(unknown))}", file=sys.stderr)
            return 2
        print(constraints(*chosen), end="")
        return 0
    Path(PAGE).write_text(page(), encoding="utf-8")
    print(PAGE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
