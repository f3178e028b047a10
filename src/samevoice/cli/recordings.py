"""`samevoice recordings`: what was remembered of diarized recordings; to see it, to take it along, to forget it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import samevoice as sv  # whose gallery is imported when it is first used: SQLAlchemy takes a quarter of a second
from samevoice.cli.console import GalleryOption, JsonOption, counted, err, out, print_json
from samevoice.cli.outputs import require_apart, require_writable, write_text
from samevoice.gallery.names import shown

IdArgument = Annotated[int, typer.Argument(metavar="ID", min=1, help="Number of a recording, as the list shows it.")]

app = typer.Typer(
    no_args_is_help=True,
    help="Recordings whose speakers the gallery remembers: see who spoke when, export it, forget it.",
)


@app.command("list")
def list_recordings(
    person: Annotated[str | None, typer.Option(metavar="NAME", help="Only those in which this person speaks.")] = None,
    gallery: GalleryOption = None,
    json: JsonOption = False,
) -> None:
    """List the recordings, and who speaks in them."""
    with sv.Gallery(gallery, create=False) as opened:
        found = opened.recordings(person)
    if json:
        print_json([{name: value for name, value in one.to_json().items() if name != "turns"} for one in found])
        return
    for one in found:
        people = ", ".join(map(shown, one.people)) or "nobody"
        out.print(f"{one.id:>5}  {one.at:%Y-%m-%d}  {one.extent:8.1f} s  {shown(one.label)}: {people}", markup=False)
    err.print(counted(len(found), "recording"), style="dim", markup=False)


@app.command("show")
def show(number: IdArgument, gallery: GalleryOption = None, json: JsonOption = False) -> None:
    """Show who speaks when, by the names that people have now."""
    with sv.Gallery(gallery, create=False) as opened:
        found = opened.recording(number)
    if json:
        print_json(found.to_json())
        return
    out.print(f"{shown(found.label)}, {found.extent:.1f} s", style="bold", markup=False)
    for turn in found.turns:
        sure = "" if turn.confidence is None else f"  {100 * turn.confidence:3.0f} %"
        out.print(f"{turn.start:10.2f} {turn.end:10.2f}{sure}  {shown(turn.name)}", markup=False)


@app.command("export")
def export(
    number: IdArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file; its suffix says the format, such as .rttm or .srt.")
    ],
    gallery: GalleryOption = None,
    form: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="Of the file, where the suffix does not say.")
    ] = None,
) -> None:
    """Write who speaks when into a file: RTTM, JSON, CSV, SRT, VTT, TextGrid, Audacity labels or ELAN.

    Example: samevoice recordings export 3 -o meeting.rttm
    """
    from samevoice.diarization.formats import by_suffix, write
    from samevoice.diarization.turns import Diarization, Turn

    require_writable(output)
    name = form or by_suffix(output)
    with sv.Gallery(gallery, create=False) as opened:
        require_apart(opened, output)
        found = opened.recording(number)
    turns = [Turn(one.start, one.end, one.name, one.confidence) for one in found.turns]
    write_text(output, write(Diarization(turns, found.extent, found.label), name))
    out.print(f"{shown(found.label)} is in {output}.", markup=False)


@app.command("forget")
def forget(number: IdArgument, gallery: GalleryOption = None) -> None:
    """Forget a recording: who spoke in it, the voiceprints made of it, and strangers of whom nothing else is left."""
    with sv.Gallery(gallery, create=False) as opened:
        opened.forget_recording(number)
    out.print(f"Recording {number} is forgotten.", markup=False)
