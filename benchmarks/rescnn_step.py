"""How long does one training step of ResCNN take? Ours against the same network written down plainly, in one run.

A step is forward, cosine triplet loss and backward for 32 triplets of 160 frames: features (96, 160, 64). Both
networks have the same weights and take turns; the first turn of each is not counted. The plain one is what a reader of
the paper's table would type into torch: an explicit pad before each strided convolution, `clamp` for the clipped
ReLU, torch's own memory layout.

Run: python -m benchmarks.rescnn_step   (about two minutes on two cores)
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)
from torch import Tensor, nn

from samevoice.networks.rescnn import ResCnn

FRAMES, BANDS = 160, 64
MARGIN = 0.1


class PlainStage(nn.Module):
    """One stage as in the paper's table: a strided convolution and six 3x3 convolutions, two to a block."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for convolution in [nn.Conv2d(channels, out, 5, stride=2)] + [
            nn.Conv2d(out, out, 3, padding=1) for _ in range(6)
        ]:
            self.layers += [convolution, nn.BatchNorm2d(out, eps=1e-3, momentum=0.01)]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, F) -> (B, out, T / 2, F / 2)."""
        convolutions, norms = self.layers[0::2], self.layers[1::2]
        x = F.pad(x, (1, 2, 1, 2))
        x = torch.clamp(norms[0](convolutions[0](x)), min=0, max=20)
        for first in (1, 3, 5):
            identity = x
            x = torch.clamp(norms[first](convolutions[first](x)), min=0, max=20)
            x = norms[first + 1](convolutions[first + 1](x))
            x = torch.clamp(x + identity, min=0, max=20)
        return x


class Plain(nn.Module):
    """The whole network, for inputs of 160 frames."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((1, 64), (64, 128), (128, 256), (256, 512))
        self.stages = nn.Sequential(*(PlainStage(channels, out) for channels, out in widths))
        self.affine = nn.Linear(2048, 512)

    def forward(self, features: Tensor) -> Tensor:
        """(B, 160, 64) -> (B, 512)."""
        x = self.stages(features.unsqueeze(1))
        x = x.permute(0, 2, 3, 1).reshape(len(x), FRAMES // 16, 2048).mean(dim=1)
        return F.normalize(self.affine(x), dim=1)


def plain_copy(ours: ResCnn) -> Plain:
    """The plain network with our weights, which lie in the same order."""
    plain = Plain()
    weights = {
        name: tensor.contiguous() for name, tensor in zip(plain.state_dict(), ours.state_dict().values(), strict=True)
    }
    plain.load_state_dict(weights)
    return plain


def step(network: nn.Module, features: Tensor) -> tuple[float, float]:
    """Seconds for one step, and its loss."""
    network.zero_grad(set_to_none=True)
    began = time.perf_counter()
    anchor, positive, negative = network(features).chunk(3)
    loss = F.relu((anchor * negative).sum(dim=1) - (anchor * positive).sum(dim=1) + MARGIN).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - began, float(loss.detach())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--triplets", type=int, default=32)
    given = parser.parse_args()
    torch.manual_seed(0)
    ours = ResCnn()
    networks: dict[str, nn.Module] = {"samevoice": ours, "plain": plain_copy(ours)}
    features = torch.randn(3 * given.triplets, FRAMES, BANDS)
    times: dict[str, list[float]] = {name: [] for name in networks}
    losses: dict[str, float] = {}
    for turn in range(given.repeats + 1):
        for name, network in networks.items():
            took, losses[name] = step(network, features)
            if turn:
                times[name].append(took)
    print(f"{cpu()}, {torch.get_num_threads()} threads, torch {torch.__version__}, Python {platform.python_version()}")
    print(f"\n| {given.triplets} triplets, {given.repeats} steps | s, minimum | s, median | loss |\n|---|---|---|---|")
    for name, taken in times.items():
        print(f"| {name} | {min(taken):.2f} | {statistics.median(taken):.2f} | {losses[name]:.6f} |")
    fastest, typical = (of(times["samevoice"]) / of(times["plain"]) for of in (min, statistics.median))
    print(f"| samevoice / plain | {fastest:.2f} | {typical:.2f} | |")


def cpu() -> str:
    """What the processor calls itself, and how many cores this process may use."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{name}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
