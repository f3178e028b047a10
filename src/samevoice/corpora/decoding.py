"""A stretch of an utterance as 16-bit samples at one rate, without decoding the rest of the file.

Everything that reads a listed utterance reads it here, so that a packed corpus sounds like the one it was packed from.

Knows: decoding from a place, rates, what a manifest promised. Does not know: archives, caches, shards.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from samevoice.audio.blocks import block_frames
from samevoice.audio.decode import Recording, open_recording
from samevoice.audio.resample import mix, waveforms
from samevoice.audio.waveform import Samples, check_samples
from samevoice.corpora.manifest import Utterance
from samevoice.errors import AudioError

Pcm = NDArray[np.int16]

TOLERANCE = 0.1  # seconds that a file may lack: headers of lossy formats are rounded
MARGIN = 0.1  # seconds before and after a stretch that the resampler hears
FULL = 32768
# Formats in which libsndfile finds a frame exactly; lossy ones are decoded from their beginning.
_CONTAINERS = frozenset({"WAV", "WAVEX", "RF64", "W64", "FLAC", "AIFF", "AU", "CAF"})
_CODINGS = frozenset({"PCM_16", "PCM_24", "PCM_32", "PCM_U8", "PCM_S8", "FLOAT", "DOUBLE", "ULAW", "ALAW"})


def frames_of(utterance: Utterance, rate: int) -> int:
    """How many samples an utterance has at a rate in Hz."""
    return round(utterance.seconds * rate)


def decode(source: Path | bytes, name: str, utterance: Utterance, rate: int, first: int, last: int) -> Iterator[Pcm]:
    """Samples first <= n < last of an utterance in blocks: exactly so many, the channels averaged.

    The whole utterance and any stretch of it agree: exactly where the file has this rate, else within 1e-3.

    Args:
        source: the file, or its bytes.
        name: what to call it in messages.
        utterance: says where in the file it begins and how long it is.
        rate: wanted rate in Hz.
        first: first sample, counted from the beginning of the utterance.
        last: one after the last sample, at most `frames_of` the utterance.

    Raises:
        AudioError: it cannot be decoded, holds nothing, or is more than 0.1 s shorter than the manifest promises.
    """
    if last <= first:
        raise AudioError(f"{name}: holds no sample at {rate} Hz; leave it out")
    recording = open_recording(source, name)
    native = recording.info.rate
    begin = round(utterance.start * native)
    end = begin + frames_of(utterance, native)
    wanted = last - first
    if native == rate:
        begin, end, drop = begin + first, min(begin + last, end), 0
    else:
        # Start where a sample of the output falls exactly on a frame of the file, as in the whole utterance.
        common = math.gcd(native, rate)
        periods = max(0, first - round(MARGIN * rate)) // (rate // common)
        drop = first - periods * (rate // common)
        end = min(end, begin + math.ceil(last * native / rate) + round(MARGIN * native))
        begin += periods * (native // common)
    given = 0
    for span in waveforms(_promised(source, recording, begin, end, name), native, rate):
        samples = span.samples[drop : drop + wanted - given]
        drop = max(0, drop - len(span.samples))
        given += len(samples)
        if len(samples):
            yield np.clip(np.rint(samples * FULL), -FULL, FULL - 1).astype(np.int16)
    if given < wanted:
        yield np.zeros(wanted - given, dtype=np.int16)


def as_samples(pcm: Pcm) -> Samples:
    """16-bit samples as floats in [-1, 1)."""
    return pcm.astype(np.float32) / np.float32(FULL)


def _promised(source: Path | bytes, recording: Recording, begin: int, end: int, name: str) -> Iterator[Samples]:
    """Frames begin <= n < end, mono; the file must hold them all, but for a little."""
    held = 0
    sought = begin > 0 and _exact(recording.info.format)
    for block in _from_place(source, recording, begin, end) if sought else _from_start(recording, begin, end):
        held += len(block)
        yield block
    rate = recording.info.rate
    if end - begin - held > TOLERANCE * rate:
        wanted, found = end / rate, (begin + held) / rate
        reason = recording.damage or f"it ends after {found:.1f} s" if held else f"it ends before {begin / rate:.1f} s"
        raise AudioError(
            f"{name}: {wanted:.1f} s of it are in the manifest, but {reason}; restore the file, or scan again"
        )


def _exact(kind: str) -> bool:
    """Whether a format, as `AudioInfo` names it, can be entered at any frame."""
    container, _, coding = kind.partition(" ")
    return container in _CONTAINERS and coding in _CODINGS


def _from_start(recording: Recording, begin: int, end: int) -> Iterator[Samples]:
    """Decode from the beginning and leave out what lies before."""
    place = 0
    for block in recording.blocks():
        wanted = block[max(0, begin - place) : end - place]
        place += len(block)
        if len(wanted):
            yield mix(wanted)
        if place >= end:
            return


def _from_place(source: Path | bytes, recording: Recording, begin: int, end: int) -> Iterator[Samples]:
    """Go to a frame and decode from there."""
    info = recording.info
    step = block_frames(info.rate, info.channels)
    file = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    try:
        with file, closing(soundfile.SoundFile(file)) as sound:
            if begin >= sound.frames:
                return
            sound.seek(begin)
            for place in range(begin, end, step):
                block = sound.read(min(step, end - place), dtype="float32", always_2d=True)
                check_samples(block, info.name, offset=place / info.rate)
                if not len(block):
                    return
                yield mix(block)
    except (soundfile.LibsndfileError, OSError) as error:
        reason = getattr(error, "error_string", None) or str(error)
        raise AudioError(
            f"{info.name}: is damaged near {begin / info.rate:.1f} s ({reason.strip(' .')}); restore the file"
        ) from error
