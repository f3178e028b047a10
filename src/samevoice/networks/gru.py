"""Deep Speaker's recurrent network: one convolution, three forward GRU layers, mean over time.

    layer      what                                    output for T = 160     parameters
    conv       5x5 / 2, 64, batch norm, clipped ReLU   80, 32, 64                  1,792
    rows       32 x 64                                 80, 2048
    gru1       1024 units                              80, 1024                9,440,256
    gru2, 3    1024 units each                         80, 1024            2 x 6,294,528
    affine     mean over time, 1024 -> 512, unit       512                       524,800

Built with the cell that Keras had then (`keras.Gru`): 22,555,904 parameters. torch.nn.GRU would count 22,565,120
and compute something slightly different.

Knows: the network. Does not know: features, losses, training.
Source: Li et al., "Deep Speaker: an End-to-End Neural Speaker Embedding System", arXiv 1705.02304, table 3.
"""

from __future__ import annotations

from torch import Tensor, nn

from samevoice.networks.embedding import EmbeddingNetwork, halved
from samevoice.networks.keras import Gru, HalvingConvolution, batch_norm, clipped_relu, initialise, rows, unit_length
from samevoice.networks.options import checked_bands

BANDS = 64
CHANNELS = 64
UNITS = 1024
DIMENSION = 512


class GruNet(EmbeddingNetwork):
    """Deep Speaker's GRU network; 22,555,904 trainable parameters.

    Args:
        bands: numbers per frame.

    Raises:
        ConfigError: there cannot be so many bands.
    """

    frontend = "psf-64"
    dimension = DIMENSION

    def __init__(self, *, bands: int = BANDS) -> None:
        """Lay out convolution, recurrence and affine layer."""
        super().__init__()
        self.bands = checked_bands(bands)
        self.conv = HalvingConvolution(1, CHANNELS, 5)
        self.bn = batch_norm(CHANNELS)
        self.recurrence = nn.Sequential(Gru(halved(bands, 1) * CHANNELS, UNITS), Gru(UNITS, UNITS), Gru(UNITS, UNITS))
        self.affine = nn.Linear(UNITS, DIMENSION)
        initialise(self)

    def forward(self, features: Tensor) -> Tensor:
        """Embed a batch of equally long utterances.

        Args:
            features: mel energies normalised per frame (psf-64), float32, shape (B, T, 64), T >= 1; the seeds use 160.

        Returns:
            Embeddings of unit length, shape (B, 512).

        Raises:
            ModelError: the features have another shape, or are not finite.
        """
        self.require(features)
        image = clipped_relu(self.bn(self.conv(features.unsqueeze(1))))
        return unit_length(self.affine(self.recurrence(rows(image)).mean(dim=1)))
