"""Every command and snippet of README and docs does what its page says.

The tutorials have a test each (`test_journey_*.py`), which looks closer; all other pages are walked here, and a page
that is new is walked without anybody having to name it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commandline import samevoice
from pagefiles import SAMPLES, prepare
from pages import NOT_RUN, Step, Walk, all_pages, steps
from quickly import TWO, stages, train
from sockets import free_port

import samevoice as sv
from samevoice.evaluation import trials

CLAIM = re.compile(r'\bWalk\(\s*"([\w./]+\.md)"')


QUICK = dict(
    [
        train("fbanknet", *TWO),
        train("fbanknet-20k", *TWO),
        train("fbanknet-distilled", *stages("batch=8", together=3)),
        train(
            "small",
            *stages("batch=4", voices=2),
            *("shrink.steps=2", "shrink.batch=4", "shrink.crops=8", "shrink.exit_crops=8", "validation.seconds=1.5"),
        ),
        train("small-further", *stages("batch=4", voices=2), "validation.seconds=1.5"),
        train("ecapa", *stages("batch=4", margin=2)),
        ("samevoice simulate ", ("--count", "1", "--speakers", "2", "--minutes", "1")),
    ]
)


def random_voices(seed: int, people: int = 12) -> tuple[Any, list[str]]:
    """Unit vectors that lie near those of one person, and whose they are."""
    draw = np.random.default_rng(seed)
    centres = np.repeat(draw.standard_normal((people, 16)), 4, axis=0)
    vectors = centres + 0.6 * draw.standard_normal(centres.shape)
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit, [f"person {number // 4}" for number in range(len(unit))]


def measured(walk: Walk) -> None:
    """The vectors and trials that docs/evaluation.md takes for given."""
    vectors, speakers = random_voices(1)
    walk.names |= {
        "vectors": vectors,
        "speakers": speakers,
        "known": trials.all_pairs(*random_voices(2)),
        "others": trials.all_pairs(random_voices(3)[0], speakers),
        "cohort_vectors": random_voices(4)[0],
        "train_vectors": random_voices(5)[0],
        "train_speakers": random_voices(5)[1],
        "fingerprint": "toy/1",
        "scores": vectors @ random_voices(6)[0][::4].T,
        "truth": np.arange(len(vectors)) // 4 % 12 - 1,
        "threshold": 0.5,
    }


def split(walk: Walk) -> None:
    """The parts that docs/training.md trains on."""
    with walk.here():
        assert samevoice("data", "split", "voices/", "-o", "parts/", "--dev", "0.25", "--test", "0.25").returncode == 0


def enrolled(walk: Walk) -> None:
    """Somebody in the gallery of the page."""
    with walk.here():
        assert samevoice("enrol", "Ada", SAMPLES / "sample_2.mp3").returncode == 0


def heard(walk: Walk) -> None:
    """A gallery and the voices of a recording, for docs/diarization.md, and the files that it compares."""
    enrolled(walk)
    gallery = sv.Gallery(walk.folder / "voices.db")
    gallery.enrol("Ada", SAMPLES / "sample_2.mp3")
    embeddings = gallery.model.embed_many([SAMPLES / "philippe_1.flac"])
    for name, turns in (("reference", ((0, 4, "A"), (4, 8, "B"))), ("hypothesis", ((0, 5, "A"), (5, 7, "B")))):
        lines = [f"SPEAKER talk 1 {start} {end - start} <NA> <NA> {who} <NA> <NA>\n" for start, end, who in turns]
        (walk.folder / f"{name}.rttm").write_text("".join(lines))
        walk.names[name] = walk.folder / f"{name}.rttm"
    walk.names |= {"gallery": gallery, "embeddings": embeddings, "embedding": embeddings[0], "sha256": "0" * 64}


def corpus(walk: Walk) -> None:
    """The manifest of docs/batch.md."""
    with walk.here():
        assert samevoice("data", "scan", "LibriSpeech/", "-o", "corpus.jsonl").returncode == 0


PREPARE: dict[str, Callable[[Walk], None]] = {
    "docs/batch.md": corpus,
    "docs/diarization.md": heard,
    "docs/evaluation.md": measured,
    "docs/timeline.md": enrolled,
    "docs/training.md": split,
}


def authorised(walk: Walk) -> None:
    """What docs/service.md writes for a key, a host and the data folder."""
    with walk.here():
        key = samevoice("keys", "add", "reader", "--role", "admin").stdout.strip()
    walk.changes |= {"sv_...": key, "HOST": "localhost", "DATA": str(walk.folder / ".data" / "samevoice" / "service")}


PAUSES: dict[str, tuple[str, Callable[[Walk], None]]] = {"docs/service.md": ("curl --cacert", authorised)}


def claimed() -> set[str]:
    """Pages that have a test of their own."""
    tests = Path(__file__).parent.glob("test_*.py")
    return {page for file in tests for page in CLAIM.findall(file.read_text(encoding="utf-8"))}


def to_run() -> list[str]:
    """Pages with something to run, which are walked here; test_translations.py looks after the others."""
    return [page for page in all_pages() if page not in claimed() and not page.endswith(".vi.md") and steps(page)]


@pytest.mark.slow
@pytest.mark.parametrize("page", to_run())
def test_what_the_page_says_can_be_done(page: str, tmp_path: Path) -> None:
    prepare(tmp_path, " ".join(step.text for step in steps(page)))
    with Walk(page, tmp_path, changes={"8750": free_port()}, more=QUICK) as walk:
        if page in PREPARE:
            PREPARE[page](walk)
        if page in PAUSES:
            until, then = PAUSES[page]
            walk.run(until)
            then(walk)
        walk.run()


def test_every_reason_not_to_run_something_is_needed() -> None:
    everything: list[Step] = [step for page in all_pages() for step in steps(page)]
    assert {start for start in NOT_RUN if not any(step.text.startswith(start) for step in everything)} == set()
    assert sum(step.reason is None for step in everything) > 100
