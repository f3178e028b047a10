"""`samevoice data`: what is in a corpus, who is on which side, and packing for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from samevoice.cli.console import JsonOption, err, out, print_json, progress_bar
from samevoice.corpora import shards
from samevoice.corpora.found import Problem
from samevoice.corpora.opening import open_corpus
from samevoice.corpora.overview import Overview, groups, overview, voices
from samevoice.corpora.scanning import Scanned, scan
from samevoice.corpora.shards import pack
from samevoice.corpora.splits import split_as_published, split_by_speaker
from samevoice.corpora.storage import save_manifest
from samevoice.corpora.trimming import trim
from samevoice.errors import ConfigError
from samevoice.loading import load_detector

PROBLEMS_SHOWN = 20
PARTS = ("train", "dev", "test")

app = typer.Typer(
    no_args_is_help=True,
    help="See what a corpus holds, split it by speaker, and pack it for training.\n\n"
    "A corpus is a folder per speaker, LibriSpeech, VoxCeleb, Common Voice (as its .tar.gz), a Kaldi folder or lhotse "
    "cuts, as it was downloaded. Start with: [bold]samevoice data scan DIR -o corpus.jsonl[/bold].",
)

CorpusArgument = Annotated[
    Path, typer.Argument(metavar="MANIFEST|DIR", help="A manifest, a packed folder, or a corpus to scan.")
]


@app.command("scan")
def scan_command(
    root: Annotated[Path, typer.Argument(metavar="DIR", help="A folder, archive or list as it was downloaded.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write the manifest: .jsonl or .parquet.")
    ] = None,
    corpus: Annotated[
        str | None, typer.Option("--corpus", metavar="NAME", help="The layout, if it is not recognised.")
    ] = None,
    licence: Annotated[
        str, typer.Option("--licence", metavar="TEXT", help="Of recordings whose licence the corpus does not tell.")
    ] = "",
    no_checksums: Annotated[
        bool, typer.Option("--no-checksums", help="Read headers only: faster, but copies are not found.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List who says what in which file, without touching the files.

    Recordings that cannot be used are named on stderr and left out.

    Example: samevoice data scan LibriSpeech/ -o libri.jsonl
    """
    if output is not None and not output.parent.is_dir():
        raise ConfigError(f"{output.parent}: no such folder; make it, or choose another")
    with progress_bar("scanning", 1.0) as tell:
        found = scan(
            root,
            corpus,
            licence=licence,
            checksums=not no_checksums,
            progress=lambda done, known: tell(done / known),
        )
    if output is not None:
        save_manifest(found.manifest, output)
    _tell_problems(found.problems)
    if json:
        whole = {"corpora": sorted({one.corpus for one in found.manifest}), **_facts(overview(found.manifest))}
        print_json({**whole, "problems": [asdict(one) for one in found.problems], "manifest": _name(output)})
        return
    _print_summary(found)
    if output is not None:
        out.print(f"manifest in {output}", markup=False)


@app.command("show")
def show(
    corpus: CorpusArgument,
    speakers: Annotated[bool, typer.Option("--speakers", help="A line for each speaker.")] = False,
    json: JsonOption = False,
) -> None:
    """Count speakers, utterances and hours, for each corpus, part and language.

    Speakers with a single utterance are counted apart: nothing of theirs can be compared with another recording.

    Example: samevoice data show libri.jsonl --speakers
    """
    found = _opened(corpus)
    _tell_problems(found.problems)
    parts = [
        {"corpus": name, "split": split, "language": language, **_facts(one)}
        for (name, split, language), one in groups(found.manifest).items()
    ]
    people = [{"speaker": name, **_facts(one)} for name, one in voices(found.manifest).items()] if speakers else []
    if json:
        total = _facts(overview(found.manifest))
        print_json({"groups": parts, "total": total, **({"speakers": people} if speakers else {})})
        return
    counts = ("speakers", "single", "unlabelled", "utterances", "hours", "shortest", "longest")
    _print_table(("corpus", "split", "language"), counts, parts)
    if speakers:
        _print_table(("speaker",), ("utterances", "hours", "shortest", "longest"), people)
    _print_summary(found)


