"""Put the network of a finished run of the recipe `small` into the package, with the card it ships with.

What the card says of the data is true of exactly the corpora named here; who trains on others ships another card.
The calibration of an earlier network does not fit: run `python -m benchmarks.fit_calibration --model small` next.

Run: python -m benchmarks.ship_small RUN [--how TEXT]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from samevoice.models import shipped, store
from samevoice.models.card import Licences, Window, fingerprint_of
from samevoice.models.encoder import read_model, write_model

SUMMARY = "A small network of our own, made out of CAM++ and taught by it: part of samevoice, faster, less exact."
LICENCES = Licences(
    code="Apache-2.0",
    weights="Apache-2.0 (made out of CAM++, which is under Apache-2.0 too)",
    data="LibriSpeech: CC BY 4.0; wake-word and speech-to-intent benchmarks: Apache-2.0",
)
DATA = (
    "{train}: LibriSpeech train-clean-100 (an utterance each) of {speakers} speakers, {hours} h; without names: "
    "Picovoice's wake-word and speech-to-intent benchmarks, {others} h; each at speeds about {speeds}, with made-up "
    "noise, rooms, colours and bands. What it knows of voices is CAM++'s, whose own data are not published."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--how", default="", help="what was done otherwise than the recipe says, for the card")
    options = parser.parse_args()
    told = json.loads((options.run / "run.json").read_text(encoding="utf-8"))
    sides = told["data"]
    learnt, alone = sides["train"], sides["unlabelled"]
    card, graph = read_model(options.run / "model.onnx")
    card = replace(
        card,
        name="small",
        summary=SUMMARY,
        window=Window(2_000, 2_000),
        min_speech=0.5,
        licences=LICENCES,
        source="trained with the recipe small of samevoice" + (f": {options.how}" if options.how else ""),
        training_data=DATA.format(
            train="English",
            speakers=learnt["speakers"],
            hours=f"{learnt['hours']:.2f}",
            others=f"{alone['hours']:.2f}",
            speeds=", ".join(f"{one:g}" for one in told["recipe"]["data"]["speeds"]),
        ),
        calibration=None,
        fingerprint="",
    )
    write_model(shipped.path_of("small"), graph, replace(card, fingerprint=fingerprint_of(graph, card)))
    print(f"{shipped.path_of('small').name}: {store.load('small')[0].fingerprint}; now fit its calibration")


if __name__ == "__main__":
    main()
