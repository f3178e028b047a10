"""Kaldi's log mel filter-bank energies, by kaldi-native-fbank.

Povey window of 25 ms every 10 ms, pre-emphasis 0.97, mean removed per frame, no dither, natural logarithm,
edges snipped. Samples stay in [-1, 1]: the published CAM++ inference code does not scale them to 16 bits.
"""

from __future__ import annotations

import kaldi_native_fbank as knf
import numpy as np

from samevoice.audio.waveform import Samples
from samevoice.features.frontend import Features, Frontend, FrontendSpec, check_spec

RATE = 16_000  # of the published networks; any other will do
BANDS = 80  # likewise
FRAME_WIDTH_MS = 25
FRAME_HOP_MS = 10


class KaldiFbank(Frontend):
    """Log mel energies with their mean over time taken away; the scale of each band is kept.

    Args:
        spec: kind "kaldi-fbank"; no options.

    Raises:
        ModelError: the spec carries an option, or an impossible rate or number of bands.
    """

    def __init__(self, spec: FrontendSpec) -> None:
        """Fix the recipe; no state is kept between calls."""
        check_spec(spec)
        self.spec = spec
        self.width = spec.rate * FRAME_WIDTH_MS // 1000
        self.hop = spec.rate * FRAME_HOP_MS // 1000
        options = knf.FbankOptions()
        options.frame_opts.samp_freq = spec.rate
        options.frame_opts.frame_length_ms = FRAME_WIDTH_MS
        options.frame_opts.frame_shift_ms = FRAME_HOP_MS
        options.frame_opts.dither = 0.0
        options.frame_opts.snip_edges = True
        options.mel_opts.num_bins = spec.bands
        self._options = options

    def frames(self, samples: Samples, /, count: int | None = None) -> Features:
        """Log mel energies before mean subtraction, shape (count, bands); see `Frontend.frames`.

        Kaldi snips the edges: there are never more frames than lie inside.
        """
        count = self.count(len(samples)) if count is None else count
        if count == 0:
            return np.empty((0, self.spec.bands), dtype=np.float32)
        bank = knf.OnlineFbank(self._options)
        bank.accept_waveform(self.spec.rate, samples.tolist())  # the binding copies a list faster than an array
        bank.input_finished()
        return np.stack([bank.get_frame(index) for index in range(count)])

    def normalise(self, features: Features, /) -> Features:
        """Subtract each band's mean over the stretch."""
        centred: Features = features - features.mean(axis=0, dtype=np.float32)
        return centred
