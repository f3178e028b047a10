"""Lossy codecs: a sound encoded and decoded again, in memory, at its old place.

MP3, Opus, GSM 06.10, u-law and G.726 (as G.721, 32 kbit/s) are written by libsndfile; AMR and AAC by PyAV (extra
`[media]`) where its FFmpeg has the encoder. Telephone codecs work at 8 kHz.

Knows: codecs, their rates and delays. Does not know: chance.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from typing import TYPE_CHECKING, cast

import numpy as np
import soundfile
import soxr

from samevoice.audio import media
from samevoice.audio.resample import QUALITY
from samevoice.audio.waveform import Samples
from samevoice.effects.speed import fitted

if TYPE_CHECKING:
    from av import Packet
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream

LEVEL = 0.5  # peak of what a codec gets: far from clipping, far above its steps
COMPRESSION = 0.8  # of libsndfile, from 0 (best) to 1 (smallest)


@dataclass(frozen=True, slots=True)
class Codec:
    """How to pass a sound through a codec.

    Args:
        through: from samples and rate to decoded samples, of any length.
        rates: that it is used at, in Hz, ascending.
        media: whether PyAV writes it.
    """

    through: Callable[[Samples, int], Samples]
    rates: tuple[int, ...]
    media: bool = False

    def rate(self, rate: int) -> int:
        """The lowest rate of the codec that keeps a sound's band, or its highest."""
        return next((one for one in self.rates if one >= rate), self.rates[-1])


def round_trip(samples: Samples, rate: int, name: str) -> Samples:
    """A sound through a codec.

    Args:
        samples: shape (n,), at any level: a peak at half of full scale is what the codec gets.
        rate: in Hz.
        name: a key of `CODECS` that is `available`.

    Returns:
        Shape (n,) at the level and the times of the input.
    """
    peak = float(np.abs(samples).max())
    if not peak:
        return samples
    codec = CODECS[name]
    inside = codec.rate(rate)
    sound = _resampled((samples.astype(np.float64) * (LEVEL / peak)).astype(np.float32), rate, inside)
    coded = _resampled(fitted(codec.through(sound, inside), len(sound)), inside, rate)
    return fitted((coded.astype(np.float64) * (peak / LEVEL)).astype(np.float32), len(samples))


@cache
def available() -> tuple[str, ...]:
    """Names of the codecs that work here, found by trying each."""
    return tuple(name for name in CODECS if _works(name))


def advice(name: str) -> str:
    """What to do about a codec that does not work here."""
    if not CODECS[name].media:
        return "the libsndfile of this machine cannot write it; leave it out, or install soundfile with its own library"
    if media.installed():
        return "the FFmpeg in PyAV cannot write it; leave it out"
    return f"it needs PyAV; {media.INSTALL}, or leave it out"


def _works(name: str) -> bool:
    """Whether a tenth of a second of a tone survives."""
    tone = np.sin(np.arange(800, dtype=np.float32))
    try:
        return bool(round_trip(tone, 8_000, name).any())
    except Exception:  # each library has its own way to say no
        return False


def _resampled(samples: Samples, rate: int, target: int) -> Samples:
    """At another rate."""
    if rate == target:
        return samples
    result: Samples = soxr.resample(samples, rate, target, quality=QUALITY)
    return result


def _sndfile(kind: str, subtype: str, compression: float | None, samples: Samples, rate: int) -> Samples:
    """Through a file of libsndfile, which takes the delay of its codecs out."""
    with io.BytesIO() as file:
        with soundfile.SoundFile(file, "w", rate, 1, subtype, format=kind, compression_level=compression) as sink:
            sink.write(samples)
        file.seek(0)
        return np.asarray(soundfile.read(file, dtype="float32")[0], dtype=np.float32)


def _ffmpeg(name: str, form: str, bits: int, delay: int, samples: Samples, rate: int) -> Samples:
    """Through the packets of FFmpeg.

    Args:
        name: of the codec there.
        form: of the samples that it takes, "s16" or "fltp".
        bits: per second.
        delay: samples by which the decoded sound is late.
        samples: shape (n,).
        rate: in Hz.
    """
    import av

    sink = cast("AudioCodecContext", av.CodecContext.create(name, "w"))
    sink.sample_rate, sink.layout, sink.format, sink.bit_rate = rate, "mono", form, bits
    sink.open()
    step = sink.frame_size
    padded = np.pad(samples, (0, -len(samples) % step + delay + step))[None]
    packets: list[Packet[AudioStream]] = []
    for start in range(0, padded.shape[1], step):
        piece = np.ascontiguousarray(padded[:, start : start + step])
        values = np.rint(piece * 32_767).astype(np.int16) if form == "s16" else piece
        frame = av.AudioFrame.from_ndarray(values, format=form, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        packets += sink.encode(frame)
    source = cast("AudioCodecContext", av.CodecContext.create(name, "r"))
    source.sample_rate, source.layout, source.extradata = rate, "mono", sink.extradata
    decoded = [
        frame.to_ndarray()[0] for packet in (*packets, *sink.encode(None), None) for frame in source.decode(packet)
    ]
    return np.concatenate(decoded)[delay:].astype(np.float32)


_WIDE = (8_000, 12_000, 16_000, 24_000, 48_000)
_TELEPHONE = (8_000,)

CODECS: Mapping[str, Codec] = {
    "mp3": Codec(partial(_sndfile, "MP3", "MPEG_LAYER_III", COMPRESSION), _WIDE),
    "opus": Codec(partial(_sndfile, "OGG", "OPUS", COMPRESSION), _WIDE),
    "gsm": Codec(partial(_sndfile, "WAV", "GSM610", None), _TELEPHONE),
    "ulaw": Codec(partial(_sndfile, "WAV", "ULAW", None), _TELEPHONE),
    "g726": Codec(partial(_sndfile, "AU", "G721_32", None), _TELEPHONE),
    "amr": Codec(partial(_ffmpeg, "amr_nb", "s16", 12_200, 40), _TELEPHONE, media=True),
    "aac": Codec(partial(_ffmpeg, "aac", "fltp", 32_000, 1_024), _WIDE, media=True),
}
