"""A tiny network that tells speech from everything else, 20 ms by 20 ms.

Log mel energies, two frames per step, through a stack of separable convolutions that look `AHEAD` frames ahead and
`PAST` frames back and no further: a recording may be cut into overlapping pieces, and there is no state to carry.
A network that reads logarithms can see loudness only as a sum; it learns to leave it out from sounds of all levels.

Knows: the network. Does not know: how it is trained (`training.voicing`), how pieces overlap (`speech.tinyvad`).
Source: the separable blocks of Howard et al., "MobileNets", 2017, in one dimension, with dilation.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

BANDS = 80
CHANNELS = 48
WIDTH = 5  # taps of every convolution over time
STRIDE = 2  # frames per step
BLOCKS = ((1, 2), (1, 2), (2, 2), (2, 0), (4, 0))  # dilation, and how many taps lie ahead
CENTRE, SPREAD = -8.0, 4.0  # of log mel energies of speech, roughly; silence lies at -15.9

AHEAD = STRIDE * sum(dilation * ahead for dilation, ahead in BLOCKS) + WIDTH // 2
PAST = STRIDE * sum(dilation * (WIDTH - 1 - ahead) for dilation, ahead in BLOCKS) + WIDTH // 2


class Block(nn.Module):
    """One convolution over time per channel, one over channels per step, added to what came in.

    Args:
        dilation: steps between taps.
        ahead: how many of the taps lie in the future.
    """

    def __init__(self, dilation: int, ahead: int) -> None:
        """Lay out both convolutions."""
        super().__init__()
        self.edges = ((WIDTH - 1 - ahead) * dilation, ahead * dilation)
        self.time = nn.Conv1d(CHANNELS, CHANNELS, WIDTH, dilation=dilation, groups=CHANNELS, bias=False)
        self.time_norm = nn.BatchNorm1d(CHANNELS)
        self.mix = nn.Conv1d(CHANNELS, CHANNELS, 1, bias=False)
        self.mix_norm = nn.BatchNorm1d(CHANNELS)

    def forward(self, steps: Tensor) -> Tensor:
        """(N, C, t) -> the same shape."""
        inner = F.relu(self.time_norm(self.time(F.pad(steps, self.edges))))
        return F.relu(steps + self.mix_norm(self.mix(inner)))


class Voicing(nn.Module):
    """Probability of speech in each 20 ms; 33,025 parameters."""

    def __init__(self) -> None:
        """Lay out the stack."""
        super().__init__()
        self.stem = nn.Conv1d(BANDS, CHANNELS, WIDTH, stride=STRIDE, padding=WIDTH // 2, bias=False)
        self.stem_norm = nn.BatchNorm1d(CHANNELS)
        self.blocks = nn.Sequential(*(Block(dilation, ahead) for dilation, ahead in BLOCKS))
        self.head = nn.Conv1d(CHANNELS, 1, 1)

    def logits(self, features: Tensor) -> Tensor:
        """What `forward` gives, before the squashing; shapes as there."""
        centred = ((features - CENTRE) / SPREAD).transpose(1, 2)
        found: Tensor = self.head(self.blocks(F.relu(self.stem_norm(self.stem(centred)))))
        return found.squeeze(1)

    def forward(self, features: Tensor) -> Tensor:
        """Walk through a recording.

        Args:
            features: front end "kaldi-fbank" without the mean over time taken away, shape (N, frames, 80).

        Returns:
            Probabilities, shape (N, ceil(frames / 2)); number j is of the 20 ms from 0.02 j s on, and hangs on frames
            2 j - `PAST` to 2 j + `AHEAD`.
        """
        return self.logits(features).sigmoid()
