"""A conversation as a file of sound, written block by block.

Knows: FLAC and WAV. Does not know: labels.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import soundfile

from samevoice.errors import ConfigError
from samevoice.files import write_atomically
from samevoice.lab.conversation import Conversation
from samevoice.speech.timeline import Seconds
from samevoice.speech.vad import RATE

FORMATS = ("flac", "wav")


def write_sound(conversation: Conversation, path: Path, progress: Callable[[Seconds], object] | None = None) -> None:
    """Write one channel of 16 bits at 16 kHz, in memory that does not grow with the length.

    Args:
        conversation: what to write.
        path: ends in .flac or .wav.
        progress: is told how many seconds are written.

    Raises:
        ConfigError: another suffix, or the file cannot be written.
        AudioError: a recording cannot be read any more.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ConfigError(f"{path}: conversations are written as {' or '.join(FORMATS)}; choose such a suffix")

    def write(file: BinaryIO) -> None:
        seconds = 0.0
        with soundfile.SoundFile(file, "w", RATE, 1, "PCM_16", format=kind.upper()) as sink:
            for block in conversation.blocks():
                sink.write(block.samples)
                seconds += block.duration
                if progress:
                    progress(seconds)

    try:
        write_atomically(path, write)
    except (OSError, soundfile.LibsndfileError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be written ({reason}); make room or choose another place") from error
