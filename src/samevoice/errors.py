"""Every error a user can meet, in one tree.

    SamevoiceError                      code            exit
     x AudioError                       audio           2     unreadable, empty, too long, too many channels
     x NotEnoughSpeech(have, need)      short-speech    3     seconds, so a page can say "speak 2 s longer"
     x ModelError                       model           2     missing, wrong digest, not a samevoice model
       + FingerprintMismatch(a, b)      fingerprint     2     embeddings of two models met
     x GalleryError                     gallery         2     locked, damaged, another key, a name that is taken
       + UnknownPerson                  unknown-person  2     nobody of that name is enrolled
       + EnrolmentRefused(advice)       refused         3     a recording that would make a bad voiceprint
     x DataError                        data            2     bad manifest, empty corpus, a speaker on two sides
     x ConfigError                      config          2     an option that cannot be honoured

A message says what happened, where, and what to do; it is one sentence that a person can act on.
Library code raises the narrowest class; only an edge (command line, service) catches it.
"""

from __future__ import annotations

import math


class SamevoiceError(Exception):
    """Base of all errors that samevoice raises on purpose.

    Attributes:
        code: stable short name for machines (JSON, problem bodies).
        exit_code: status with which the command line ends.
    """

    code: str = "error"
    exit_code: int = 2


class AudioError(SamevoiceError):
    """A recording cannot be read, holds nothing, or exceeds a limit."""

    code = "audio"


class NotEnoughSpeech(SamevoiceError):
    """A recording holds less speech than a model needs for a meaningful embedding.

    Args:
        name: what the user calls the recording.
        have: seconds of speech found.
        need: seconds of speech needed.
        warnings: what the audio doctor says about the recording: often why there is so little.
    """

    code = "short-speech"
    exit_code = 3

    def __init__(self, name: str, have: float, need: float, warnings: tuple[str, ...] = ()) -> None:
        """Compose the sentence from the recording's name and the seconds found and needed."""
        found = math.floor(10 * have) / 10  # rounded away from each other, so that they never look equal
        least = math.ceil(round(10 * need, 6)) / 10
        missing = max(least - found, 0.1)
        super().__init__(f"{name}: {found} s of speech found, at least {least} s needed; add {missing:.1f} s more")
        self.name = name
        self.have = have
        self.need = need
        self.warnings = warnings

    def __reduce__(self) -> tuple[type[NotEnoughSpeech], tuple[str, float, float, tuple[str, ...]]]:
        """Rebuild from the parts, so that the error survives a trip between processes."""
        return NotEnoughSpeech, (self.name, self.have, self.need, self.warnings)


class ModelError(SamevoiceError):
    """A model is missing, damaged, or not one that samevoice can trust."""

    code = "model"


class FingerprintMismatch(ModelError):
    """Embeddings made by two different models were about to be compared.

    Args:
        first: fingerprint of the first embedding's model.
        second: fingerprint of the second embedding's model.
        advice: what to do.
    """

    code = "fingerprint"

    def __init__(self, first: str, second: str, advice: str = "embed both recordings with one model") -> None:
        """Compose the sentence from both fingerprints."""
        super().__init__(f"embeddings of two models cannot be compared: {first} and {second}; {advice}")
        self.first = first
        self.second = second
        self.advice = advice

    def __reduce__(self) -> tuple[type[FingerprintMismatch], tuple[str, str, str]]:
        """Rebuild from the parts, so that the error survives a trip between processes."""
        return FingerprintMismatch, (self.first, self.second, self.advice)


class GalleryError(SamevoiceError):
    """A gallery of voiceprints cannot be opened or changed as asked."""

    code = "gallery"


class UnknownPerson(GalleryError):
    """Nobody of that name is enrolled."""

    code = "unknown-person"


class EnrolmentRefused(GalleryError):
    """A recording that would make a bad voiceprint.

    Args:
        name: what the user calls the recording.
        reasons: what is wrong and what to do, a sentence each, without the recording's name.
        codes: a stable short name for each.
    """

    code = "refused"
    exit_code = 3

    def __init__(self, name: str, reasons: tuple[str, ...], codes: tuple[str, ...]) -> None:
        """Compose the sentence."""
        super().__init__(f"{name}: not enrolled; {'; '.join(reasons)}")
        self.name = name
        self.reasons = reasons
        self.codes = codes

    def __reduce__(self) -> tuple[type[EnrolmentRefused], tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """Rebuild from the parts, so that the error survives a trip between processes."""
        return EnrolmentRefused, (self.name, self.reasons, self.codes)


class DataError(SamevoiceError):
    """A corpus, manifest or shard cannot be used as it is."""

    code = "data"


class ConfigError(SamevoiceError):
    """An option or setting cannot be honoured as given."""

    code = "config"
