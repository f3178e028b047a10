"""The tree of errors: codes are stable, and errors survive a trip between processes."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from samevoice import errors
from samevoice.errors import FingerprintMismatch, ModelError, NotEnoughSpeech, SamevoiceError
from samevoice.runtime import default_threads, open_session


def test_codes_and_exits() -> None:
    tree: dict[str, Any] = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    assert {name: (kind.code, kind.exit_code) for name, kind in tree.items()} == {
        "SamevoiceError": ("error", 2),
        "AudioError": ("audio", 2),
        "NotEnoughSpeech": ("short-speech", 3),
        "ModelError": ("model", 2),
        "FingerprintMismatch": ("fingerprint", 2),
        "ConfigError": ("config", 2),
        "DataError": ("data", 2),
        "GalleryError": ("gallery", 2),
        "UnknownPerson": ("unknown-person", 2),
        "EnrolmentRefused": ("refused", 3),
    }
    assert all(issubclass(kind, SamevoiceError) for kind in tree.values())


@pytest.mark.parametrize(
    "error", [NotEnoughSpeech("a.wav", 0.42, 1.0, ("silent",)), FingerprintMismatch("m@1", "n@2"), ModelError("x")]
)
def test_pickled_errors_say_the_same(error: SamevoiceError) -> None:
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)


def test_sentences() -> None:
    short = NotEnoughSpeech("a.wav", 0.42, 1.0)
    assert str(short) == "a.wav: 0.4 s of speech found, at least 1.0 s needed; add 0.6 s more"
    assert (short.name, short.have, short.need) == ("a.wav", 0.42, 1.0)
    assert str(NotEnoughSpeech("a.wav", 0.98, 1.0)).endswith(
        "0.9 s of speech found, at least 1.0 s needed; add 0.1 s more"
    )


def test_what_is_no_graph_is_a_model_error() -> None:
    for graph in (b"", b"no graph", bytes(100)):
        with pytest.raises(ModelError, match="x: ONNX Runtime cannot open this model"):
            open_session(graph, "x", threads=1)
    assert 1 <= default_threads() <= 4