@app.command("split")
def split(
    corpus: CorpusArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for train, dev and test.")],
    dev: Annotated[float, typer.Option(help="Share of the speakers to validate on.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of the speakers to test on.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Another seed deals the speakers otherwise.")] = 0,
    published: Annotated[
        bool, typer.Option("--published", help="Take the parts that the corpus itself names.")
    ] = False,
) -> None:
    """Write train.jsonl, dev.jsonl and test.jsonl that share no speaker and no recording.

    Where they would, nothing is written, the speakers are named, and the exit code is 2.

    Example: samevoice data split libri.jsonl -o parts/ --dev 0.1 --test 0.2
    """
    found = _opened(corpus)
    _tell_problems(found.problems)
    if published:
        parts = split_as_published(found.manifest)
    else:
        shares = {"train": 1 - dev - test, "dev": dev, "test": test}
        parts = split_by_speaker(found.manifest, {name: share for name, share in shares.items() if share != 0}, seed)
    if stale := [name for name in PARTS if name not in parts and (output / f"{name}.jsonl").exists()]:
        raise ConfigError(f"{output}: holds {stale[0]}.jsonl of another split; remove it, or give a new folder")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{output}: cannot be made ({error.strerror}); choose another folder") from error
    for name, part in parts.items():
        save_manifest(part, output / f"{name}.jsonl")
        one = overview(part)
        unknown = f", {one.unlabelled} of nobody named" if one.unlabelled else ""
        told = f"{one.speakers} speakers, {one.utterances} utterances{unknown}, {one.seconds / 3600:.2f} h"
        out.print(f"{output / name}.jsonl: {told}", markup=False)
    if left := len(found.manifest) - sum(map(len, parts.values())):
        err.print(f"warning: {left} utterances are in no part of the corpus and were left out", style="yellow")


@app.command("trim")
def trim_command(
    corpus: CorpusArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the manifest: .jsonl or .parquet.")],
    least: Annotated[float, typer.Option(help="Seconds of speech; utterances with less are left out.")] = 0.5,
    leave_out: Annotated[
        list[str] | None, typer.Option("--leave-out", metavar="CORPUS", help="A corpus of a table; may be repeated.")
    ] = None,
) -> None:
    """List every utterance from its first to its last speech, without the silence around it.

    The files are not touched. Utterances without speech are left out and counted; so much less is trained on silence.

    Example: samevoice data trim clips.jsonl -o speech.jsonl
    """
    found = _opened(corpus)
    _tell_problems(found.problems)
    unwanted = set(leave_out or ())
    if missing := unwanted - {one.corpus for one in found.manifest}:
        raise ConfigError(
            f"--leave-out: no utterance is of the corpus {min(missing)!r}; `samevoice data show` lists them"
        )
    manifest = found.manifest.only(one for one in found.manifest if one.corpus not in unwanted)
    with progress_bar("trimming", manifest.seconds) as tell:
        trimmed = trim(manifest, load_detector(), least=least, progress=tell)
    _tell_problems(trimmed.problems)
    save_manifest(trimmed.manifest, output)
    hours, before = trimmed.manifest.seconds / 3600, manifest.seconds / 3600
    told = (
        f"{len(trimmed.manifest)} utterances, {hours:.2f} h of {before:.2f} h; {trimmed.silent} without speech left out"
    )
    out.print(f"{output}: {told}", markup=False)


