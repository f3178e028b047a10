"""What a teacher says of every utterance, computed once before the training and kept beside it.

The teacher hears the whole utterance (its first seconds, if it is long) without augmentation, at every speed the
student will hear; the student sees a crop of it and has to find the same place.

Knows: a served model as teacher, its answers on disk. Does not know: losses.
Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Waveform
from samevoice.corpora.sounds import Sounds
from samevoice.effects.speed import change_speed
from samevoice.embedder import Model
from samevoice.errors import ModelError, SamevoiceError
from samevoice.files import write_atomically
from samevoice.models.embedding import Embedding
from samevoice.scoring.arrays import DAMAGE
from samevoice.training.items import Item

LONGEST = 6.0  # seconds of an utterance that the teacher hears
CHUNK = 128  # utterances between two looks at the clock
SAVE_SECONDS = 30.0

Answers = NDArray[np.float32]
Key = tuple[str, float]  # an utterance at a speed


def teacher_answers(
    items: Sequence[Item],
    teacher: Model,
    sounds: Sounds,
    path: Path,
    *,
    identity: str,
    tell: Callable[[float, float], object] | None = None,
) -> Answers:
    """The teacher's embedding for each item; those of pieces of one utterance at one speed are the same.

    Args:
        items: what will be learnt from.
        teacher: hears everything as speech.
        sounds: where utterances are read, at the rate of the teacher.
        path: an `.npz` where answers are kept; an interrupted computation goes on from it.
        identity: of the data; answers kept under another are not used.
        tell: is told how many utterances are done, and of how many.

    Returns:
        Unit vectors, float32 (items, d); zeros where the teacher cannot say anything, because there is too little
        speech or the recording cannot be read.

    Raises:
        ModelError: the answers cannot be written.
    """
    keys, places, todo = placed(items)
    answers = np.zeros((len(places), teacher.card.dimension), dtype=np.float32)
    identity = identified(identity, teacher, str(LONGEST), places)
    done = restored(path, identity, {"answers": answers})
    saved = time.monotonic()
    for outcome in teacher.embed_each(_heard(todo[done:], sounds)):
        if isinstance(outcome, Embedding):
            answers[done] = outcome.vector
        done += 1
        if done % CHUNK == 0 or done == len(places):
            if tell:
                tell(float(done), float(len(places)))
            if done == len(places) or time.monotonic() - saved > SAVE_SECONDS:
                keep(path, identity, {"answers": answers}, done)
                saved = time.monotonic()
    return answers[[places[key] for key in keys]]


def _heard(items: Sequence[Item], sounds: Sounds) -> Iterator[Waveform]:
    """The beginning of each item's utterance at the item's speed."""
    for one in items:
        utterance = one.piece.utterance
        try:
            samples = sounds.read(utterance, 0.0, min(LONGEST, utterance.seconds))
        except SamevoiceError:
            yield Waveform(np.zeros(1), sounds.rate)  # too little for an answer; whoever trains on it will say why
            continue
        yield Waveform(change_speed(samples, sounds.rate, one.speed) if one.speed != 1.0 else samples, sounds.rate)


def placed(items: Sequence[Item]) -> tuple[list[Key], dict[Key, int], list[Item]]:
    """What the teacher hears: pieces of one utterance at one speed share an answer.

    Returns:
        Utterance and speed of each item; the place of each such pair among the answers; an item for each place.
    """
    keys = [(one.piece.utterance.id, one.speed) for one in items]
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    first = dict(zip(reversed(keys), reversed(items), strict=True))
    return keys, places, [first[key] for key in places]


def identified(identity: str, teacher: Model, how: str, places: Mapping[Key, int]) -> str:
    """What answers are kept under: data, teacher, and what it is asked."""
    asked = hashlib.sha256(repr((how, list(places))).encode(errors="backslashreplace")).hexdigest()
    return f"{identity} {teacher.card.fingerprint} {asked}"


def keep(path: Path, identity: str, tables: Mapping[str, NDArray[Any]], done: int) -> None:
    """Write what there is.

    Args:
        path: an `.npz`.
        identity: what it answers.
        tables: a row for each place.
        done: how many rows hold an answer.

    Raises:
        ModelError: it cannot be written.
    """
    buffer = io.BytesIO()
    np.savez(buffer, identity=np.array(identity), done=np.array(done), **tables)  # type: ignore[arg-type]
    try:
        write_atomically(path, lambda stream: stream.write(buffer.getbuffer()))
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror}); make room and start again") from error


def restored(path: Path, identity: str, tables: Mapping[str, NDArray[Any]]) -> int:
    """Take over what an earlier run computed of the same; how many answers that is."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:  # closes it where load fails
            found, done = {name: kept[name] for name in tables}, int(kept["done"])
            fits = all(found[name].shape == table.shape for name, table in tables.items())
            if str(kept["identity"]) != identity or not fits or not 0 <= done <= min(map(len, tables.values())):
                return 0
            for name, table in tables.items():
                table[:done] = found[name][:done]
            return done
    except (OSError, *DAMAGE):
        return 0
