"""`samevoice people`: who is enrolled or was heard; to see it, to correct it, to take it along, to be forgotten."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer

import samevoice as sv  # whose gallery is imported when it is first used: SQLAlchemy takes a quarter of a second
from samevoice.cli.console import GalleryModelOption, GalleryOption, JsonOption, complain, counted, err, out, print_json
from samevoice.cli.enrol import moment
from samevoice.cli.outputs import require_apart, require_writable
from samevoice.errors import ConfigError, GalleryError
from samevoice.files import write_privately
from samevoice.gallery.names import shown
from samevoice.gallery.voiceprints import Person, Voiceprint

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of a person, in upper or lower case.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

app = typer.Typer(
    no_args_is_help=True,
    help="Who is enrolled or was heard: see, rename, merge, take back, export, delete, check the record of events.",
)


@app.command("list")
def list_people(
    pattern: Annotated[
        str | None, typer.Argument(metavar="PATTERN", help="Part of a name, or one with * and ?.")
    ] = None,
    strangers: Annotated[
        bool | None,
        typer.Option(
            "--strangers/--enrolled", help="Only people who were heard, or only those enrolled.", show_default=False
        ),
    ] = None,
    gallery: GalleryOption = None,
    json: JsonOption = False,
) -> None:
    """List the people enrolled, and those remembered from recordings."""
    with _gallery(gallery) as opened:
        people = opened.people(pattern)
    people = [one for one in people if strangers is None or strangers is (one.stranger is not None)]
    if json:
        print_json([person.to_json() for person in people])
        return
    for person in people:
        out.print(_line(person), markup=False)
    err.print(counted(len(people), "person", "people"), style="dim", markup=False)


@app.command("show")
def show(name: NameArgument, gallery: GalleryOption = None, json: JsonOption = False) -> None:
    """Show a person's voiceprints, where the person was heard, and what was done with them."""
    with _gallery(gallery) as opened:
        person, events, heard = opened.person(name), opened.events(name), opened.recordings(name)
    if json:
        recordings = [{"id": one.id, "label": one.label, "at": one.at.isoformat()} for one in heard]
        print_json({**person.to_json(), "recordings": recordings, "events": [event.to_json() for event in events]})
        return
    out.print(_line(person), style="bold", markup=False)
    for one in person.voiceprints:
        out.print(f"  {_facts(one)}", markup=False)
    for recording in heard:
        out.print(
            f"  {recording.at:%Y-%m-%d %H:%M} UTC  in recording {recording.id}, {shown(recording.label)}", markup=False
        )
    for event in events:
        out.print(f"  {event.at:%Y-%m-%d %H:%M} UTC  {event.action} by {shown(event.actor)}", markup=False)


@app.command("rename")
def rename(
    name: NameArgument,
    to: Annotated[str, typer.Argument(metavar="NEW", help="The new name; the old one is not kept.")],
    gallery: GalleryOption = None,
) -> None:
    """Give a person another name, which all recordings then show.

    A stranger who is named is still not enrolled: known in recordings, never let in.

    Example: samevoice people rename unknown-17 Grace
    """
    with _gallery(gallery) as opened:
        person = opened.rename(name, to)
    out.print(f"Now {shown(person.name)}.", markup=False)
    if person.stranger is not None:
        err.print("Heard, not enrolled; for logins too, run: samevoice enrol NAME FILE", style="dim", markup=False)


@app.command("merge")
def merge(
    source: Annotated[str, typer.Argument(metavar="NAME", help="Whose voiceprints go over; this name ends.")],
    into: Annotated[str, typer.Argument(metavar="INTO", help="Who gets them.")],
    force: Annotated[
        bool, typer.Option("--force", help="Though the voices do not show that it is one person.")
    ] = False,
    gallery: GalleryOption = None,
    model: GalleryModelOption = None,
) -> None:
    """Make two entries of one person one; the voices must be as alike as those of an added recording.

    All recordings then show the one name. Somebody enrolled gets no voiceprint of a stranger, only the history.

    samevoice people undo takes back the voiceprints that came by it; history cannot be parted again.
    """
    with sv.Gallery(gallery, model=model, create=False) as opened:
        person = opened.merge(source, into, force=force)
    out.print(f"{shown(person.name)} has {len(person.voiceprints)} voiceprints now.", markup=False)


