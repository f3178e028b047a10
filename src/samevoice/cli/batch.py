"""`samevoice batch`: embed a whole corpus, on one machine or on a cluster, and find who is in it twice."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from samevoice.batch import report
from samevoice.batch.duplicates import FALSE_PAIRS, Duplicates, find_duplicates
from samevoice.batch.listing import list_recordings
from samevoice.batch.running import embed_corpus
from samevoice.cli.console import MODEL, JsonOption, ModelOption, err, out, print_json, progress_bar, warn
from samevoice.cli.outputs import require_writable
from samevoice.gallery.names import shown

BAD_SHOWN = 20
GROUPS_SHOWN = 20
SOME_BAD = 3  # exit code of a finished dataset in which recordings are missing

app = typer.Typer(
    no_args_is_help=True,
    help="Corpora of any size: embed every recording into a dataset, then find who is in it twice.\n\n"
    "Start with: [bold]samevoice batch embed DIR -o DATASET[/bold].",
)

DatasetArgument = Annotated[Path, typer.Argument(metavar="DATASET", help="A folder made by samevoice batch embed.")]


@app.command("embed")
def embed(
    source: Annotated[
        Path, typer.Argument(metavar="MANIFEST|DIR", help="A manifest, a corpus, or any folder of audio files.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DATASET", help="Folder for the dataset.")],
    model: ModelOption = MODEL,
    workers: Annotated[
        int | None, typer.Option(help="Processes, each with the model loaded; default: one for each core.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Work on a Ray cluster; 'local' starts one on this machine."),
    ] = None,
    block: Annotated[
        int | None, typer.Option(help="Recordings that share a file; default: 16 to 1,024, by their number.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Turn every recording of a corpus into an embedding, in a dataset of Parquet files.

    The run can be stopped, or killed, at any time: the same command goes on where it was, and the files come out the
    same, byte for byte. A finished dataset is left as it is. Another model or list is refused.

    With --ray, the machines of the cluster need samevoice, the model, and the recordings under the same path; the
    dataset's folder only this one: the workers send their results here.

    Exit codes: 0 everything is embedded; 3 finished, but some recordings could not be used (they are in DATASET/bad);
    2 not finished.

    Example: samevoice batch embed corpus.jsonl -o voices/
    """
    listing = list_recordings(source)
    with progress_bar("embedding", 1.0) as tell:
        result = embed_corpus(
            listing,
            output,
            model=model,
            workers=workers,
            ray=ray,
            block=block,
            progress=lambda done, total: tell(done / total),
        )
    what = result.dataset.description
    if json:
        counts = {"embedded": result.embedded, "bad": result.bad, "done": result.done}
        print_json({"dataset": str(output), **asdict(what), "blocks": what.blocks, **counts})
    else:
        before = "" if result.done else "; all of it was there before"
        out.print(f"{result.embedded:,} embeddings by {what.fingerprint} in {output}{before}", markup=False)
    if result.bad:
        first = [bad.reason for _, bad in islice(result.dataset.bad(), BAD_SHOWN)]
        warn(first)
        more = f" (the first {len(first)} of them are above)" if result.bad > len(first) else ""
        err.print(f"{result.bad:,} that could not be used{more} are listed in {output / 'bad'}", markup=False)
        raise typer.Exit(SOME_BAD)


@app.command("duplicates")
def duplicates(
    dataset: DatasetArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write all pairs: OUT.csv, .json or .parquet.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="speaker|recording", help="What to compare; default: speakers if any are named."),
    ] = None,
    false_pairs: Annotated[
        float, typer.Option(help="How many false pairs the whole comparison may give, on average.")
    ] = FALSE_PAIRS,
    threshold: Annotated[
        float | None, typer.Option(help="A cosine that alone decides, in place of --false-pairs.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="The model's .onnx file, where it is none of the zoo.")
    ] = None,
    scratch: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Room for 4 bytes by dimension and voice; default: the system's."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Find voices that are in a corpus twice, under two names or in two recordings of nobody named.

    All pairs are compared. A million voices make 500 thousand million pairs, so what counts is not the false-accept
    rate of one pair but the number of false pairs in all, which --false-pairs keeps.

    Example: samevoice batch duplicates voices/ -o twice.csv
    """
    if output is not None:
        report.check_suffix(output)
        require_writable(output)
    with progress_bar("comparing", 1.0) as tell:
        found = find_duplicates(
            dataset,
            by=by,
            false_pairs=false_pairs,
            threshold=threshold,
            model=model,
            scratch=scratch,
            progress=lambda done, total: tell(done / total),
        )
    if output is not None:
        report.write(found, output)
    if json:
        print_json(report.as_json(found))
        return
    _print(found)
    if output is not None:
        out.print(f"all pairs are in {output}", markup=False)


def _print(found: Duplicates) -> None:
    """The result in words."""
    out.print(f"{len(found.names):,} {found.by}s, {found.compared:,} pairs compared", markup=False)
    if found.unnamed:
        warn([f"{found.unnamed:,} recordings of nobody named were left out; --by recording compares them too"])
    told = "" if found.expected is None else f"; about {found.expected:.2g} of them are expected to be false"
    linked = f"{len(found.pairs):,} pairs in {len(found.groups):,} groups"
    out.print(f"{linked} have a cosine of {found.threshold:.3f} or more{told}", markup=False)
    out.print(f"(by {found.basis})", style="dim", markup=False)
    for number, one in enumerate(found.groups[:GROUPS_SHOWN], 1):
        names = ", ".join(shown(found.names[row]) for row in one.rows)
        chain = "" if one.complete else ", a chain: not every two of them are a pair"
        out.print(f"{number:>4}  {names}  (cosine {one.weakest:.3f} or more{chain})", markup=False)
    if len(found.groups) > GROUPS_SHOWN:
        out.print(f"and {len(found.groups) - GROUPS_SHOWN:,} more groups", markup=False)
