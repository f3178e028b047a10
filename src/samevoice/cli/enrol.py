"""`samevoice enrol NAME FILE...`: remember a voice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

import samevoice as sv  # whose gallery is imported when it is first used: SQLAlchemy takes a quarter of a second
from samevoice.cli.console import (
    GalleryModelOption,
    GalleryOption,
    JsonOption,
    ThreadsOption,
    audio_files,
    complain,
    error_entry,
    out,
    print_json,
    warn,
)
from samevoice.errors import AudioError, ConfigError, EnrolmentRefused
from samevoice.gallery.coach import TELEPHONE, Advice
from samevoice.gallery.names import checked_name, shown

REFUSED = 3


def enrol(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the person, as it is to be shown.")],
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Recordings of that person alone, or -.")],
    gallery: GalleryOption = None,
    channel: Annotated[
        str, typer.Option(help=f'What it was recorded with; "{TELEPHONE}" admits narrow-band sound.')
    ] = "",
    consent: Annotated[str | None, typer.Option(help="What the person agreed to, and when; kept with it.")] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="DAYS|DATE", help="Forget it after so many days, or on 2027-01-31.")
    ] = None,
    keep_audio: Annotated[
        bool, typer.Option(help="Keep the sound too, sealed, so that another model can embed it later.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="In place of voiceprints of another model only."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--check", help="Only say whether it would do; store nothing.")] = False,
    model: GalleryModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Remember a voice: one utterance of about five seconds is enough.

    The coach refuses what would make a bad voiceprint (too little speech, noise, clipping, a second voice, music, a
    recording enrolled before) and says what to do. More recordings of a person may be added later; they must be surely
    of the same voice. Voiceprints are kept sealed. Exit code 0: enrolled, 3: at least one was refused, 2: error; where
    one of several cannot be read, the others are enrolled all the same.

    Example: samevoice enrol "Ada Lovelace" ada.wav --consent "asked on 3 May" --expires 365
    """
    until = None if expires is None else moment(expires)
    checked_name(name)
    enrolled: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    errors: list[dict[str, str]] = []
    paths = audio_files(files)
    with sv.Gallery(gallery, model=model, threads=threads) as people:
        for path in paths:
            try:
                if dry_run:
                    advice = _checked(people, name, path, channel)
                else:
                    advice = people.enrol(
                        name,
                        path,
                        channel=channel,
                        consent=consent,
                        expires=until,
                        keep_audio=keep_audio,
                        again=again,
                    ).advice
            except EnrolmentRefused as error:
                refused.append({**error_entry(path, error), "codes": error.codes, "reasons": error.reasons})
                if not json:
                    complain(error)
                continue
            except AudioError as error:
                if len(paths) == 1:
                    raise
                errors.append(error_entry(path, error))
                complain(error)
                continue
            enrolled.append({"name": path, "advice": [one.to_json() for one in advice]})
            if not json:
                done = "would be enrolled" if dry_run else "enrolled"
                out.print(f"{shown(name)}: {done} from {shown(path)}.", markup=False)
                warn([f"{path}: {one.sentence}" for one in advice])
    if json:
        told = {"enrolled": [] if dry_run else enrolled, "usable": enrolled, "refused": refused, "errors": errors}
        print_json({"person": name, **told})
    raise typer.Exit(2 if errors else REFUSED if refused else 0)


def _checked(people: sv.Gallery, name: str, path: str, channel: str) -> tuple[Advice, ...]:
    """What would be advised on a recording that would be enrolled.

    Raises:
        EnrolmentRefused: it would not.
    """
    coached = people.coach(name, path, channel=channel)
    if not coached.usable:
        coached.refuse()
    return coached.advice


def moment(text: str) -> datetime:
    """A time to come, given as days from now or as a date (midnight UTC at its beginning).

    Raises:
        ConfigError: it is neither, or is past.
    """
    now = datetime.now(UTC)
    try:
        until = now + timedelta(days=float(text)) if _is_number(text) else datetime.fromisoformat(text)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        until = until.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{text!r} is no time; give days, such as 365, or a date, such as 2027-01-31") from error
    if until <= now:
        raise ConfigError(f"{text!r} is past; give a time to come")
    return until


def _is_number(text: str) -> bool:
    """Whether a text is a number of days."""
    try:
        float(text)
    except ValueError:
        return False
    return True
