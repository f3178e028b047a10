"""The table of front ends: every kind by name, with the rate and bands it was published with.

Knows: which recipes there are. Does not know: networks; it needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from samevoice.errors import ModelError
from samevoice.features import kaldi, logmel, melspec, psf, spectrogram
from samevoice.features.frontend import Frontend, FrontendSpec

__all__ = ["KINDS", "Kind", "default_spec", "kind_of"]


class Kind(NamedTuple):
    """One kind of front end.

    Attributes:
        build: makes the front end of a spec; raises ModelError where it cannot do what the spec asks for.
        rate: usual sample rate in Hz; of some kinds the only one.
        bands: usual numbers per frame; of some kinds the only one.
    """

    build: Callable[[FrontendSpec], Frontend]
    rate: int
    bands: int


KINDS: dict[str, Kind] = {
    "kaldi-fbank": Kind(kaldi.KaldiFbank, kaldi.RATE, kaldi.BANDS),
    "log-mel": Kind(logmel.LogMel, logmel.RATE, logmel.BANDS),
    "mel-power": Kind(melspec.MelPower, melspec.RATE, melspec.BANDS),
    "psf-64": Kind(psf.Psf64, psf.RATE, psf.BANDS),
    "spectrogram": Kind(spectrogram.Spectrogram, spectrogram.RATE, spectrogram.BANDS),
}


def kind_of(name: str) -> Kind:
    """A kind by its name.

    Args:
        name: a key of `KINDS`.

    Raises:
        ModelError: there is no such kind.
    """
    if name not in KINDS:
        raise ModelError(f"front end {name!r} is unknown here; update samevoice (known: {', '.join(KINDS)})")
    return KINDS[name]


def default_spec(name: str) -> FrontendSpec:
    """The recipe of a kind at its usual rate and size, without options.

    Args:
        name: a key of `KINDS`.

    Raises:
        ModelError: there is no such kind.
    """
    kind = kind_of(name)
    return FrontendSpec(name, kind.rate, kind.bands)
