"""What each thing that somebody says does to the edits.

What was said last holds: it takes back as much of what was said before as contradicts it.

Knows: pieces, constraints, names. Does not know: turns, what was before.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.diarization.agglomerate import Labels
from samevoice.diarization.assembly import SILENCE
from samevoice.diarization.clustering import Constraints, Told, tell
from samevoice.diarization.diarizer import local
from samevoice.diarization.edits import Assigned, Edits, checked_name
from samevoice.diarization.evidence import HOP, Evidence
from samevoice.diarization.mapping import best_pairs
from samevoice.diarization.pointing import frame_edge, pieces_at, pieces_inside
from samevoice.errors import ConfigError
from samevoice.speech.timeline import Seconds

CHOSEN = 1_000.0  # what a second that went by a name counts, if somebody chose the name
AUTOMATIC = re.compile(r"speaker-\d+")  # as `diarizer.local` has them
PIECES = ("windows", "voices", "seconds", "vectors")

Moments = tuple[Seconds, Seconds]


def renamed(edits: Edits, speaker: str, name: str) -> Edits:
    """A speaker has another name."""
    _place(edits, speaker)
    if checked_name(name) in edits.names and name != speaker:
        raise ConfigError(f"somebody is called {name} already; merge the two if they are one")
    names = tuple(name if one == speaker else one for one in edits.names)
    return replace(edits, names=names, assigned=_handed(edits, speaker, name))


def merged(edits: Edits, one: str, other: str) -> Edits:
    """Two speakers are one, by the name of the first, unless only the second was chosen."""
    if _place(edits, one) == _place(edits, other):
        raise ConfigError(f"{one} cannot be merged with {one}; name two speakers")
    if _automatic(one) and not _automatic(other):
        one, other = other, one
    labels = np.where(edits.labels == _place(edits, other), _place(edits, one), edits.labels)
    pieces = np.flatnonzero(labels == _place(edits, one)).tolist()
    mine, known = set(pieces), edits.constraints
    rest = (group for group in known.together if not mine & set(group))
    constraints = _consistent((*rest, *_groups(pieces)), known.apart)
    return _labelled(edits, labels, edits.names, constraints=constraints, assigned=_handed(edits, other, one))


def split(evidence: Evidence, edits: Edits, speaker: str, moments: Moments | None) -> Edits:
    """A speaker is two: those at two moments, or those whom their voices' own tree tells apart."""
    mine = np.flatnonzero(edits.labels == _place(edits, speaker))
    row = {int(piece): at for at, piece in enumerate(mine)}
    pointed = _two(evidence, moments) if moments else ()
    for moment, pieces in zip(moments or (), pointed, strict=True):
        if pieces[0] not in row:
            raise ConfigError(f"{speaker} is not who speaks at {moment:.2f} s; choose moments of theirs")
    said = tuple(tuple(row[piece] for piece in pieces if piece in row) for pieces in pointed)
    part = replace(evidence, **{name: getattr(evidence, name)[mine] for name in PIECES})
    rules = replace(edits.telling, speakers=2, least=1, most=None)
    told = tell(part, rules, Constraints(said, ((said[0][0], said[1][0]),) if said else ()))
    if told.speakers < 2:
        raise ConfigError(f"too little of {speaker} was heard to make two of them; assign seconds to somebody instead")
    most = np.bincount(told.labels, weights=part.seconds).argmax()
    stays = told.labels == (told.labels[said[0][0]] if said else most)
    labels = edits.labels.copy()
    labels[mine[~stays]] = len(edits.names)
    known = edits.constraints
    constraints = Constraints(
        (
            *(group for group in known.together if not row.keys() & set(group)),
            *_groups(mine[stays].tolist(), mine[~stays].tolist()),
        ),
        (*known.apart, (int(mine[stays][0]), int(mine[~stays][0]))),
    )
    names = (*edits.names, _fresh(edits.names))
    return _labelled(edits, labels, names, constraints=constraints, pinned=_united(edits.pinned, *pointed))


