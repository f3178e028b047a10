"""FBankNet of You-Only-Speak-Once, and a build of the family with the 20,890 parameters that its README names.

    layer              output (C, T, F)    parameters
    conv 5x5 / 2, 32   32, 32, 32                 832
    residual(32)       32, 32, 32              18,624
    conv 5x5 / 2, 64   64, 16, 16              51,264
    residual(64)       64, 16, 16              74,112
    conv 5x5 / 2, 128  128, 8, 8              204,928
    residual(128)      128, 8, 8              295,680
    conv 5x5 / 2, 256  256, 4, 4              819,456
    residual(256)      256, 4, 4            1,181,184
    mean               256
    dense              250                     64,250

The strided convolutions stand alone: no normalisation, no activation. The seed uses the 250 class scores as the
embedding; its figure takes the 256 pooled values. Both are here.

Knows: the networks. Does not know: features, losses, training.
Source: the seed You-Only-Speak-Once (its code; its README's count fits no published revision).
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.networks.embedding import EmbeddingNetwork
from samevoice.networks.options import MAX_SPEAKERS, checked_word
from samevoice.options import checked_size

SIDE = 64  # frames and bands of a slice
SPEAKERS = 250  # of the seed's corpus, train-clean-100 but one
EMBEDDINGS = ("scores", "pooled")


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity, with plain ReLU and torch's batch normalisation."""

    def __init__(self, channels: int) -> None:
        """Lay out the branch."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, T, F), shape unchanged."""
        branch = F.relu(self.bn1(self.conv1(image)))
        return F.relu(self.bn2(self.conv2(branch)) + image)


class FBankNet(EmbeddingNetwork):
    """Four strided convolutions with a residual block each; 2,710,330 trainable parameters by default.

    Args:
        channels: of the four stages.
        embedding: "scores" for the class scores, as the seed's code has it, or "pooled" for what they are computed
            from, as its figure has it; the parameters are the same.
        speakers: how many classes are told apart, at least 2.

    Raises:
        ConfigError: the embedding or the number of speakers is none of these.
    """

    frontend = "psf-64"
    bands = SIDE
    frames = SIDE

    def __init__(
        self,
        channels: tuple[int, int, int, int] = (32, 64, 128, 256),
        *,
        embedding: str = "scores",
        speakers: int = SPEAKERS,
    ) -> None:
        """Lay out the stages and the class scores."""
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((1, *channels), channels, strict=False):
            layers += [nn.Conv2d(inputs, outputs, 5, stride=2, padding=2), Residual(outputs)]
        self.stages = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels[-1], checked_size("speakers", speakers, 2, MAX_SPEAKERS))
        self.embedding = checked_word("embedding", embedding, EMBEDDINGS)
        self.dimension = speakers if embedding == "scores" else channels[-1]

    def pooled(self, features: Tensor) -> Tensor:
        """The mean of the last stage over time and bands: (B, 64, 64) -> (B, 256)."""
        self.require(features)
        pooled: Tensor = self.stages(features.unsqueeze(1)).mean(dim=(2, 3))
        return pooled

    def scores(self, features: Tensor) -> Tensor:
        """Class scores for the cross-entropy stage, whatever the embedding: (B, 64, 64) -> (B, speakers)."""
        scores: Tensor = self.classifier(self.pooled(features))
        return scores

    def forward(self, features: Tensor) -> Tensor:
        """Embed slices.

        Args:
            features: mel energies normalised per frame (psf-64), float32, shape (B, 64, 64).

        Returns:
            Embeddings, not of unit length, shape (B, speakers) or (B, 256).

        Raises:
            ModelError: the features have another shape, or are not finite.
        """
        return self.scores(features) if self.embedding == "scores" else self.pooled(features)


def small(*, embedding: str = "scores", speakers: int = SPEAKERS) -> FBankNet:
    """The plan of channels that has exactly 20,890 trainable parameters with 250 class scores."""
    return FBankNet((20, 8, 12, 4), embedding=embedding, speakers=speakers)
