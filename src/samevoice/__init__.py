"""Do these audios come from the same person?

    import samevoice as sv

    decision = sv.verify("a.wav", "b.wav")
    print(decision.verdict, decision.probability)

| name | what |
|---|---|
| `verify` | two recordings -> `Decision` |
| `judge` | two embeddings -> `Decision` |
| `compare` | many recordings -> matrix of cosines |
| `Gallery` | people enrolled: `enrol`, `identify`, `verify`, `delete` |
| `load_model` | a name or file -> `Model`, with `embed` and `embed_many` |
| `open_recording`, `listen` | what is in a file; where somebody speaks, and the audio doctor's report |
| `Waveform`, `Segment`, `Timeline`, `Embedding`, `Decision`, `ModelCard` | the values |
| `diarize` | who speaks when -> `Diarized`: turns, speakers, how many there may be |
| `Draft` | a diarization put right by a person: merge, split, assign, undo |
| `Evidence`, `finish` | what was heard of a recording, to be kept; the diarization that follows from it |
| `timeline` | slices of a recording with speech, level and embedding -> `SliceTable` |
| `SamevoiceError` and its children | everything that can go wrong |

These names and those of `PUBLIC_MODULES` are the public surface; all others may change without notice.

Names are resolved on first use: importing the package costs a few milliseconds and opens nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samevoice.audio.decode import Recording, open_recording
    from samevoice.audio.quality import AudioReport
    from samevoice.audio.waveform import Waveform
    from samevoice.diarization.clustering import Telling
    from samevoice.diarization.diarizer import Diarized, diarize, finish, load_diarizer
    from samevoice.diarization.editing import Draft
    from samevoice.diarization.evidence import Evidence
    from samevoice.diarization.turns import Diarization, Turn
    from samevoice.embedder import Model
    from samevoice.errors import (
        AudioError,
        ConfigError,
        DataError,
        EnrolmentRefused,
        FingerprintMismatch,
        GalleryError,
        ModelError,
        NotEnoughSpeech,
        SamevoiceError,
        UnknownPerson,
    )
    from samevoice.gallery.gallery import Gallery
    from samevoice.gallery.identification import Identification
    from samevoice.loading import load_detector, load_model
    from samevoice.models.card import ModelCard
    from samevoice.models.embedding import Embedding
    from samevoice.scoring.decision import Decision
    from samevoice.speech.listening import Heard, listen
    from samevoice.speech.timeline import Segment, Timeline
    from samevoice.timelines.grid import Grid
    from samevoice.timelines.slicing import timeline
    from samevoice.timelines.table import Slice, SliceTable
    from samevoice.timelines.voices import Voices
    from samevoice.verification import compare, judge, verify

__version__ = "0.1.0"

_HOMES = {
    "AudioError": "errors",
    "AudioReport": "audio.quality",
    "ConfigError": "errors",
    "DataError": "errors",
    "Decision": "scoring.decision",
    "Diarization": "diarization.turns",
    "Diarized": "diarization.diarizer",
    "Draft": "diarization.editing",
    "Embedding": "models.embedding",
    "EnrolmentRefused": "errors",
    "Evidence": "diarization.evidence",
    "FingerprintMismatch": "errors",
    "Gallery": "gallery.gallery",
    "GalleryError": "errors",
    "Grid": "timelines.grid",
    "Heard": "speech.listening",
    "Identification": "gallery.identification",
    "Model": "embedder",
    "ModelCard": "models.card",
    "ModelError": "errors",
    "NotEnoughSpeech": "errors",
    "Recording": "audio.decode",
    "SamevoiceError": "errors",
    "Segment": "speech.timeline",
    "Slice": "timelines.table",
    "SliceTable": "timelines.table",
    "Telling": "diarization.clustering",
    "Timeline": "speech.timeline",
    "Turn": "diarization.turns",
    "UnknownPerson": "errors",
    "Voices": "timelines.voices",
    "Waveform": "audio.waveform",
    "compare": "verification",
    "diarize": "diarization.diarizer",
    "finish": "diarization.diarizer",
    "judge": "verification",
    "listen": "speech.listening",
    "load_detector": "loading",
    "load_diarizer": "diarization.diarizer",
    "load_model": "loading",
    "open_recording": "audio.decode",
    "timeline": "timelines.slicing",
    "verify": "verification",
}

__all__ = [
    "AudioError",
    "AudioReport",
    "ConfigError",
    "DataError",
    "Decision",
    "Diarization",
    "Diarized",
    "Draft",
    "Embedding",
    "EnrolmentRefused",
    "Evidence",
    "FingerprintMismatch",
    "Gallery",
    "GalleryError",
    "Grid",
    "Heard",
    "Identification",
    "Model",
    "ModelCard",
    "ModelError",
    "NotEnoughSpeech",
    "Recording",
    "SamevoiceError",
    "Segment",
    "Slice",
    "SliceTable",
    "Telling",
    "Timeline",
    "Turn",
    "UnknownPerson",
    "Voices",
    "Waveform",
    "compare",
    "diarize",
    "finish",
    "judge",
    "listen",
    "load_detector",
    "load_diarizer",
    "load_model",
    "open_recording",
    "timeline",
    "verify",
]

PUBLIC_MODULES = (
    "client",
    "corpora.manifest",
    "corpora.scanning",
    "diarization.formats",
    "diarization.scoring",
    "evaluation.bootstrap",
    "evaluation.identification",
    "evaluation.metrics",
    "evaluation.thresholds",
    "evaluation.triallist",
    "evaluation.trials",
    "export",
    "features.frontend",
    "features.kinds",
    "gallery.hearing",
    "gallery.history",
    "gallery.people",
    "lab",
    "live.events",
    "live.feed",
    "live.session",
    "losses",
    "networks",
    "scoring.asnorm",
    "scoring.fusion",
    "scoring.plda",
    "scoring.quality",
    "training.buffer",
    "training.index",
    "training.mining",
    "training.pairs",
    "training.pk",
    "training.triplets",
)
"""Modules below this one that are to be imported by name; what each of them promises stands in its `__all__`."""


def __getattr__(name: str) -> object:
    """Find a public name in the module that defines it, and remember it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'samevoice' has no attribute {name!r}")
    value = getattr(import_module(f"samevoice.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted([*__all__, "__version__"])