@app.command("pack")
def pack_command(
    corpus: CorpusArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new folder, or one to go on with.")],
    rate: Annotated[int, typer.Option(help="Sample rate of the packed sound, in Hz.")] = shards.RATE,
    shard_mb: Annotated[
        int, typer.Option("--shard-mb", min=1, help="16-bit sound in a shard at most, in MiB.")
    ] = shards.SHARD_BYTES >> 20,
    jobs: Annotated[int | None, typer.Option(min=1, max=256, help="Threads; all cores by default.")] = None,
) -> None:
    """Pack a corpus into tar shards (webdataset) that are fast to read, with a manifest beside them.

    Interrupted? Run the same command again: complete shards are left as they are. Recordings that cannot be read are
    named, counted and left out.

    Example: samevoice data pack libri.jsonl -o packed/
    """
    found = _opened(corpus)
    _tell_problems(found.problems)
    with progress_bar("packing", found.manifest.seconds) as tell:
        packed = pack(found.manifest, output, rate=rate, shard_bytes=shard_mb << 20, jobs=jobs, progress=tell)
    _tell_problems(packed.problems)
    there = f", {packed.skipped} were there already" if packed.skipped else ""
    told = f"{len(packed.manifest)} utterances, {packed.seconds / 3600:.2f} h; {packed.written} shards written{there}"
    out.print(f"{output}: {told}", markup=False)


def _opened(path: Path) -> Scanned:
    """A corpus, with progress where it must be scanned."""
    with progress_bar("scanning", 1.0) as tell:
        return open_corpus(path, progress=lambda done, known: tell(done / known))


def _name(path: Path | None) -> str | None:
    """A path for JSON."""
    return None if path is None else str(path)


def _facts(one: Overview) -> dict[str, Any]:
    """Counts as JSON tells them."""
    facts = asdict(one)
    facts["hours"] = round(facts.pop("seconds") / 3600, 4)
    return {**facts, "shortest": round(one.shortest, 3), "longest": round(one.longest, 3)}


def _tell_problems(problems: Sequence[Problem]) -> None:
    """Name what was left out, on stderr."""
    for one in problems[:PROBLEMS_SHOWN]:
        place = one.path if one.member is None else f"{one.path} ({one.member})"
        told = one.message if one.path in one.message else f"{place}: {one.message}"
        err.print(f"left out: {told}", style="yellow", markup=False)
    if problems:
        more = len(problems) - PROBLEMS_SHOWN
        rest = f"; {more} more are not shown" if more > 0 else ""
        err.print(f"{len(problems)} left out{rest}", style="yellow", markup=False)


def _print_summary(found: Scanned) -> None:
    """A corpus in a few lines."""
    one = overview(found.manifest)
    corpora = sorted({utterance.corpus or "unknown" for utterance in found.manifest})
    out.print(f"corpus      {', '.join(corpora)}", markup=False)
    unknown = f" ({one.unlabelled} of nobody named)" if one.unlabelled else ""
    out.print(f"utterances  {one.utterances}{unknown}", markup=False)
    single = f" ({one.single} with a single utterance)" if one.single else ""
    out.print(f"speakers    {one.speakers}{single}", markup=False)
    out.print(f"hours       {one.seconds / 3600:.2f}", markup=False)
    out.print(f"rates       {_counts({f'{rate} Hz': count for rate, count in one.rates.items()})}", markup=False)
    out.print(
        f"languages   {_counts({name or 'unknown': count for name, count in one.languages.items()})}", markup=False
    )


def _counts(counts: dict[str, int]) -> str:
    """Names with their counts; without where there is one name only."""
    return ", ".join(f"{name} ({count})" if len(counts) > 1 else name for name, count in counts.items())


def _shown(name: object) -> str:
    """A name on one line, whatever signs it holds."""
    return "".join(sign if sign.isprintable() else "?" for sign in str(name))


def _print_table(names: Sequence[str], counts: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Names to the left, numbers to the right; aligned here, because a table of rich cuts names short."""
    shown = {"hours": "{:.2f}", "shortest": "{:.1f} s", "longest": "{:.1f} s"}
    lines = [[*names, *counts]]
    lines += [
        [*(_shown(row[name]) or "-" for name in names), *(shown.get(name, "{}").format(row[name]) for name in counts)]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.ljust(width) if place < len(names) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        out.print("  ".join(cells).rstrip(), markup=False)
    out.print()
