"""Whose are the voices of a recording: somebody enrolled, a stranger heard before, or somebody new?

Each voice is identified among all people, strangers included (`identification`); what follows from the answer is
decided here. The tolerated rate (FPIR) holds for each voice: of k strangers in a recording at most k times that share
gets somebody's name on average, however the voices hang together.

Knows: identifications, seconds. Does not know: how people are found, where they are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from samevoice.gallery.identification import CERTAIN, COMPARED, Identification, identify, unidentified
from samevoice.gallery.rules import Rules
from samevoice.gallery.search import Match
from samevoice.models.embedding import Embedding

Known = Literal["enrolled", "stranger", "new", "unsure", "too short"]

LEAST_REMEMBERED = 2.0
"""Seconds of speech from which on a new voice is remembered; less makes a voiceprint that few are known by."""
NEW = 0.5
"""Probability of nobody known from which on it is somebody new; below, a second entry of a person known is likelier."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """Whose a voice is.

    Args:
        name: of the person; None where a local name must do.
        known: "enrolled"; "stranger", heard before, named since or not; "new", of whom nobody in the gallery is likely;
            "unsure", where somebody is, but not surely; "too short" for any of the two.
        person: public id, which stays when the person is renamed; None where there is no name.
        identification: what it was decided by. Its verdict may be "unsure" for a stranger: where several strangers
            sound alike, and it is surely one of them, the likeliest is taken.
    """

    name: str | None
    known: Known
    person: str | None
    identification: Identification

    def to_json(self) -> dict[str, object]:
        """Plain data with the field names of this class."""
        return asdict(self)


def recognised(
    voice: Embedding,
    enrolled: Sequence[Match],
    strangers: Sequence[Match],
    rules: Rules,
    *,
    people: int,
    top: int,
    least: float,
) -> Recognised:
    """Decide whose a voice is.

    Args:
        voice: with the seconds of speech behind it.
        enrolled: those who sound most like it, `COMPARED` or all.
        strangers: the same of the strangers.
        rules: what to decide by.
        people: how many there are, strangers included.
        top: how many candidates to name, 1 to 50.
        least: seconds of speech below which nothing is compared.
    """
    if voice.seconds < least:
        reason = f"{voice.seconds:.1f} s of speech are too little; {least:g} s are needed"
        return Recognised(
            None, "too short", None, unidentified(reason, voice.seconds, rules, people=people, warnings=voice.warnings)
        )
    near = sorted([*enrolled, *strangers], key=lambda one: -one.score)[:COMPARED]
    found = identify(
        [one.score for one in near],
        [one.name for one in near],
        [one.seconds for one in near],
        voice.seconds,
        rules,
        people=people,
        top=top,
        warnings=voice.warnings,
        called="known",
    )
    return _decided(found, {one.name: one for one in near}, {one.person for one in strangers}, rules)


def _decided(found: Identification, near: dict[str, Match], strangers: set[str], rules: Rules) -> Recognised:
    """What follows from an identification."""
    name = found.name or _one_of_alike(found, near, strangers, rules)
    if name is not None:
        person = near[name].person
        return Recognised(name, "stranger" if person in strangers else "enrolled", person, found)
    known: Known = "too short" if found.speech < LEAST_REMEMBERED else "new" if found.nobody >= NEW else "unsure"
    return Recognised(None, known, None, found)


def _one_of_alike(found: Identification, near: dict[str, Match], strangers: set[str], rules: Rules) -> str | None:
    """The likeliest of those who sound alike, where it is surely one of them, and all but the likeliest are strangers.

    A stranger who sounds like somebody may be that person, heard before and taken for somebody new; so strangers take
    no name from others, and the rate of strangers is kept by the threshold all the same.
    """
    if not found.candidates:
        return None
    best, *others = found.candidates
    alike = best.probability + sum(one.probability for one in others if near[one.name].person in strangers)
    passed = best.score >= rules.accepting(found.people, best.seconds)
    return best.name if passed and alike >= CERTAIN else None
