"""`samevoice simulate DATA -o DIR`: labelled conversations from recordings of single speakers."""

from __future__ import annotations

import re
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer

from samevoice.cli.console import JsonOption, out, print_json, progress_bar, warn
from samevoice.cli.outputs import write_text
from samevoice.corpora.opening import open_corpus
from samevoice.diarization.formats import write
from samevoice.diarization.turns import Diarization, Turn, writable
from samevoice.effects.codecs import CODECS
from samevoice.effects.sounds import load_sounds
from samevoice.errors import ConfigError, DataError
from samevoice.lab import Conversation, Scene, Studio, takes_of
from samevoice.lab.writing import FORMATS, write_sound
from samevoice.loading import load_detector
from samevoice.options import checked_size
from samevoice.speech.vad import RATE

NONE = "none"
PLAIN = Scene()
MOST = 10_000
NEAR = 0.02  # of overlap
_SPAN = re.compile(r"(-?\d+(?:\.\d+)?)(?:-(-?\d+(?:\.\d+)?))?", re.ASCII)


def simulate(
    data: Annotated[
        Path, typer.Argument(metavar="DIR|MANIFEST", help="Recordings of single speakers: a folder for each, a corpus.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new or empty folder.")],
    count: Annotated[int, typer.Option("--count", "-n", help="How many conversations.")] = 1,
    speakers: Annotated[
        str | None, typer.Option(metavar="N|N-M", help="How many speak; default: 2-4, or as many as there are.")
    ] = None,
    minutes: Annotated[str, typer.Option(metavar="X|X-Y", help="How long.")] = "5",
    overlap: Annotated[
        float, typer.Option(help="Share of the time with speech in which two or more speak.")
    ] = PLAIN.overlap,
    pause: Annotated[float, typer.Option(help="Mean seconds between turns that do not overlap.")] = PLAIN.pause,
    turn: Annotated[float, typer.Option(help="Mean seconds of a turn; phrases stay whole.")] = PLAIN.turn,
    dominance: Annotated[
        float, typer.Option(help="0: all speak equally long; 0.5: each half as long as the one before.")
    ] = PLAIN.dominance,
    levels: Annotated[float, typer.Option(help="dB between the loudest and the softest, at most.")] = PLAIN.levels,
    snr: Annotated[str, typer.Option(metavar="X|X-Y|none", help="Of the noise, in dB.")] = "15-30",
    noise: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Recordings of noise; default: made-up pink noise.")
    ] = None,
    reverb: Annotated[
        str, typer.Option(metavar="X|X-Y|none", help="Seconds in which a made-up room falls silent.")
    ] = "0.2-0.5",
    rooms: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Responses of rooms, in place of made-up ones.")
    ] = None,
    codec: Annotated[str | None, typer.Option(help=f"What the sound went through: {', '.join(CODECS)}.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed and recordings give the same conversations.")] = PLAIN.seed,
    kind: Annotated[str, typer.Option("--format", help=f"Of the sound: {' or '.join(FORMATS)}.")] = FORMATS[0],
    json: JsonOption = False,
) -> None:
    """Make conversations whose speakers and times are known, to measure diarization and to test with.

    Each is a file of sound, one with the labels (.rttm) and one with the settings and sources (.json). Speech is found
    in each recording once and cut at its pauses; a label says where such a phrase was put, to the sample. Pauses of up
    to 0.3 s belong to the speech around them, longer ones are not labelled; nor is the echo behind the last word.

    Example: samevoice simulate voices/ -o meetings/ --count 20 --speakers 2-8 --minutes 10-30 --overlap 0.15
    """
    takes = takes_of(open_corpus(data, checksums=False).manifest)
    for name in takes:
        if not writable(name):
            raise DataError(f"the speaker {name!r} has control characters in the name; rename the folder")
    fewest, most = PLAIN.speakers
    low, high = _span("--speakers", speakers or f"{fewest}-{max(fewest, min(most, len(takes)))}")
    scene = Scene(
        speakers=(_whole("--speakers", low), _whole("--speakers", high)),
        minutes=_span("--minutes", minutes),
        overlap=overlap,
        pause=pause,
        turn=turn,
        dominance=dominance,
        levels=levels,
        snr=None if snr == NONE else _span("--snr", snr),
        rt60=None if reverb == NONE else _span("--reverb", reverb),
        codec=codec,
        seed=seed,
    )
    checked_size("--count", count, most=MOST)
    if kind not in FORMATS:
        raise ConfigError(f"--format {kind!r} is unknown; use one of {', '.join(FORMATS)}")
    if noise is not None and scene.snr is None:
        raise ConfigError("--noise has no effect with --snr none; leave one of them out")
    studio = Studio(
        takes,
        scene,
        detector=load_detector(),
        noises=[] if noise is None else load_sounds(noise, RATE),
        responses=[] if rooms is None else load_sounds(rooms, RATE),
    )
    _require_new(output)
    made = [_make(studio, number, output, kind, count) for number in range(count)]
    if any(one["reused"] for one in made):
        warn(["some speakers have to say things twice, since their recordings are short; the .json files name them"])
    if far := [one["recording"] for one in made if abs(one["overlap"] - overlap) > NEAR]:
        warn([f"{len(far)} of {count} could not overlap as asked for; ask for shorter turns or a longer conversation"])
    if json:
        print_json({"conversations": made})
        return
    for one in made:
        facts = f"{one['seconds']:.0f} s, {len(one['speakers'])} speakers, {one['overlap']:.1%} overlap"
        out.print(f"{output / one['recording']}.{kind}  {facts}", markup=False)


def _make(studio: Studio, number: int, output: Path, kind: str, count: int) -> dict[str, Any]:
    """Write one conversation and say what it is."""
    name = f"conversation-{number + 1:04d}"
    conversation = studio.conversation(number)
    with progress_bar(f"{name} of {count}", conversation.extent) as tell:
        write_sound(conversation, output / f"{name}.{kind}", tell)
    facts = {"recording": name, **conversation.to_json(), "reused": conversation.reused}
    write_text(output / f"{name}.rttm", write(_diarization(conversation, name), "rttm"))
    write_text(output / f"{name}.json", dumps(facts, ensure_ascii=False, indent=2) + "\n")
    return facts


def _diarization(conversation: Conversation, name: str) -> Diarization:
    """The labels as turns."""
    turns = (Turn(segment.start, segment.end, speaker) for segment, speaker in conversation.labels)
    return Diarization(turns, conversation.extent, name)


def _require_new(folder: Path) -> None:
    """Make the folder, and write over nothing in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError(f"{folder}: is not empty; give a new folder")
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be used ({error.strerror}); choose another folder") from error


def _span(option: str, text: str) -> tuple[float, float]:
    """Lowest and highest value."""
    if not (match := _SPAN.fullmatch(text)):
        raise ConfigError(f"{option} takes a number or two with a dash between, such as 2 or 2-8, got {text!r}")
    return float(match[1]), float(match[2] or match[1])


def _whole(option: str, value: float) -> int:
    """A count."""
    if value != int(value):
        raise ConfigError(f"{option} counts people, got {value:g}")
    return int(value)
