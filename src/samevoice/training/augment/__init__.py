"""Augmentation: one recording heard in many rooms, noises and devices, so that a network learns the voice alone.

    sound -> room -> noise -> colour, band -> codec -> gain -> sound     (`Augmenter`, numpy)
    features -> stretches of time and band set to 0 -> features          (`spec.SpecAugment`, torch)
    utterance -> faster or slower -> utterance                           (`effects.speed`)

Every step takes float32 samples (n,), n >= 1, and gives new ones, finite and as many. None clips: what exceeds 1 stays
as it is. All randomness comes from the generator that is handed in, so that equal states of it give equal bits, in any
thread.

Knows: sound and chance. Does not know: speakers, networks, where recordings lie.
"""

from __future__ import annotations

from samevoice.training.augment.chain import Augmenter
from samevoice.training.augment.options import AugmentOptions, augment_options

__all__ = ["AugmentOptions", "Augmenter", "augment_options"]
