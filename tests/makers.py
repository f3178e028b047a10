"""Files of every format, made in memory; nothing here is judged, so the decoder under test is never used."""

from __future__ import annotations

import io
from typing import Any, cast

import av
import numpy as np
import soundfile
from av.audio.stream import AudioStream
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SNDFILE: dict[str, tuple[str, str]] = {
    "wav-16": ("WAV", "PCM_16"),
    "wav-24": ("WAV", "PCM_24"),
    "wav-32": ("WAV", "PCM_32"),
    "wav-float": ("WAV", "FLOAT"),
    "wav-u8": ("WAV", "PCM_U8"),
    "flac": ("FLAC", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg-vorbis": ("OGG", "VORBIS"),
    "ogg-opus": ("OGG", "OPUS"),
}
CONTAINERS: dict[str, tuple[str, str, bool]] = {  # format, codec, with a picture track
    "m4a": ("mp4", "aac", False),
    "aac": ("adts", "aac", False),
    "webm": ("webm", "libopus", False),
    "avi-video": ("avi", "pcm_s16le", True),
    "mkv-video": ("matroska", "libopus", True),
}
FORMATS = (*SNDFILE, *CONTAINERS)


def encode(kind: str, samples: Samples, rate: int) -> bytes:
    """A file of one of `FORMATS`; samples of shape (n,) or (n, channels)."""
    if kind in SNDFILE:
        return write(samples, rate, *SNDFILE[kind])
    return mux(samples, rate, *CONTAINERS[kind])


def write(samples: NDArray[Any], rate: int, container: str = "WAV", subtype: str = "PCM_16") -> bytes:
    """A file by libsndfile."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def mux(samples: Samples, rate: int, container: str, codec: str, picture: bool, **options: str) -> bytes:
    """A file by FFmpeg; Opus is written at 48 kHz."""
    columns = samples.reshape(len(samples), -1)
    layout = "mono" if columns.shape[1] == 1 else "stereo"
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(columns.T), format="fltp", layout=layout)
    frame.sample_rate = rate
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=options) as output:
        if picture:
            film = output.add_stream("mpeg4", rate=10, options={})
            film.width = film.height = 64
            film.pix_fmt = "yuv420p"
        rate_in = 48_000 if codec == "libopus" else rate
        sound = cast("AudioStream", output.add_stream(codec, rate=rate_in, layout=layout))
        context = sound.codec_context
        context.open(strict=False)
        if picture:
            for shade in range(len(samples) * 10 // rate):
                image = av.VideoFrame.from_ndarray(np.full((64, 64, 3), shade % 256, np.uint8), format="rgb24")
                output.mux(film.encode(image))
            output.mux(film.encode(None))
        resampler = av.AudioResampler(context.format, layout, context.sample_rate, context.frame_size or 1024)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(sound.encode(part))
        output.mux(sound.encode(None))
    return file.getvalue()
