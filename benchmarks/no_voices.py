"""Is anything but a voice ever taken for a person? 500 clips without a voice against real voices and each other.

Silence, noises of several colours, the recorded noises of the data folder, tones, chirps, hum, and music of plucked
and held notes with drums, at several levels. Each is verified against 20 speakers and against 20 other clips.

Run: python -m benchmarks.no_voices --data DIR
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

import samevoice as sv
from benchmarks.corpus import data_folder, librispeech
from samevoice.audio.waveform import Samples
from samevoice.effects.noise import stretch, synthetic_noise
from samevoice.models.embedding import Embedding
from samevoice.scoring.cosine import cosine
from samevoice.scoring.decision import decide
from samevoice.speech.vad import RATE
from samevoice.verification import calibration_of

CLIPS, VOICES, OTHERS = 500, 20, 20
SECONDS = 4.0
SEED = 4

Random = np.random.Generator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="campplus")
    options = parser.parse_args()
    folder = data_folder(options.data)
    model = sv.load_model(options.model)
    calibration = calibration_of(model)
    voices = model.embed_many(one.path for one in librispeech(folder, "train")[:VOICES])
    recorded = [soundfile.read(path, dtype="float32")[0] for path in sorted((folder / "noise").glob("*.flac"))]
    kinds: dict[str, Callable[[Random], Samples]] = {
        "silence": silence,
        "noise": noise,
        "recorded noise": lambda random: stretch(recorded[random.integers(len(recorded))], size(), random),
        "tones": tones,
        "music": music,
    }
    names = [list(kinds)[place % len(kinds)] for place in range(CLIPS)]
    clips = [levelled(kinds[name](np.random.default_rng([SEED, place])), place) for place, name in enumerate(names)]
    found = list(model.embed_each(sv.Waveform(one, RATE) for one in clips))
    print(f"{model.card.fingerprint}: {CLIPS} clips, {VOICES} speakers, at the default false-accept rate\n")
    print("| clips | of which the detector finds speech in | against voices: same | unsure | different | ", end="")
    print("against clips: same | unsure | different |\n|---|---|---|---|---|---|---|---|")
    random = np.random.default_rng(SEED)
    for kind in kinds:
        own = [place for place, name in enumerate(names) if name == kind]
        heard = [(place, one) for place in own if isinstance(one := found[place], Embedding)]
        counts = {"voices": dict.fromkeys(("same", "unsure", "different"), 0)}
        counts["clips"] = dict(counts["voices"])
        for place, one in heard:
            others = [found[other] for other in random.permutation(CLIPS)[:OTHERS] if other != place]
            for side, against in (("voices", voices), ("clips", others)):
                for other in against:
                    if isinstance(other, Embedding):
                        speech = one.seconds, other.seconds
                        verdict = decide(cosine(one, other), speech, calibration, model=one.model).verdict
                        counts[side][verdict] += 1
        cells = [f"{count:,}" for side in counts.values() for count in side.values()]
        print(f"| {len(own)} {kind} | {len(heard)} | {' | '.join(cells)} |", flush=True)


def size() -> int:
    """Samples of a clip."""
    return round(SECONDS * RATE)


def levelled(samples: Samples, place: int) -> Samples:
    """At a level that changes from clip to clip, from -40 to -1 dB of full scale."""
    peak = 10 ** (-(1 + 13 * (place // 5 % 4)) / 20)
    scaled: Samples = (peak * samples / max(float(np.abs(samples).max()), 1e-9)).astype(np.float32)
    return scaled


def silence(random: Random) -> Samples:
    """Nothing, or the last bit of a converter."""
    return (random.integers(-1, 2, size()) / 32768 * random.integers(2)).astype(np.float32)


def noise(random: Random) -> Samples:
    """Of a random colour, steady or in bursts."""
    sound = synthetic_noise(size(), RATE, random.uniform(-9, 3), random)
    if random.random() < 0.5:
        sound = sound * (np.sin(np.arange(size()) * 2 * np.pi * random.uniform(1, 8) / RATE) > 0)
    return sound.astype(np.float32)


def tones(random: Random) -> Samples:
    """Some sines, a chirp, or the hum of mains."""
    times = np.arange(size()) / RATE
    way = random.integers(3)
    if way == 0:
        sound = sum(np.sin(2 * np.pi * random.uniform(80, 4_000) * times) for _ in range(random.integers(1, 5)))
    elif way == 1:
        sound = np.sin(2 * np.pi * (random.uniform(80, 500) + random.uniform(50, 800) * times) * times)
    else:
        sound = sum(np.sin(2 * np.pi * 50 * harmonic * times) / harmonic for harmonic in range(1, 20))
    return np.asarray(sound, dtype=np.float32)


def music(random: Random) -> Samples:
    """Notes of a scale with harmonics, plucked or held, some with vibrato, over drums of noise."""
    times = np.arange(size()) / RATE
    sound = np.zeros(size())
    length = random.uniform(0.15, 0.6)
    for start in np.arange(0, SECONDS, length):
        pitch = 110 * 2 ** (random.choice([0, 2, 4, 5, 7, 9, 11, 12, 14, 16, 19, 24]) / 12)
        since = times - start
        shape = np.where(since >= 0, np.exp(-np.maximum(since, 0) * random.choice([1.0, 6.0])), 0.0)
        shape *= since < 2 * length
        phase = 2 * np.pi * pitch * since + random.choice([0.0, 3.0]) * np.sin(2 * np.pi * 5.5 * since)
        sound += shape * sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 8))
        if random.random() < 0.5:
            sound += np.where(since >= 0, np.exp(-np.maximum(since, 0) * 40), 0.0) * random.standard_normal(size())
    return sound.astype(np.float32)


if __name__ == "__main__":
    main()