def assigned(evidence: Evidence, edits: Edits, start: Seconds, end: Seconds, speaker: str) -> Edits:
    """Some seconds are a speaker's, and so are the pieces inside, whatever was said about these."""
    fits = 0 <= start < end <= evidence.extent  # holds for no NaN
    if not fits or (frame_edge(evidence, end) - frame_edge(evidence, start)) * HOP < SILENCE:
        raise ConfigError(f"{start:.2f} to {end:.2f} s cannot be assigned; give {SILENCE} s or more of the recording")
    names = edits.names if speaker in edits.names else (*edits.names, checked_name(speaker))
    inside, known = pieces_inside(evidence, start, end), edits.constraints
    left = ~np.isin(np.arange(len(edits.labels)), inside)
    groups = [tuple(piece for piece in group if left[piece]) for group in known.together]
    apart = [pair for pair in known.apart if left[list(pair)].all()]
    labels = edits.labels.copy()
    if inside:
        place = names.index(speaker)
        own = np.flatnonzero(left & (labels == place)).tolist()  # fewer would follow the pieces if these sound strange
        groups.append((*inside, *own))
        if not own:  # somebody new, whom those who lose the pieces would take back
            losing = set(labels[[*inside]].tolist())
            apart += [(inside[0], other) for one in losing for other in _longest(evidence, left & (labels == one))]
        labels[[*inside]] = place
    return _labelled(
        edits,
        labels,
        names,
        constraints=_consistent(_groups(*groups), apart),
        pinned=_united((piece for piece in edits.pinned if left[piece]), inside),
        assigned=(
            *(one for one in edits.assigned if not start <= one.start < one.end <= end),
            Assigned(float(start), float(end), speaker),
        ),
    )


def joined_at(evidence: Evidence, edits: Edits, moments: Moments) -> Edits:
    """Whoever speaks at two moments is one."""
    first, second = _two(evidence, moments)
    known = edits.constraints
    constraints = _consistent((*known.together, (*first, *second)), known.apart)
    return told_anew(evidence, edits, constraints=constraints, pinned=_united(edits.pinned, first, second))


def parted_at(evidence: Evidence, edits: Edits, moments: Moments) -> Edits:
    """Whoever speaks at two moments is two."""
    first, second = _two(evidence, moments)
    known = edits.constraints
    groups = (*known.together, first, second)
    if Constraints(groups).units()[first[0]] & set(second):  # they were said to be one, perhaps by way of others
        pointed = {*first, *second}
        groups = (*(tuple(piece for piece in group if piece not in pointed) for group in known.together), first, second)
    apart = (*_consistent(groups, known.apart).apart, (first[0], second[0]))
    constraints = Constraints(_groups(*groups), apart)
    return told_anew(evidence, edits, constraints=constraints, pinned=_united(edits.pinned, first, second))


def told_anew(evidence: Evidence, edits: Edits, **changes: Any) -> Edits:
    """Speakers told apart anew after changes; each keeps the name under which most of their speech went before."""
    changed = replace(edits, **changes)
    told = tell(evidence, changed.telling, changed.constraints)
    names = _kept_names(evidence, edits, told)
    return replace(changed, names=names, labels=told.labels, counts=told.counts)


def in_order(labels: Labels, names: Sequence[str], others: Container[str]) -> tuple[Labels, tuple[str, ...]]:
    """Labels and names in order of first appearance, without who has no pieces, unless among others.

    Args:
        labels: by place in `names`, int (p,).
        names: of speakers.
        others: names that are kept, at the end.
    """
    _, first = np.unique(labels, return_index=True)
    order = labels[np.sort(first)].tolist()
    place = np.zeros(len(names), dtype=np.intp)
    place[order] = np.arange(len(order))
    rest = (name for at, name in enumerate(names) if at not in order and name in others)
    return place[labels] if len(labels) else labels, (*(names[at] for at in order), *rest)


