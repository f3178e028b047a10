"""`samevoice diarize FILE`: who speaks when, and who they are?"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import samevoice as sv  # whose gallery is imported when it is first used: SQLAlchemy takes a quarter of a second
from samevoice.cli.console import (
    MODEL,
    GalleryModelOption,
    GalleryOption,
    JsonOption,
    ThreadsOption,
    err,
    out,
    print_json,
    progress_bar,
    warn,
)
from samevoice.cli.enrol import moment
from samevoice.cli.outputs import require_apart, require_writable, write_text
from samevoice.diarization import formats
from samevoice.diarization.clustering import Method, Telling, tell
from samevoice.diarization.diarizer import Diarized, load_diarizer, told_apart
from samevoice.diarization.diarizer import diarize as hear
from samevoice.diarization.evidence import Evidence
from samevoice.diarization.naming import digest_of, recognise, remember
from samevoice.diarization.picture import draw_diarization
from samevoice.errors import ConfigError
from samevoice.evaluation.plots import check_picture
from samevoice.gallery.names import shown
from samevoice.gallery.rules import DEFAULT_FPIR, check_fpir
from samevoice.timelines.reading import clock

if TYPE_CHECKING:
    from samevoice.gallery.recognition import Recognised

EVIDENCE = ".npz"
BAR = 20


def diarize(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="An audio file, - for standard input, or evidence that --keep wrote.")
    ],
    speakers: Annotated[int | None, typer.Option("--speakers", "-n", help="How many speak, if you know it.")] = None,
    least: Annotated[int, typer.Option(help="At least so many speak.")] = 1,
    most: Annotated[int | None, typer.Option(help="At most so many speak.")] = None,
    method: Annotated[
        str, typer.Option(help="How voices are told apart: agglomerative or spectral.")
    ] = "agglomerative",
    people: Annotated[bool, typer.Option("--people", help="Name those whom the gallery knows.")] = False,
    gallery: GalleryOption = None,
    fpir: Annotated[
        float, typer.Option(help="Tolerated share of unknown voices that get somebody's name, a fraction.")
    ] = DEFAULT_FPIR,
    keep_history: Annotated[
        bool,
        typer.Option(
            "--remember", help="Keep in the gallery who spoke when, and know strangers again (personal data)."
        ),
    ] = False,
    expires: Annotated[
        str | None, typer.Option(metavar="DAYS|DATE", help="With --remember: forget new voiceprints then.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write; .rttm .json .csv .srt .vtt .textgrid .txt .eaf."),
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", "-f", help="Write in this format, to standard output without -o.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="PNG|SVG|PDF", help="Draw a lane for each speaker (extra \\[plots]).")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="OUT.npz", help="Keep what was heard, to tell speakers apart anew in a second."),
    ] = None,
    model: GalleryModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Who speaks when, two at once included; and who they are, where a gallery knows them.

    Times are seconds of the file. A long recording needs little memory, and a command that was killed goes on where it
    stopped when it is given again. How many people speak is found out, unless --speakers says so.

    Example: samevoice diarize meeting.m4a -o meeting.rttm --picture meeting.png

    Example: samevoice diarize monday.wav --people --remember --expires 90
    """
    telling = Telling(speakers, least, most, _method(method))
    known = people or gallery is not None or keep_history
    form = _checked(output, form, picture, keep)
    if expires is not None and not keep_history:
        raise ConfigError("--expires says when to forget what --remember keeps; give both")
    check_fpir(fpir)
    until = None if expires is None else moment(expires)
    said: list[Recognised] = []
    if known:
        with sv.Gallery(gallery, model=model, threads=threads, create=keep_history) as opened:
            require_apart(opened, output, picture, keep)
            found = _heard(file, telling, opened.model, threads)
            if keep_history:
                found, said = _remembered(file, found, opened, fpir, until)
            else:
                found, said = recognise(found, opened, fpir=fpir)
    else:
        found = _heard(file, telling, model or MODEL, threads)
    if keep is not None:
        found.evidence.save(keep)
    if picture is not None:
        draw_diarization(found.diarization, picture)
    _write(found, output, form)
    if json:
        print_json(_plain(found, said))
    elif form is None and output is None:
        _show(found)
    _tell(found, said)


