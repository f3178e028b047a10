import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from samevoice.errors import ConfigError
from samevoice.training.boards import board
from samevoice.training.trainer import Moment


def test_a_board_holds_what_was_told(tmp_path: Path) -> None:
    write = board(tmp_path)
    for step, loss in enumerate((0.5, 0.25, 0.125), start=1):
        write(Moment("triplet", step, 3, loss, 0.1, 0.0, validated=step == 2))
    found = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(one.step, one.value) for one in found.Scalars("triplet/loss")] == [(1, 0.5), (2, 0.25), (3, 0.125)]
    assert [(one.step, round(one.value, 6)) for one in found.Scalars("triplet/validation EER")] == [(2, 0.1)]


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match="pip install tensorboard"):
        board(tmp_path)
