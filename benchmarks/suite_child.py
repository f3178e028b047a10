"""One way to make embeddings, in a process of its own, so that a peer can have the environment it needs.

Questions come in as lines of JSON, answers go out likewise. This file is run by its path, under the interpreter of the
peer: it imports nothing of this project but for the project's own rows, and what is imported is timed.

Run by `benchmarks.suite_systems`: PYTHON suite_child.py KIND MODEL THREADS
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BEGAN = time.perf_counter()
RATE = 16_000
LEAST = 1_600  # samples; where the peer's own detector leaves less, it is given the whole clip


class Samevoice:
    """This package: from a file to an embedding, as a user would.

    Args:
        model: a name or a path.
        threads: of one call.
        whole: take all of a clip for speech, to compare networks and not detectors.
    """

    distributions = ("samevoice",)

    def __init__(self, model: str, threads: int, *, whole: bool = False) -> None:
        """Import, then load."""
        import samevoice as sv
        from samevoice.errors import NotEnoughSpeech
        from samevoice.speech.vad import everything

        load, self._refused = sv.load_model, NotEnoughSpeech
        self.imported = time.perf_counter()
        self._model = load(model, threads, detector=everything if whole else None)
        self.weights = model_file(model)

    def embed(self, path: str) -> Any:
        """A unit vector; None where the clip is refused."""
        try:
            return self._model.embed(path).vector
        except self._refused:
            return None

    def network(self, path: str) -> Callable[[], object]:
        """One call of the network, on all frames of the clip."""
        import soundfile

        features = self._model.frontend(soundfile.read(path, dtype="float32")[0])[None]
        return lambda: self._model.encoder(features)


class Bare:
    """The same network by numpy, onnxruntime and what reads files and makes features: the least one can write.

    Args:
        model: a name or a path.
        threads: of one call.
    """

    distributions = ("numpy", "onnxruntime", "kaldi-native-fbank", "soundfile")

    def __init__(self, model: str, threads: int) -> None:
        """Import, then load."""
        import kaldi_native_fbank
        import numpy as np
        import onnxruntime
        import soundfile

        self._np, self._knf, self._read = np, kaldi_native_fbank, soundfile.read
        self.imported = time.perf_counter()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.weights = model_file(model)
        self._session = onnxruntime.InferenceSession(str(self.weights), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._bank = kaldi_native_fbank.FbankOptions()
        self._bank.frame_opts.samp_freq, self._bank.frame_opts.dither = RATE, 0.0
        self._bank.mel_opts.num_bins = 80

    def _features(self, path: str) -> Any:
        bank = self._knf.OnlineFbank(self._bank)
        bank.accept_waveform(RATE, self._read(path, dtype="float32")[0].tolist())
        bank.input_finished()
        frames = self._np.stack([bank.get_frame(index) for index in range(bank.num_frames_ready)])
        return (frames - frames.mean(axis=0))[None]

    def embed(self, path: str) -> Any:
        """A unit vector."""
        raw = self._session.run(None, {self._input: self._features(path)})[0][0]
        return raw / self._np.linalg.norm(raw)

    def network(self, path: str) -> Callable[[], object]:
        """One call of the network, on all frames of the clip."""
        features = self._features(path)
        return lambda: self._session.run(None, {self._input: features})


class Resemblyzer:
    """The peer, with its own preparation (levels, trims pauses) or without.

    Args:
        threads: of one call.
        trimmed: use `preprocess_wav`; else clips are taken as they are.
    """

    distributions = ("resemblyzer",)

    def __init__(self, threads: int, *, trimmed: bool) -> None:
        """Import, then load."""
        import numpy as np
        import soundfile
        import torch
        from resemblyzer import VoiceEncoder, preprocess_wav, wav_to_mel_spectrogram

        self.imported = time.perf_counter()
        self._np, self._torch, self._read = np, torch, soundfile.read
        self._prepare, self._mel, self._trimmed = preprocess_wav, wav_to_mel_spectrogram, trimmed
        torch.set_num_threads(threads)
        self._encoder = VoiceEncoder("cpu", verbose=False)
        self.weights = Path(sys.modules["resemblyzer"].__file__ or "").parent / "pretrained.pt"

    def _prepared(self, path: str) -> Any:
        sound = self._read(path, dtype="float32")[0]
        if not self._trimmed:
            return sound
        prepared = self._prepare(sound.copy(), RATE)
        return prepared if len(prepared) >= LEAST else sound

    def embed(self, path: str) -> Any:
        """A unit vector."""
        return self._encoder.embed_utterance(self._prepared(path))

    def network(self, path: str) -> Callable[[], object]:
        """One call of the network, on all parts of the clip that the peer looks at."""
        sound = self._prepared(path)
        samples, slices = self._encoder.compute_partial_slices(len(sound), 1.3, 0.75)  # its defaults
        sound = self._np.pad(sound, (0, max(0, samples[-1].stop - len(sound))))
        mel = self._mel(sound)
        parts = self._torch.from_numpy(self._np.stack([mel[part] for part in slices]))

        def run() -> object:
            with self._torch.no_grad():
                return self._encoder(parts)

        return run


KINDS: dict[str, Callable[[str, int], Any]] = {
    "samevoice": Samevoice,
    "samevoice-whole": lambda model, threads: Samevoice(model, threads, whole=True),
    "bare": Bare,
    "resemblyzer": lambda _, threads: Resemblyzer(threads, trimmed=True),
    "resemblyzer-as-is": lambda _, threads: Resemblyzer(threads, trimmed=False),
}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever libraries print is no answer
    kind, model, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    system = KINDS[kind](model, threads)
    loaded = time.perf_counter()
    print(json.dumps({"import_s": system.imported - BEGAN, "load_s": loaded - system.imported}), file=answers)
    networks: dict[str, Callable[[], object]] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(answer(system, asked, networks)), file=answers)


def answer(system: Any, asked: dict[str, Any], networks: dict[str, Callable[[], object]]) -> dict[str, Any]:
    """What a question asks for."""
    path = asked.get("path", "")
    if asked["do"] == "embed":
        return embed_all(system, asked["paths"], asked["out"])
    if asked["do"] == "about":
        from importlib import metadata

        return {
            "peak_mb": peak_mb(),
            "model_mb": system.weights.stat().st_size / 1e6,
            "installed_mb": installed_mb(system.distributions),
            "versions": {name: metadata.version(name) for name in system.distributions},
        }
    if asked["do"] == "crowd":
        began, clips = time.perf_counter(), 0
        while (now := time.perf_counter()) < began + asked["seconds"] or not clips:
            system.embed(path)
            clips += 1
        return {"per_second": clips / (now - began)}
    if asked["do"] == "network":
        action = networks.get(path) or networks.setdefault(path, system.network(path))
    else:
        action = lambda: system.embed(path)  # noqa: E731
    began = time.perf_counter()
    action()
    return {"ms": 1000 * (time.perf_counter() - began)}


def embed_all(system: Any, paths: list[str], out: str) -> dict[str, Any]:
    """Embeddings of many files in a file, a row of NaN for what was refused."""
    import numpy as np

    found = [system.embed(path) for path in paths]
    size = next((len(vector) for vector in found if vector is not None), 1)
    np.save(out, np.stack([np.full(size, np.nan) if one is None else one for one in found]).astype(np.float32))
    return {"refused": sum(one is None for one in found)}


def model_file(model: str) -> Path:
    """Where the weights lie; the parent names them by path where this package is not at hand."""
    if os.path.isfile(model):  # noqa: PTH113
        return Path(model)
    from samevoice.models.store import model_path

    return model_path(model)


def peak_mb() -> float:
    """The largest resident memory of this process so far, in 10^6 bytes; NaN where the system does not tell."""
    try:
        facts = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return float("nan")
    return next((int(line.split()[1]) * 1024 / 1e6 for line in facts.splitlines() if line.startswith("VmHWM")), 0.0)


def installed_mb(names: tuple[str, ...]) -> float:
    """The files of distributions and of all that they need, in 10^6 bytes, without what Python compiles."""
    import importlib.util
    from importlib import metadata

    from packaging.requirements import Requirement

    left, seen, total = list(names), set(), 0
    while left:
        name = left.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another system
        paths = [Path(str(found.locate_file(file))) for file in found.files or ()]
        if '"editable": true' in (found.read_text("direct_url.json") or ""):
            spec = importlib.util.find_spec(name.replace("-", "_"))
            places = (spec.submodule_search_locations if spec else None) or ()
            paths += [path for place in places for path in Path(place).rglob("*")]
        total += sum(path.stat().st_size for path in paths if path.suffix != ".pyc" and path.is_file())
        needs = [Requirement(text) for text in found.requires or ()]
        left += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return total / 1e6


if __name__ == "__main__":
    main()