@app.command("undo")
def undo(name: NameArgument, gallery: GalleryOption = None) -> None:
    """Take back the last enrolment of a person, or the voiceprints that came by the last merger."""
    with _gallery(gallery) as opened:
        person = opened.undo(name)
    left = f"{len(person.voiceprints)} voiceprints are left" if person else "nothing of this person is left"
    out.print(f"{shown(name)}: the last enrolment is undone; {left}.", markup=False)


@app.command("export")
def export(
    name: NameArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="A JSON file; it holds the voiceprints unsealed.")],
    gallery: GalleryOption = None,
) -> None:
    """Write all that is known of a person into a file: voiceprints, consent, kept sound, events."""
    require_writable(output)
    with _gallery(gallery) as opened:
        require_apart(opened, output)
        known = opened.export(name)
    text = jsonlib.dumps(known, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    try:
        write_privately(output, text.encode())
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written ({error.strerror}); name another file") from error
    out.print(f"All that is known of {shown(known['name'])} is in {output}, unsealed: keep it safe.", markup=False)


@app.command("delete")
def delete(name: NameArgument, gallery: GalleryOption = None, yes: YesOption = False) -> None:
    """Forget a person: all voiceprints, kept sounds and the key that sealed them."""
    with _gallery(gallery) as opened:
        person = opened.person(name)
        if not yes and not _agreed(f"Forget {shown(person.name)} for good?"):
            raise ConfigError(f"{shown(person.name)} is kept; answer y, or give --yes")
        opened.delete(name)
    out.print(f"{shown(person.name)} is forgotten.", markup=False)


@app.command("purge")
def purge(
    before: Annotated[
        str | None, typer.Option(metavar="DAYS|DATE", help="Also what will expire until then; default: now.")
    ] = None,
    gallery: GalleryOption = None,
) -> None:
    """Remove the voiceprints that have expired."""
    with _gallery(gallery) as opened:
        gone = opened.purge(None if before is None else moment(before))
    out.print(f"{counted(gone, 'voiceprint')} had expired and {'is' if gone == 1 else 'are'} removed.", markup=False)


@app.command("audit")
def audit(
    last: Annotated[int, typer.Option(min=0, help="Show so many of the newest events.")] = 0,
    gallery: GalleryOption = None,
    json: JsonOption = False,
) -> None:
    """Check that the record of events is as it was written. Exit code 2 if it is not."""
    with _gallery(gallery) as opened:
        report, events = opened.audit(), opened.events(last=last) if last else []
    if json:
        told: dict[str, Any] = {"events": report.events, "broken": report.broken}
        print_json({**told, "newest": [event.to_json() for event in events]})
    for event in [] if json else events:
        out.print(
            f"{event.seq:>6}  {event.at:%Y-%m-%d %H:%M:%S} UTC  {event.action} by {shown(event.actor)}  "
            f"{event.person or ''}",
            markup=False,
        )
    if report.broken is not None:
        broken = GalleryError(
            f"the record of events is broken at number {report.broken}: it was altered, cut or restored in part; "
            "compare it with a backup"
        )
        complain(broken)  # not raised, for that would print a second JSON document
        raise typer.Exit(broken.exit_code)
    if not json:
        out.print(f"{report.events:,} events, all as they were written.", style="green", markup=False)


def _agreed(question: str) -> bool:
    """Whether somebody says yes; nobody there to ask is a no."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        err.print()
        return False


def _gallery(place: str | None) -> sv.Gallery:
    """A gallery that must be there."""
    return sv.Gallery(place, create=False)


def _line(person: Person) -> str:
    """A person on one line."""
    count = len(person.voiceprints)
    seconds = sum(one.seconds for one in person.voiceprints)
    note = ", to be enrolled again" if person.needs_enrolment else ""
    note = note if person.stranger is None else ", heard, not enrolled"
    return f"{shown(person.name)}  ({count} voiceprint{'s' * (count != 1)}, {seconds:.1f} s of speech{note})"


def _facts(one: Voiceprint) -> str:
    """A voiceprint on one line."""
    parts = [f"{one.created:%Y-%m-%d %H:%M} UTC", f"{one.seconds:.1f} s", one.model]
    parts += [shown(one.channel)] if one.channel else []
    parts += ["sound kept"] if one.kept_audio else []
    parts += [f"until {one.expires:%Y-%m-%d}"] if one.expires else []
    parts += [f"consent: {shown(one.consent)}"] if one.consent else []
    return ", ".join(parts)
