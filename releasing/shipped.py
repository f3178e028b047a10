"""What a release holds that is not text of our own, as `shipped.toml` lists it.

Knows: that list. Does not know: samevoice, which the environment of the release's tools does not have.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

LIST = Path(__file__).with_name("shipped.toml")


@dataclass(frozen=True, slots=True)
class Shipped:
    """Some files of one origin.

    Args:
        files: paths, `*` for any name in a folder.
        what: they are.
        licence: as SPDX writes it.
        owner: whose they are.
        source: where they came from.
        wheel: whether they lie in the wheel.
        text: file that holds the licence; None where `LICENSE` or the licence's own name says all.
        component: what an SBOM calls it; None for what is only a part of samevoice.
    """

    files: tuple[str, ...]
    what: str
    licence: str
    owner: str
    source: str
    wheel: bool
    text: str | None = None
    component: dict[str, str] | None = None

    def covers(self, path: str) -> bool:
        """Whether a file is one of these."""
        return any(fnmatchcase(path, pattern) for pattern in self.files)


def shipped() -> list[Shipped]:
    """The list."""
    content = tomllib.loads(LIST.read_text(encoding="utf-8"))
    return [Shipped(**{**one, "files": tuple(one["files"])}) for one in content["shipped"]]
