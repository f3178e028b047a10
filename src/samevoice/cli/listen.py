"""`samevoice listen`: who speaks now? From a microphone, a pipe, or a file that grows."""

from __future__ import annotations

import contextlib
import json as documents
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

import samevoice as sv  # whose gallery is imported when it is first used: SQLAlchemy takes a quarter of a second
from samevoice.cli.console import MODEL, GalleryModelOption, GalleryOption, JsonOption, ThreadsOption, err, out, warn
from samevoice.cli.outputs import require_apart, require_writable, write_text
from samevoice.diarization import formats
from samevoice.diarization.clustering import Telling
from samevoice.diarization.diarizer import load_diarizer
from samevoice.errors import ConfigError
from samevoice.gallery.names import shown
from samevoice.gallery.rules import DEFAULT_FPIR, check_fpir
from samevoice.live.events import SOMEBODY, End, Event, Identity, Told
from samevoice.live.feed import Feed, pcm, replay, standard_input
from samevoice.live.growing import IDLE, follow
from samevoice.live.microphone import microphone
from samevoice.live.pcm import Encoding
from samevoice.live.session import Session
from samevoice.speech.vad import RATE
from samevoice.timelines.reading import clock

COLOURS = {"enrolled": "green", "stranger": "cyan", "here": "cyan", SOMEBODY: "dim"}


def listen(
    source: Annotated[
        str | None, typer.Argument(metavar="FILE|-", help="A file, or - for bare samples; default: the microphone.")
    ] = None,
    followed: Annotated[bool, typer.Option("--follow", help="The file is still growing: go on with it.")] = False,
    idle: Annotated[
        float | None, typer.Option(help="Seconds without growth after which --follow ends; default: 10.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Of a file: 1 in real time (default), 0 as fast as it is heard.")
    ] = None,
    rate: Annotated[
        int | None, typer.Option(help="Of bare 16-bit samples, in Hz; default: 16000. With --follow: of such a file.")
    ] = None,
    channels: Annotated[int | None, typer.Option(help="Of bare samples; default: 1.")] = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME|NUMBER", help="Which microphone; default: the system's.")
    ] = None,
    people: Annotated[bool, typer.Option("--people", help="Name the people enrolled in the gallery.")] = False,
    gallery: GalleryOption = None,
    fpir: Annotated[
        float, typer.Option(help="Tolerated share of unknown voices that get a name, a fraction.")
    ] = DEFAULT_FPIR,
    speakers: Annotated[int | None, typer.Option("--speakers", "-n", help="How many speak, if you know it.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Where to write at the end; .rttm .json .csv .srt .vtt .textgrid .txt .eaf."
        ),
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", "-f", help="Of the output, where its suffix does not say.")
    ] = None,
    model: GalleryModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Tell who speaks, while they speak; Ctrl-C ends it.

    A voice is "?" until it is certain: then it has the name of somebody enrolled (--people), or is speaker-1, speaker-2
    and so on. At the end everything heard is told apart once more, exactly as samevoice diarize does, and that is the
    answer; what was shown before may be corrected by it. No sound is kept.

    Example: samevoice listen --people -o today.rttm

    Example: samevoice listen call.wav --follow

    Example: ffmpeg -i rtsp://camera -f s16le -ar 16000 -ac 1 - | samevoice listen - --json
    """
    if output is not None:
        form = form or formats.by_suffix(output)
        require_writable(output)
    check_fpir(fpir)
    telling = Telling(speakers)
    if form is not None and (output is None or form not in formats.FORMATS):
        raise ConfigError(f"--format {form} needs --output, and is one of {', '.join(formats.FORMATS)}")
    with contextlib.ExitStack() as stack:
        known = None
        if people or gallery is not None:
            known = stack.enter_context(sv.Gallery(gallery, model=model, threads=threads, create=False))
            require_apart(known, output)
        feed = _feed(source, device, rate, channels, speed=speed, idle=idle, followed=followed)
        diarizer = load_diarizer(known.model if known else model or MODEL, threads)
        session = Session(feed, diarizer, gallery=known, fpir=fpir, telling=telling)
        stack.enter_context(_stopping(session.stop))
        if not json:
            err.print(f"listening to {shown(feed.name)}; Ctrl-C ends it", style="dim", markup=False)
        tell = _Lines()
        for event in session:
            if json:
                typer.echo(documents.dumps(event.to_json(), ensure_ascii=False, allow_nan=False))
            else:
                tell(event)
            if isinstance(event, End) and output is not None and form is not None:
                write_text(output, formats.write(event.diarized.diarization, form))


def _feed(
    source: str | None,
    device: str | None,
    rate: int | None,
    channels: int | None,
    *,
    speed: float | None,
    idle: float | None,
    followed: bool,
) -> Feed:
    """The source that was asked for."""
    file = source is not None and source != "-"
    bare = None
    if rate is not None or channels is not None:
        bare = Encoding(RATE if rate is None else rate, 1 if channels is None else channels)
    if device is not None and source is not None:
        raise ConfigError("--device is a microphone; leave it out, or the file")
    if bare and not (source == "-" or followed):
        raise ConfigError("--rate and --channels are for bare samples; give - or --follow, or leave them out")
    if followed and not file:
        raise ConfigError("--follow needs a file; name it")
    if idle is not None and not followed:
        raise ConfigError("--idle is for a file that grows; give --follow too")
    if speed is not None and (followed or not file):
        raise ConfigError("--speed is for a file that is complete; leave it out")
    if source is None:
        return microphone(device)
    if source == "-":
        return pcm(standard_input(), bare or Encoding(RATE))
    if followed:
        return follow(Path(source), idle=IDLE if idle is None else idle, raw=bare)
    return replay(source, 1.0 if speed is None else speed)


@contextmanager
def _stopping(stop: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM ends listening, with its answer; a second one ends the program."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stopped(_number: int, _frame: object) -> None:
        restore()
        stop()

    for number in before:
        signal.signal(number, stopped)
    try:
        yield
    finally:
        restore()


class _Lines:
    """Events in words: a line when somebody else speaks, and who it was in the end."""

    def __init__(self) -> None:
        """Nobody has spoken."""
        self._shown = ""

    def __call__(self, event: Event) -> None:
        """Tell one."""
        if isinstance(event, Identity) and event.label.name != self._shown:
            label = event.label
            self._shown = label.name
            sure = f"{100 * label.probability:3.0f} %" if label.certain else "    "
            said = f"after {event.speech:.1f} s of speech" if label.certain else ""
            line = f"{clock(event.start, decimals=1):>9}  {sure:>6}  {shown(label.name)}"
            out.print(f"{line}  {said}".rstrip(), style=COLOURS[label.known], markup=False)
        elif isinstance(event, Told):
            warn([f"{clock(event.time, decimals=1)}: {event.text}"])
        elif isinstance(event, End):
            _finally(event)


def _finally(event: End) -> None:
    """The answer."""
    found = event.diarized.diarization
    out.print("\nwho spoke when:", style="bold")
    for turn in found:
        sure = "" if turn.confidence is None else f"{100 * turn.confidence:3.0f} %"
        start, end = (clock(moment, decimals=2) for moment in (turn.start, turn.end))
        out.print(f"{start:>10} {end:>10}  {sure:>6}  {shown(turn.speaker)}", markup=False)
    if not len(found):
        out.print("nobody", style="dim")
    for speaker in found.speakers:
        err.print(f"{found.of(speaker).duration:8.1f} s  {shown(speaker)}", style="dim", markup=False)
    err.print(f"{len(found.speakers)} speakers, {event.speech:.1f} s of speech of {found.extent:.1f} s", style="dim")
