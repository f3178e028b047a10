"""A run on a TensorBoard, for those who watch many at once; `curves.png` needs none.

Knows: scalars. Does not know: what is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from samevoice.errors import ConfigError
from samevoice.training.trainer import Moment

FOLDER = "tensorboard"


def board(out: Path) -> Callable[[Moment], None]:
    """Writes loss, share of waiting and validation error of every moment below `out`/tensorboard.

    Args:
        out: folder of the run.

    Raises:
        ConfigError: tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError("--tensorboard needs tensorboard; install it with: pip install tensorboard") from error
    writer = SummaryWriter(str(out / FOLDER))

    def write(moment: Moment) -> None:
        told = {"loss": moment.loss, "wait": moment.wait}
        if moment.validated:
            told["validation EER"] = moment.eer
        for name, value in told.items():
            writer.add_scalar(f"{moment.stage}/{name}", value, moment.step)
        if moment.validated or moment.step == moment.steps:
            writer.flush()

    return write
