"""Made-up diarizations for tests: random ones of a seed, and hypothesis strategies."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from samevoice.diarization.turns import Diarization, Turn, writable

# Names as people have them, and as nobody should: blanks, quotes, markup, formulas, escapes, other scripts.
NASTY = [
    *("Ann", "Ann Lee", " x ", "a  b", "50%", "%20", "%3", "<NA>", '"', 'say "hi"', "'=1", "=1+1", "+4", "-x", "@me"),
    *(
        "]",
        "[a]",
        "a]b",
        "a: b",
        ":",
        "<v>",
        "&amp;",
        "]]>",
        "-->",
        "a,b;c",
        "\u00a0",
        "李",
        "Zoë",
        "🙂",
        "\\",
        "1",
        "#",
    ),
    *(
        "'",
        "''=",
        "NOTE",
        "--> x",
        "%C3",
        "\u3000a",
        "=",
        " =1",
        "\ufeffx",
        "!x",
        "speech",
        "ts1",
        "null",
        "NaN",
        "N/A",
        "None",
    ),
]


def random_diarization(seed: int, extent: float = 60.0, speakers: int = 4, turns: int = 30) -> Diarization:
    """Turns of random length anywhere; many overlap."""
    generator = np.random.default_rng(seed)
    starts = generator.uniform(0, extent, turns)
    lengths = generator.exponential(3.0, turns) + 0.05
    voices = generator.integers(0, speakers, turns)
    every = zip(starts.tolist(), (starts + lengths).tolist(), voices.tolist(), strict=True)
    return Diarization((Turn(start, end, f"s{voice}") for start, end, voice in every), extent + 60)


def names() -> st.SearchStrategy[str]:
    """Any name that a turn takes."""
    free = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=12)
    return st.sampled_from(NASTY) | free.filter(writable)


@st.composite
def diarizations(draw: st.DrawFn) -> Diarization:
    """Some turns on a grid of milliseconds, some of them with a confidence on a grid of thousandths."""
    people = draw(st.lists(names(), min_size=1, max_size=4, unique=True))
    grid = st.integers(0, 100_000_000)
    length = st.integers(1, 5_000) | st.integers(1, 10_000_000)
    sure = st.none() | st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
    made = draw(st.lists(st.tuples(grid, length, st.sampled_from(people), sure), max_size=8))
    turns = [Turn(start / 1000, (start + long) / 1000, who, share) for start, long, who, share in made]
    last = max((start + long for start, long, *_ in made), default=1)
    extent = last + draw(st.integers(0, 5_000))
    return Diarization(turns, extent / 1000, draw(st.just("") | names()))