def _method(name: str) -> Method:
    """A method by its name."""
    if name == "agglomerative":
        return "agglomerative"
    if name == "spectral":
        return "spectral"
    raise ConfigError(f"method {name!r} is unknown; choose agglomerative or spectral")


def _checked(output: Path | None, form: str | None, picture: Path | None, keep: Path | None) -> str | None:
    """The format to write, after a look at all that will be written, before hours of work."""
    if form is not None and form not in formats.FORMATS:
        raise ConfigError(f"format {form!r} is unknown; choose one of {', '.join(formats.FORMATS)}")
    if output is not None:
        form = form or formats.by_suffix(output)
    if keep is not None and keep.suffix != EVIDENCE:
        raise ConfigError(f"{keep}: evidence is kept in a file whose name ends with {EVIDENCE}")
    if picture is not None:
        check_picture(picture)
    for path in (output, picture, keep):
        if path is not None:
            require_writable(path)
    return form


def _heard(file: str, telling: Telling, model: sv.Model | str, threads: int | None) -> Diarized:
    """The diarization of a recording, or of what was kept of one."""
    if Path(file).suffix == EVIDENCE:
        evidence = Evidence.load(Path(file))
        return told_apart(evidence, tell(evidence, telling))
    with progress_bar("listening", 1.0) as progress:
        return hear(file, diarizer=load_diarizer(model, threads), telling=telling, progress=progress)


def _remembered(
    file: str, found: Diarized, gallery: sv.Gallery, fpir: float, until: datetime | None
) -> tuple[Diarized, list[Recognised]]:
    """Named and kept; a file is known again by its content."""
    is_sound = file != "-" and Path(file).suffix != EVIDENCE
    return remember(
        found,
        gallery,
        fpir=fpir,
        recording=found.diarization.recording,
        digest=digest_of(Path(file)) if is_sound else None,
        expires=until,
    )


def _write(found: Diarized, output: Path | None, form: str | None) -> None:
    """The turns in a format, in a file or on standard output."""
    if form is None:
        return
    text = formats.write(found.diarization, form)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text)


def _plain(found: Diarized, said: list[Recognised]) -> dict[str, Any]:
    """Everything but the voices, as JSON."""
    content = formats.document.to_json(found.diarization)
    content["counts"] = [{"speakers": count, "probability": share} for count, share in found.counts]
    content["model"] = found.evidence.model
    if said:
        content["recognised"] = [one.to_json() for one in said]
    return content


def _show(found: Diarized) -> None:
    """A line for each turn."""
    for turn in found:
        sure = "" if turn.confidence is None else f"{100 * turn.confidence:4.0f} %"
        span = f"{clock(turn.start):>9} - {clock(turn.end):<9}"
        style = "" if turn.confidence is None or turn.confidence >= 0.5 else "dim"
        out.print(f"{span} {sure}  {shown(turn.speaker)}", style=style, markup=False)


def _tell(found: Diarized, said: list[Recognised]) -> None:
    """Who speaks how much, on standard error."""
    total = sum(found.diarization.of(one.name).duration for one in found.speakers)
    full = "#" if err.options.ascii_only else "█"
    for one in found.speakers:
        seconds = found.diarization.of(one.name).duration
        bar = full * round(BAR * seconds / max(total, 1e-9))
        err.print(f"{clock(seconds):>9}  {bar:<{BAR}}  {shown(one.name)}", markup=False)
    chances = ", ".join(f"{count} ({100 * share:.0f} %)" for count, share in found.counts[:3])
    figures = [f"{found.diarization.extent:.1f} s", f"speakers: {chances}"]
    overlap = found.diarization.overlap.duration
    figures += [f"overlap {overlap:.1f} s", found.evidence.model]
    err.print(", ".join(figures), style="dim", markup=False)
    unsure = sum(one.known == "unsure" for one in said)
    if unsure:
        warn([f"{unsure} of {len(said)} voices may be somebody known, but not surely; they keep local names"])
    warn(found.evidence.warnings)
    if not len(found):
        warn(["nobody speaks here"])
