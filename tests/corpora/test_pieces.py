from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.corpora.manifest import Utterance
from samevoice.corpora.pieces import cut_pieces
from samevoice.errors import ConfigError

ONE = Utterance("a-1", "a", "s", "a.flac", None, 0.0, 10.0, 16_000, "en", "f", "CC0", "", "folders", "")


@given(st.floats(0.01, 60), st.floats(0.05, 20))
def test_pieces_fill_an_utterance_without_overlap(length: float, seconds: float) -> None:
    pieces = cut_pieces([replace(ONE, seconds=length)], seconds)
    assert all(piece.seconds == seconds for piece in pieces)
    assert all(after.start == pytest.approx(before.start + seconds) for before, after in pairwise(pieces))
    used = len(pieces) * seconds
    assert used <= length + 1e-5
    assert length - used < seconds


def test_rounding_costs_no_piece() -> None:
    assert len(cut_pieces([replace(ONE, seconds=0.3)], 0.1)) == 3  # 0.3 / 0.1 is 2.999... in floats


def test_whole_utterances() -> None:
    (piece,) = cut_pieces([ONE], None)
    assert (piece.start, piece.seconds) == (0.0, 10.0)


def test_no_piece_of_nothing() -> None:
    with pytest.raises(ConfigError, match="seconds of a piece"):
        cut_pieces([ONE], 0.0)
