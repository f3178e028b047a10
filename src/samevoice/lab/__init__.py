"""Labelled conversations made from recordings of single speakers: for tests, and to measure what is hard.

    speakers' recordings -> speech found once -> phrases -> turns (who, when) -> sound in a room + labels

The label of a phrase is the place where its sound was put, to the sample; so labels are as exact as the borders of
speech in the recordings, which `voices` finds to 10 ms.
"""

from __future__ import annotations

from samevoice.lab.conversation import Conversation, Studio, simulate
from samevoice.lab.scene import Scene
from samevoice.lab.takes import Take, takes_of

__all__ = ["Conversation", "Scene", "Studio", "Take", "simulate", "takes_of"]
