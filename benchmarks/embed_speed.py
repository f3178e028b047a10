"""How long does one clip of 3 s take, on one thread? Ours against Resemblyzer in the same run, and the floor.

Timed: the whole way from samples to a vector; the parts of it; the bare network; the time that the network's
multiplications would take at this core's matrix speed. Each figure is the minimum of many repeats.

Run: python -m benchmarks.embed_speed   (install `resemblyzer` in the environment to see it measured)
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np

import samevoice as sv
from samevoice.models import store
from samevoice.models.encoder import Encoder

FACTS = files("samevoice.networks") / "facts.json"
SAMPLE = Path(__file__).parents[1] / "samples" / "librispeech_1255_a.flac"


def minimum_ms(action: Callable[[], object], repeats: int) -> float:
    """The shortest of many runs, in milliseconds."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return 1000 * min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=50)
    repeats = parser.parse_args().repeats
    clip = three_seconds()
    costs = {one["name"]: one["gflop_3s"] for one in json.loads(FACTS.read_text(encoding="utf-8"))}
    print("| what | ms per 3 s |\n|---|---|")

    def show(what: str, action: Callable[[], object]) -> float:
        action()
        took = minimum_ms(action, repeats)
        print(f"| {what} | {took:.1f} |", flush=True)
        return took

    detector = sv.load_detector()
    show("voice activity (Silero)", lambda: detector([clip]))
    for name in ("campplus", "ge2e"):
        card, graph = store.load(name)
        model = sv.load_model(name, threads=1)
        encoder = Encoder(card, graph, 1)
        heard = model.listen(clip)
        speech = next(model._windows(heard, model._plan(heard)))  # noqa: SLF001
        show(f"{name}: bare network, the {len(speech)} frames it gets", partial(encoder, speech[None]))
        show(f"{name}: audio doctor and voice activity", partial(model.listen, clip))
        whole = show(f"{name}: the whole way, samples to vector", partial(model.embed, clip))
        if name in costs:
            every = model.frontend.frames(clip.samples)[None]
            bare = show(f"{name}: bare network, all {every.shape[1]} frames", partial(encoder, every))
            print(f"| {name}: the whole way adds to that | {100 * (whole / bare - 1):+.0f} % |")
            floor = costs[name] / sgemm_gflops() * 1000
            print(f"| {name}: {costs[name]} GFLOP at this core's matrix speed | {floor:.1f} |")
    resemblyzer(clip, show)


def three_seconds() -> sv.Waveform:
    """Three seconds of real speech at 16 kHz."""
    recording = sv.open_recording(SAMPLE)
    whole = np.concatenate([block[:, 0] for block in recording.blocks()])
    return sv.Waveform(whole[8_000:56_000], recording.info.rate)


def sgemm_gflops() -> float:
    """What numpy's matrix product reaches on one core, in GFLOP/s."""
    size = 1024
    a = np.random.default_rng(0).standard_normal((size, size)).astype(np.float32)
    return 2 * size**3 / minimum_ms(lambda: a @ a, 20) / 1e6


def resemblyzer(clip: sv.Waveform, show: Callable[[str, Callable[[], object]], float]) -> None:
    """The peer, with its own preparation and network on one thread."""
    try:
        import torch
        from resemblyzer import VoiceEncoder, preprocess_wav
    except ImportError as error:
        print(f"| Resemblyzer | not measured: {error} |")
        return
    torch.set_num_threads(1)
    encoder = VoiceEncoder("cpu", verbose=False)
    prepared = preprocess_wav(clip.samples.copy(), clip.rate)
    show("Resemblyzer: features and network", lambda: encoder.embed_utterance(prepared))
    show("Resemblyzer: the whole way", lambda: encoder.embed_utterance(preprocess_wav(clip.samples.copy(), clip.rate)))


if __name__ == "__main__":
    main()
