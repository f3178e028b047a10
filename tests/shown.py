"""What a page shows of a command's words, compared with what the command says.

Days, times, keys and digests differ from run to run and are not compared; numbers may be off by a little, because
processors round differently. `...` stands for anything within a line, and in a line of its own for any lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

LEFT_OUT = "..."
CHANGING = {
    r"\d{4}-\d\d-\d\d": "DAY",
    r"\b\d\d:\d\d UTC": "TIME",
    r"\bsv_[\w-]+": "KEY",
    r"\b[0-9a-f]{12,}\b": "DIGEST",
    r"\b(?:[0-9A-F]{2}:){7,}[0-9A-F]{2}\b": "DIGEST",
}
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
RELATIVE, ABSOLUTE = 0.05, 0.5


def differences(shown: Sequence[str], said: Sequence[str], *, figures: bool) -> list[str]:
    """Lines that a page shows and nobody said, and, unless it leaves some out, the other way round.

    Args:
        shown: lines of the page.
        said: lines of the command, of both streams; which stream was faster says nothing.
        figures: whether numbers are compared too.
    """
    rest = [line for line in said if line.strip()]
    wrong = []
    for line in shown:
        if line.strip() in {"", LEFT_OUT}:
            continue
        found = next((place for place, other in enumerate(rest) if _alike(line, other, figures)), None)
        if found is None:
            wrong.append(f"shown, not said: {line}")
        else:
            del rest[found]
    return wrong + ([] if LEFT_OUT in {line.strip() for line in shown} else [f"said, not shown: {one}" for one in rest])


def _alike(shown: str, said: str, figures: bool) -> bool:
    one, other = _steady(shown), _steady(said)
    if LEFT_OUT in one:
        return re.fullmatch(".*".join(map(re.escape, one.split(LEFT_OUT))), other) is not None
    if NUMBER.sub("#", one) != NUMBER.sub("#", other):
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    return not figures or all(_near(_value(first), _value(second)) for first, second in pairs)


def _steady(line: str) -> str:
    """The line without what changes from run to run, and with single blanks."""
    for pattern, name in CHANGING.items():
        line = re.sub(pattern, name, line)
    return " ".join(line.split())


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= max(ABSOLUTE, RELATIVE * max(one, other))
