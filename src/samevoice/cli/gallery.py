"""`samevoice gallery`: the gallery as a whole: what is in it, another model, another key, an index on a server.

What needs SQLAlchemy is imported by the command that uses it, since that takes a quarter of a second.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

import samevoice as sv
from samevoice.cli.console import (
    GalleryOption,
    JsonOption,
    ThreadsOption,
    counted,
    err,
    out,
    print_json,
    progress_bar,
)
from samevoice.loading import load_model

app = typer.Typer(
    no_args_is_help=True, help="The gallery as a whole: what is in it, another model, another key, an index."
)


@app.command("info")
def info(gallery: GalleryOption = None, json: JsonOption = False) -> None:
    """Show where the gallery and its key are, whose model it has and how many people."""
    from samevoice.gallery.founding import default_place
    from samevoice.gallery.keys import home_of
    from samevoice.gallery.store import Store

    with Store.open(gallery, create=False) as store:
        size = store.size()
        facts: dict[str, Any] = {
            "place": store.database.where,
            "key": home_of(gallery or default_place(create=False), store.id).shown,
            "id": store.id,
            "model": store.model(),
            "people": size.people,
            "voiceprints": size.voiceprints,
            "to_be_enrolled_again": size.again,
            "events": size.events,
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
    with sv.Gallery(gallery, create=False) as opened, progress_bar("embedding anew", 1.0) as tell:
        found = opened.migrate(load_model(model, threads), progress=tell)
    if json:
        print_json({"model": found.model, "embedded": found.embedded, "again": found.again})
        return
    out.print(f"The model is {found.model} now; {counted(found.embedded, 'voiceprint')} embedded anew.", markup=False)
    if found.again:
        out.print(
            f"{counted(found.again, 'voiceprint')} without usable sound: enrol these people again.", style="yellow"
        )


@app.command("rekey")
def rekey(
    gallery: GalleryOption = None,
    forget_old: Annotated[
        bool,
        typer.Option(
            "--forget-old",
            help="Also take this gallery's older keys out of $SAMEVOICE_GALLERY_KEY_FILE; other galleries with the "
            "same key then open no more.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Give the gallery a new master key and destroy the old one, so that old copies of the database open no more.

    A server keeps deleted rows in its log and backups: without the old key they are of no use. Copies of the key that
    you made are yours to destroy, and the new key is yours to copy. Killed, run it again.

    A key file that you named may serve several galleries, so the old key stays in it unless --forget-old is given. A
    key in SAMEVOICE_GALLERY_KEY is yours to change: give the new one in SAMEVOICE_GALLERY_NEW_KEY (or a file that holds
    it in SAMEVOICE_GALLERY_NEW_KEY_FILE), and put it in place afterwards.
    """
    from samevoice.gallery.rekey import rekey as give_new_key

    with progress_bar("wrapping keys anew", 1.0) as tell:
        found = give_new_key(gallery, forget_old=forget_old, progress=tell)
    if json:
        print_json({"people": found.people, "key": found.home, "put_in_place": found.is_given, "kept": found.kept})
        return
    out.print(f"The gallery of {found.people:,} people has a new master key.", markup=False)
    if found.is_given:
        out.print(f"Put it into {found.home} now, and destroy the old one.", style="yellow", markup=False)
    elif found.kept:
        out.print(
            f"It is the first in {found.home}. {found.kept} more are still there, since other galleries may need them; "
            "when none does, run: samevoice gallery rekey --forget-old",
            style="yellow",
            markup=False,
        )
    else:
        out.print(f"It is in {found.home}; the old one is destroyed. Keep a copy of the new one.", markup=False)


@app.command("index")
def index(
    on: Annotated[
        bool | None,
        typer.Option("--on/--off", help="Make the table, or drop it; neither: show it.", show_default=False),
    ] = None,
    gallery: GalleryOption = None,
    json: JsonOption = False,
) -> None:
    """Search approximately, by pgvector's HNSW index: for galleries on PostgreSQL that are too large for exact search.

    The server then holds rotated voiceprints, which protects them less than sealing. Prints the measured recall@10.
    """
    from samevoice.gallery.indexes import measured_recall, neighbours_of, turn_off, turn_on
    from samevoice.gallery.store import Store

    with Store.open(gallery, create=False) as store:
        where, server = store.database.where, store.database.path is None
        if not server:
            on = None
        if on:
            with err.status("building the index"):
                turn_on(store)
        elif on is False:
            turn_off(store)
        model = store.model()
        neighbours = neighbours_of(store, model)
        rows, recall = None, None
        if neighbours is not None and model is not None:
            neighbours.refresh()
            rows, recall = len(neighbours), measured_recall(store, neighbours, model)
    if json:
        print_json({"place": where, "on": neighbours is not None, "templates": rows, "recall_at_10": recall})
    elif not server:
        out.print("A gallery in a file is searched exactly; it needs no such index.", markup=False)
    elif rows is None:
        out.print("Off: searched exactly.", markup=False)
    else:
        found = "" if recall is None else f"; {recall:.1%} of the true ten nearest are found"
        out.print(f"On: {rows:,} templates{found}.", markup=False)
