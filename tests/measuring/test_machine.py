"""Processes that measure."""

from __future__ import annotations

import pytest

from samevoice.errors import ConfigError
from samevoice.measuring.children import answer, ask, started
from samevoice.measuring.machine import matrix_gflops


def test_a_matrix_product_has_a_rate_that_a_machine_can_have() -> None:
    assert 0.1 < matrix_gflops(1) < 1e5


def test_a_process_is_asked_and_answers_and_is_gone_with_its_block() -> None:
    first, second = (f"print('{{\"a\": {number}}}', flush=True)" for number in (1, 2))
    code = f"import sys, time; {first}; sys.stdin.readline(); {second}; time.sleep(30)"
    with started(code) as child:
        assert answer(child) == {"a": 1}
        ask(child)
        assert answer(child) == {"a": 2}
        assert child.poll() is None  # waits
    assert child.returncode != 0  # ended before its time


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "print('no json')"])
def test_a_process_without_an_answer_is_told_in_words(code: str) -> None:
    with started(code) as child, pytest.raises(ConfigError, match="ended without an answer"):
        answer(child)
