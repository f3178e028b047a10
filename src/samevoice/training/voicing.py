"""Train the tiny voice activity network that ships with samevoice: Silero says, frame by frame, what it should say.

    python -m samevoice.training.voicing --data DIR --out FILE

The folder holds `manifest.tsv` with the columns source, split and path at least: rows of source "noise" are sounds
without a voice, those of "rir" are responses of rooms, and the named sources are speech. The split "dev" and every
tenth file of the others are kept away for measuring (`kept_away`). On one idle core it takes some ten minutes.

Knows: the data folder, the loop, the file. Does not know: how scenes are made (`voicescenes`).
Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import time
import warnings
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own custom)

from samevoice import __version__
from samevoice.audio.decode import open_recording
from samevoice.audio.resample import mix, waveforms
from samevoice.audio.waveform import Samples
from samevoice.errors import DataError
from samevoice.features.frontend import Features, build_frontend
from samevoice.features.kinds import default_spec
from samevoice.loading import load_detector
from samevoice.models.card import Licences, ModelCard, fingerprint_of
from samevoice.models.encoder import write_model
from samevoice.models.onnxfile import split_metadata
from samevoice.networks.voicing import Voicing
from samevoice.speech.tinyvad import FRONTEND
from samevoice.speech.vad import RATE
from samevoice.training.voicescenes import STEP, Answers, Scenes, Taught, taught

SOURCES = ("librispeech", "wakewords", "intents")
NOISE, ROOMS, KEPT_SPLIT = "noise", "rir", "dev"
LISTED = "manifest.tsv"
BATCH = 32  # scenes of 6 s
STEPS = 1_000
LEARNING_RATE = 4e-3
DECAY = 1e-2
OPSET = 17

Row = Mapping[str, str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, ask the teacher, train, write."""
    parser = argparse.ArgumentParser(prog="python -m samevoice.training.voicing", description=(__doc__ or "")[:120])
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.tsv")
    parser.add_argument("--out", type=Path, required=True, help="the model's file, ending in .onnx")
    parser.add_argument("--sources", nargs="+", default=SOURCES, help="sources of the manifest that are speech")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=9)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    rows = [row for row in listed(options.data) if not kept_away(row)]
    speech = [options.data / row["path"] for row in rows if row["source"] in options.sources]
    sounds = {
        kind: [read(options.data / row["path"]) for row in rows if row["source"] == kind] for kind in (NOISE, ROOMS)
    }
    lessons = asked(speech)
    if not lessons:
        raise DataError(f"{options.data}: {LISTED} names no speech of {', '.join(options.sources)}; name other sources")
    scenes = Scenes(lessons, sounds[NOISE], sounds[ROOMS], np.random.default_rng(options.seed))
    network = trained(scenes, steps=options.steps, batch=options.batch, seed=options.seed)
    graph = graph_of(network)
    card = card_of(graph, options.sources, sum(len(one.pcm) for one in lessons) / RATE / 3600)
    write_model(options.out, graph, card)
    _tell(f"{options.out}: {card.fingerprint}, {options.out.stat().st_size:,} bytes")
    return 0


def listed(folder: Path) -> list[Row]:
    """The rows of a data folder's manifest.

    Raises:
        DataError: there is none, or it lacks a column.
    """
    try:
        with (folder / LISTED).open(newline="", encoding="utf-8") as file:
            rows: list[Row] = [*csv.DictReader(file, delimiter="\t")]
    except OSError as error:
        raise DataError(f"{folder}: {LISTED} cannot be read ({error.strerror}); give a folder that has one") from error
    if not rows or not {"source", "split", "path"} <= rows[0].keys():
        raise DataError(f"{folder / LISTED}: holds no rows of source, split and path, separated by tabs; mend it")
    return rows


def kept_away(row: Row) -> bool:
    """Whether a file is never trained on, so that others can measure on it."""
    return row["split"] == KEPT_SPLIT or zlib.crc32(row["path"].encode()) % 10 == 9


def read(path: Path) -> Samples:
    """A whole recording as one channel at 16 kHz.

    Raises:
        AudioError: it cannot be read.
    """
    recording = open_recording(path)
    spans = waveforms((mix(block) for block in recording.blocks()), recording.info.rate, RATE)
    return np.concatenate([span.samples for span in spans])


