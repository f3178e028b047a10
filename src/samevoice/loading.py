"""Opening a model and a detector of speech by name: what is on this machine, and never the network.

Knows: which are the usual ones, which detector goes with which model. Does not know: how speech becomes an embedding.
"""

from __future__ import annotations

from pathlib import Path

from samevoice.embedder import Model
from samevoice.models import shipped, store
from samevoice.runtime import default_threads
from samevoice.speech.tinyvad import TinyVad
from samevoice.speech.vad import SileroVad, VoiceActivityDetector

DEFAULT_MODEL = "campplus"
VAD_MODEL = "silero"
SHIPPED_VAD = "vad"


def load_model(
    name: str | Path = DEFAULT_MODEL,
    threads: int | None = None,
    *,
    detector: VoiceActivityDetector | None = None,
) -> Model:
    """Open a model for use; nothing is downloaded.

    Args:
        name: a model that is part of samevoice or was pulled before, or the path of an `.onnx` file with its card; by
            default "campplus".
        threads: how many threads inference may use; by default all cores of this process, at most 4.
        detector: finds the speech; by default that of the package for a model of the package, so that nothing must
            have been pulled, and else Silero, which must have been.

    Raises:
        ModelError: the model is not there (the message names the command that brings it), damaged, or no
            speaker embedding model.
        ConfigError: the number of threads is out of range.
    """
    card, graph = store.load_file(Path(name)) if store.is_path(name) else store.load(str(name))
    count = default_threads() if threads is None else threads
    if detector is None:
        own = card.name in shipped.NAMES and card == store.card_of(card.name)
        detector = TinyVad(store.load(SHIPPED_VAD)[1]) if own else load_detector()
    return Model(card, graph, detector=detector, threads=count)


def load_detector() -> SileroVad:
    """Open the default voice activity detector (Silero), which must have been pulled before.

    It is small and runs step by step, so that a second thread would only wait.

    Raises:
        ModelError: it was not, or its file is damaged.
    """
    _, graph = store.load(VAD_MODEL)
    return SileroVad(graph)
