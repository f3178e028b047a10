"""One way to open an ONNX Runtime session, so that threads and memory are set in one place.

This is the only module that imports ONNX Runtime, whose import would start to gather telemetry.

Knows: session options. Does not know: what a graph computes.
"""

from __future__ import annotations

import os
from typing import TypeAlias

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before the import

import onnxruntime as ort

from samevoice.errors import ConfigError, ModelError

MAX_THREADS = 256

Session: TypeAlias = ort.InferenceSession


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """As many as there are cores, at most 4: short utterances gain nothing beyond."""
    return min(cores(), 4)


def open_session(graph: bytes, name: str, *, threads: int) -> Session:
    """Open a graph for inference on the CPU.

    Args:
        graph: a serialised ONNX model; it must carry its weights inside.
        name: what to call it in an error.
        threads: how many threads one call may use, 1 to 256.

    Raises:
        ConfigError: the number of threads is out of range.
        ModelError: ONNX Runtime cannot read the graph.
    """
    if not 1 <= threads <= MAX_THREADS:  # ONNX Runtime takes 0 for "all cores", and starts any number it is told
        raise ConfigError(f"{name}: {threads} threads cannot be used; choose 1 to {MAX_THREADS}")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if b"QuantizeLinear" not in graph:  # weights alone are in 8 bits, if any: made floats once, and not at each call
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    # The arena keeps the largest request for ever; recordings differ in length, so it would only grow.
    options.enable_cpu_mem_arena = False
    # Spinning threads burn a core while the caller decodes or waits.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return Session(graph, sess_options=options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises many private classes
        raise ModelError(f"{name}: ONNX Runtime cannot open this model ({str(error).splitlines()[0][:200]})") from error
