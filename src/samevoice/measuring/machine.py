"""How fast this machine multiplies matrices: the limit that no network can pass.

A number of threads is fixed for a process before it starts, so that each is measured in a process of its own.

Knows: numpy's matrix product, the variables that its libraries read. Does not know: networks.
"""

from __future__ import annotations

import os
import sys
import time

from samevoice.measuring.children import answer, started

SIZE = 1536
SECONDS = 0.5
LEAST = 3  # products, however slow
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
CODE = "from samevoice.measuring.machine import multiply; multiply()"


def matrix_gflops(threads: int) -> float:
    """The best rate of a float32 matrix product of numpy, in 10^9 operations per second.

    Args:
        threads: how many it may use.

    Raises:
        ConfigError: the process that measures ended without an answer.
    """
    with started(CODE, env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}) as child:
        return answer(child)["gflops"]


def multiply() -> None:
    """The work of the process: tell the rate."""
    import numpy as np

    square = np.random.default_rng(0).standard_normal((SIZE, SIZE)).astype(np.float32)
    product = np.empty_like(square)
    best, count, until = np.inf, 0, time.perf_counter() + SECONDS
    while count < LEAST or time.perf_counter() < until:
        began = time.perf_counter()
        np.matmul(square, square, out=product)
        best, count = min(best, time.perf_counter() - began), count + 1
    sys.stdout.write(f'{{"gflops": {2 * SIZE**3 / best / 1e9}}}\n')
