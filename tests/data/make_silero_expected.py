"""Run the published Silero graph window by window and write its probabilities as `silero_expected.json`.

python tests/data/make_silero_expected.py PATH/silero_vad/data/silero_vad.onnx   (of the wheel silero-vad 6.2.3)
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import soundfile

HERE = Path(__file__).parent
SAMPLE = "librispeech_1255_a.flac"
CONTEXT, NEW = 64, 512


def main(path: Path) -> None:
    """Write the probabilities and the last state's norm."""
    session = ort.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    samples, rate = soundfile.read(HERE.parent.parent / "samples" / SAMPLE, dtype="float32")
    state = np.zeros((2, 1, 128), dtype=np.float32)
    context = np.zeros(CONTEXT, dtype=np.float32)
    probabilities: list[float] = []
    for start in range(0, len(samples) - NEW + 1, NEW):
        new = samples[start : start + NEW]
        window = np.concatenate([context, new])[None]
        answer, state = session.run(None, {"input": window, "state": state, "sr": np.array(rate, dtype=np.int64)})
        probabilities.append(round(float(answer[0, 0]), 7))
        context = new[-CONTEXT:]
    expected = {
        "graph_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "sample": SAMPLE,
        "probabilities": probabilities,
        "last_state": [round(float(number), 6) for number in state.ravel()],
    }
    (HERE / "silero_expected.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
