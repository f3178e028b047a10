"""Who is heard when, slice by slice.

Knows: the form, the shape of the answer. Does not know: how slices are made.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from samevoice.errors import ConfigError
from samevoice.service.access import User
from samevoice.service.problems import PROBLEMS
from samevoice.service.seats import seats_of
from samevoice.service.state import Service, Serving
from samevoice.service.uploads import Clip, received
from samevoice.timelines.grid import Grid
from samevoice.timelines.slicing import timeline as sliced
from samevoice.timelines.table import Slice
from samevoice.timelines.voices import Voices

EXAMPLE: dict[str, Any] = {
    "recording": "call.wav",
    "model": "campplus-0f3a1c2b4d",
    "extent": 1.5,
    "grid": {"length": 1.5, "step": 0.75},
    "slices": [
        {
            "start": 0.0,
            "end": 1.5,
            "probability": 0.98,
            "share": 1.0,
            "level_dbfs": -23.4,
            "nearest": "Ann",
            "cosine": 0.71,
            "llr": 3.2,
        }
    ],
    "warnings": [],
}

LEAST_STEP = 0.25  # seconds: with smaller ones a request of five minutes would have a worker for too long
LATER = 2  # seconds after which to try again

router = APIRouter(tags=["timeline"], responses=PROBLEMS)


class GridBody(BaseModel):
    """Slices of one length, a step apart, in seconds."""

    length: float
    step: float


class SliceBody(BaseModel):
    """A slice; the last three are null where it holds too little speech, or nobody was looked for."""

    start: float
    end: float
    probability: float = Field(description="Of speech, in the mean.")
    share: float = Field(description="Of the slice that is speech.")
    level_dbfs: float
    nearest: str | None = Field(description="The known voice that is most alike.")
    cosine: float | None
    llr: float | None = Field(
        description="Evidence that it is that one, a natural logarithm; null without calibration."
    )


class TimelineBody(BaseModel):
    """A recording on a grid in true time."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    recording: str
    model: str
    extent: float
    grid: GridBody
    slices: list[SliceBody]
    warnings: list[str]


@router.post("/timeline", summary="Speech, level and voice slice by slice", operation_id="timeline")
async def timeline(
    request: Request,
    service: Serving,
    caller: User,
    audio: Annotated[UploadFile, File(description="A recording.")],
    reference: Annotated[UploadFile | None, File(description="One person's voice to look for.")] = None,
    names: Annotated[bool, Form(description="Look for the people of the gallery.")] = False,
    length: Annotated[FiniteFloat | None, Form(description="Seconds of a slice; 1.5 by default.")] = None,
    step: Annotated[
        FiniteFloat | None, Form(description="Seconds between two, at least 0.25; half the length by default.")
    ] = None,
) -> TimelineBody:
    """What is heard when, on a fixed grid; with a reference or names also the known voice that is most alike.

    A key has one of these at a time; a second one meanwhile is told to wait (429, code "busy").
    """
    if reference is not None and names:
        raise ConfigError("reference and names exclude each other; choose one")
    length = Grid().length if length is None else length
    grid = Grid(length, length / 2 if step is None else step)
    if grid.step < LEAST_STEP:
        raise ConfigError(f"slices every {grid.step:g} s are too many here; give a step of at least {LEAST_STEP:g} s")
    async with AsyncExitStack() as stack:
        seats = seats_of(request, "timelines", each=1, most=None, later=LATER)  # so that nobody has all workers
        stack.callback(seats.take(caller))
        clip = await stack.enter_async_context(received(audio, service))
        voice = await stack.enter_async_context(received(reference, service)) if reference is not None else None
        return await service.pool.run(lambda: _answer(service, clip, voice, grid, names=names))


def _answer(service: Service, clip: Clip, voice: Clip | None, grid: Grid, *, names: bool) -> TimelineBody:
    """The work of a request."""
    model = service.gallery.model
    looked_for: Voices | None = None
    if names:
        looked_for = Voices.enrolled(service.gallery)
    elif voice is not None:
        looked_for = Voices.of(voice.name, model.embed(voice.sound, name=voice.name))
    table = sliced(clip.sound, model=model, grid=grid, reference=looked_for, name=clip.name)
    return TimelineBody(
        recording=table.recording,
        model=table.model,
        extent=table.extent,
        grid=GridBody(length=grid.length, step=grid.step),
        slices=[_slice(one) for one in table],
        warnings=list(table.warnings),
    )


def _slice(one: Slice) -> SliceBody:
    """A slice without its embedding, which is a voice."""
    near = one.likeness
    return SliceBody(
        start=round(one.start, 6),
        end=round(one.end, 6),
        probability=round(one.probability, 4),
        share=round(one.share, 4),
        level_dbfs=round(one.level_dbfs, 2),
        nearest=near.name if near else None,
        cosine=round(near.cosine, 5) if near else None,
        llr=round(near.llr, 4) if near and near.llr is not None else None,
    )