def asked(paths: Iterable[Path]) -> list[Taught]:
    """What Silero says of each recording that is long enough to say anything of."""
    teacher, began = load_detector(), time.monotonic()
    found = [one for path in paths if len((one := taught(read(path), teacher)).answers)]
    seconds = sum(len(one.answers) for one in found) * STEP / RATE
    share = sum(float(one.answers.sum()) for one in found) * STEP / RATE / max(seconds, 1e-9)
    _tell(f"{len(found)} recordings, {seconds / 3600:.2f} h, {share:.0%} speech; took {time.monotonic() - began:.0f} s")
    return found


def trained(scenes: Scenes, *, steps: int, batch: int, seed: int) -> Voicing:
    """Train a network from nothing.

    Args:
        scenes: what to learn from.
        steps: how many batches.
        batch: scenes in each, an even number; half of them are new.
        seed: of weights and scenes.

    Returns:
        The network, in inference mode.
    """
    torch.manual_seed(seed)
    random, frontend = np.random.default_rng([seed, 1]), build_frontend(default_spec(FRONTEND))
    network = Voicing()
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps + 1, pct_start=0.1)
    began, losses, rights = time.monotonic(), [], []
    half: list[tuple[Features, Answers]] = []
    for step in range(1, steps + 1):
        older, drawn = half, (scenes(random) for _ in range(batch // 2))
        half = [(frontend.frames(sound), answers) for sound, answers in drawn]
        served = [*half, *older]  # each scene serves twice: making it costs most
        features = torch.from_numpy(np.stack([one for one, _ in served]))
        wanted = torch.from_numpy(np.stack([answers for _, answers in served]))
        found = network.logits(features)
        loss = F.binary_cross_entropy_with_logits(found, wanted)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        rights.append(float(((found > 0) == (wanted > 0.5)).float().mean()))
        if step % 20 == 0 or step == steps:
            told = f"loss {np.mean(losses[-20:]):.4f}, agreement {np.mean(rights[-20:]):.2%}"
            _tell(f"step {step:,} of {steps:,}: {told}, {time.monotonic() - began:.0f} s")
    return network.eval()


def graph_of(network: Voicing) -> bytes:
    """The network as an ONNX graph: features (batch, frames, 80) to speech (batch, ceil(frames / 2))."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter speaks of its successor
        torch.onnx.export(
            network,
            (torch.zeros(2, 333, 80),),
            file,  # type: ignore[arg-type] # the annotation forgets that this exporter takes files
            opset_version=OPSET,
            dynamo=False,
            input_names=["features"],
            output_names=["speech"],
            dynamic_axes={"features": {0: "batch", 1: "frames"}, "speech": {0: "batch", 1: "steps"}},
        )
    return split_metadata(file.getvalue())[0]


def card_of(graph: bytes, sources: Sequence[str], hours: float) -> ModelCard:
    """What the file says of itself."""
    card = ModelCard(
        name="vad",
        kind="voice-activity",
        summary="A tiny voice activity detector, distilled from Silero VAD: where somebody speaks.",
        rate=RATE,
        dimension=0,
        frontend=default_spec(FRONTEND),
        window=None,
        level_dbfs=None,
        min_speech=0.0,
        resampler="HQ",
        licences=Licences(
            code="Apache-2.0",
            weights="Apache-2.0",
            data="teacher: Silero VAD, MIT; LibriSpeech, CC BY 4.0; Picovoice wake-word and speech-to-intent "
            "benchmarks, Apache-2.0; noises and rooms of SpeechBrain, Apache-2.0, of Speech Commands, CC BY 4.0",
        ),
        source=f"trained with samevoice.training.voicing of samevoice {__version__}",
        training_data=f"{', '.join(sources)}: {hours:.2f} h, with noises and rooms; distilled from silero-vad 6.2.3",
        calibration=None,
        fingerprint="",
    )
    return replace(card, fingerprint=fingerprint_of(graph, card))


def _tell(line: str) -> None:
    """A line of progress, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