def _labelled(edits: Edits, labels: Labels, names: tuple[str, ...], **changes: Any) -> Edits:
    """The edits with other labels; a number of speakers that was given follows."""
    changed = replace(edits, **changes)
    count_before = len(set(edits.labels.tolist()))
    labels, names = in_order(labels, names, {one.speaker for one in changed.assigned})
    heard, rules = len(set(labels.tolist())), edits.telling
    telling = replace(
        rules,
        speakers=None if rules.speakers is None else max(rules.speakers + heard - count_before, 1),
        least=max(min(rules.least, heard), 1),
        most=None if rules.most is None else max(rules.most, heard),
    )
    return replace(changed, labels=labels, names=names, telling=telling)


def _kept_names(evidence: Evidence, edits: Edits, told: Told) -> tuple[str, ...]:
    """Names of speakers told anew, and of those who only have assigned seconds."""
    extra = [one.speaker for one in edits.assigned]
    if not told.speakers:
        return tuple(dict.fromkeys(extra))
    shared = np.zeros((len(edits.names), told.speakers))
    np.add.at(shared, (edits.labels, told.labels), evidence.seconds)
    weights = np.array([1.0 if _automatic(name) else CHOSEN for name in edits.names])
    rows, columns = best_pairs(shared * weights[:, None])
    names = {
        int(column): edits.names[row] for row, column in zip(rows, columns, strict=True) if shared[row, column] > 0
    }
    for speaker in range(told.speakers):
        names.setdefault(speaker, _fresh({*names.values(), *extra}))
    return tuple(dict.fromkeys([*(names[speaker] for speaker in range(told.speakers)), *extra]))


def _place(edits: Edits, speaker: str) -> int:
    """Of a speaker, by name."""
    if speaker not in edits.names:
        raise ConfigError(f"nobody is called {speaker[:40]!r} here; there are {', '.join(edits.names) or 'none'}")
    return edits.names.index(speaker)


def _handed(edits: Edits, speaker: str, other: str) -> tuple[Assigned, ...]:
    """What was assigned to one speaker is assigned to another."""
    return tuple(replace(one, speaker=other) if one.speaker == speaker else one for one in edits.assigned)


def _automatic(name: str) -> bool:
    """Whether nobody chose a name."""
    return AUTOMATIC.fullmatch(name) is not None


def _fresh(taken: Container[str]) -> str:
    """The first automatic name that nobody has."""
    return next(name for name in map(local, count()) if name not in taken)


def _two(evidence: Evidence, moments: Moments) -> tuple[tuple[int, ...], ...]:
    """The pieces at two moments."""
    found = []
    for moment in moments:
        found.append(pieces_at(evidence, moment) if 0 <= moment <= evidence.extent else ())
        if not found[-1]:
            raise ConfigError(f"nobody is heard speaking at {moment:.2f} s; choose a moment within a turn")
    if set(found[0]) & set(found[1]):
        one, other = moments
        raise ConfigError(
            f"{one:.2f} s and {other:.2f} s are near each other and were heard as one voice; assign seconds instead"
        )
    return tuple(found)


def _consistent(together: tuple[tuple[int, ...], ...], apart: Iterable[tuple[int, int]]) -> Constraints:
    """What is together, and of what is apart, what does not contradict it."""
    units = Constraints(together).units()
    return Constraints(together, tuple((one, other) for one, other in apart if other not in units.get(one, ())))


def _longest(evidence: Evidence, among: NDArray[np.bool_]) -> tuple[int, ...]:
    """The piece with most speech among some; none where there are none."""
    return (int(np.where(among, evidence.seconds, -1.0).argmax()),) if among.any() else ()


def _groups(*groups: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Groups that say something: those of two pieces or more."""
    return tuple(tuple(group) for group in groups if len(group) > 1)


def _united(*pieces: Iterable[int]) -> tuple[int, ...]:
    """Pieces, each once, in order."""
    return tuple(sorted({piece for some in pieces for piece in some}))
