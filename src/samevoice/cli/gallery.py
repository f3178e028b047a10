"""`samevoice gallery`: the gallery as a whole: what is in it, another model, another key, an index on a server."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from samevoice.cli.console import (
    GalleryOption,
    JsonOption,
    ThreadsOption,
    out,
    print_json,
    progress_bar,
)
from samevoice.embedder import load_model
from samevoice.gallery.gallery import Gallery
from samevoice.gallery.store import Store

app = typer.Typer(no_args_is_help=True, help="The gallery as a whole: what is in it, another model, an index.")


@app.command("info")
def info(gallery: GalleryOption = None, json: JsonOption = False) -> None:
    """Show where the gallery is, whose model it has and how many people."""
    with Store.open(gallery, create=False) as store:
        people = store.people()
        facts: dict[str, Any] = {
            "place": store.database.where,
            "id": store.id,
            "model": store.model(),
            "people": len(people),
            "voiceprints": sum(len(person.voiceprints) for person in people),
            "to_be_enrolled_again": sum(person.needs_enrolment for person in people),
            "events": store.audit().events,
        }
    if json:
        print_json(facts)
        return
    for key, value in facts.items():
        out.print(f"{key.replace('_', ' '):<22}{value}", markup=False)


@app.command("migrate")
def migrate(
    model: Annotated[str, typer.Option("--model", "-m", help="The new model: of the zoo, or an .onnx file.")],
    gallery: GalleryOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Give the gallery another model: embed kept sound anew, mark everybody else as to be enrolled again.

    Killed, it goes on where it stopped; until it is done, the gallery works with the old model.

    Example: samevoice gallery migrate --model mine.onnx
    """
    with Gallery(gallery, create=False) as opened, progress_bar("embedding anew", 1.0) as tell:
        found = opened.migrate(load_model(model, threads), progress=tell)
    if json:
        print_json({"model": found.model, "embedded": found.embedded, "again": found.again})
        return
    out.print(f"The model is {found.model} now; {found.embedded:,} voiceprints were embedded anew.", markup=False)
    if found.again:
        out.print(f"{found.again:,} voiceprints have no usable sound: enrol these people again.", style="yellow")
