"""Export: a torch network becomes one `.onnx` with its card inside, and is proven to answer as it did in torch.

model       network + card -> file, in floats or in 8 bits; refuses what does not answer alike
agreement   card against network, before anything is done
parity      torch against ONNX Runtime over many lengths and batch sizes
int8        the weights of a graph in 8 bits
graph       torch -> ONNX
skeleton    the graphs without weights that ship with samevoice: `python -m samevoice.export FOLDER`
"""

from __future__ import annotations

from samevoice.export.model import Exported, export_model

__all__ = ["Exported", "export_model"]
