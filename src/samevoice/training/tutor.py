"""A teacher that hears the very crops its student hears, before they are augmented, in the threads that load them.

What it says of a crop is true of that crop, at whatever speed it is played: voices can be made up without end, and no
answer can be learnt by heart.

Knows: a served model as teacher. Does not know: losses, what the student makes of it.
Source: Beyer et al., "Knowledge Distillation: A Good Teacher Is Patient and Consistent", CVPR 2022.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samevoice.audio.waveform import Samples
from samevoice.embedder import Model
from samevoice.errors import ConfigError
from samevoice.models.describer import Pooled


class Tutor:
    """Answers for single crops; several threads may ask at once.

    Args:
        teacher: a model.
        rate: of the crops, in Hz.
        by_moments: whether it shall tell what it knows of each moment.

    Raises:
        ConfigError: it shall, but it does not pool moments; or it hears another rate.
    """

    def __init__(self, teacher: Model, rate: int, *, by_moments: bool) -> None:
        """Keep the teacher."""
        if teacher.card.rate != rate:
            raise ConfigError(
                f"{teacher.card.name} hears {teacher.card.rate} Hz and the network {rate} Hz; "
                'take teacher_hears = "utterances"'
            )
        self._describer, self._by_moments = teacher.describer, by_moments
        if by_moments and not isinstance(self._describer, Pooled):
            raise ConfigError(f"{teacher.card.name} describes no moments to learn from; choose another teacher")

    def __call__(self, samples: Samples) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What there is to say of a crop.

        Args:
            samples: shape (n,), at the teacher's rate.

        Returns:
            A unit vector (d,), zeros where there is too little to hear; and the moments (channels, t), (0, 0) where
            they are not asked for.
        """
        sequence = self._describer.sequence(samples)
        answer = np.zeros(self._describer.dimension, dtype=np.float32)
        if sequence.shape[1]:
            answer = self._describer.embed(sequence, np.ones((1, sequence.shape[1]), dtype=np.bool_))[0]
        return answer, sequence if self._by_moments else np.zeros((0, 0), dtype=np.float32)
