"""Who spoke when: jobs, their results, edits of these, files to take away, sound to play.

Knows: paths, forms, types of files. Does not know: how jobs are done, what edits do.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Body, File, Form, Path, Query, Response, UploadFile
from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from samevoice.diarization import formats
from samevoice.diarization.editing import Draft
from samevoice.errors import DataError
from samevoice.service.access import Caller, User
from samevoice.service.edits import MOST_SPEAKERS, Edit, shown
from samevoice.service.jobbodies import JobBody, PeaksBody, ResultBody
from samevoice.service.jobs import Wanted
from samevoice.service.peaks import MEDIA_TYPE, outlined
from samevoice.service.problems import PROBLEMS, Refusal
from samevoice.service.state import Service, Serving
from samevoice.service.uploads import received

TYPES = {
    "rttm": "text/plain",
    "json": "application/json",
    "csv": "text/csv",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "textgrid": "text/plain",
    "audacity": "text/plain",
    "elan": "application/xml",
}
POINTS, MOST_POINTS = 2_000, 20_000  # of an outline

router = APIRouter(tags=["diarize"], responses=PROBLEMS)

JobId = Annotated[
    str,
    Path(pattern="^[0-9a-f]{32}$", description="Id of a job.", examples=["7f0c1be1a8d94a5f8d3f6f0f3a1c2b4d"]),
]
Count = Annotated[int | None, Form(ge=1, le=MOST_SPEAKERS)]


@router.post("/diarize", status_code=202, summary="Find out who speaks when", operation_id="diarize")
async def diarize(
    service: Serving,
    caller: User,
    audio: Annotated[UploadFile, File(description="A recording of a meeting or a conversation.")],
    speakers: Annotated[Count, Form(description="How many speak, if you know it.")] = None,
    least: Annotated[int, Form(ge=1, le=MOST_SPEAKERS, description="At least so many speak.")] = 1,
    most: Annotated[Count, Form(description="At most so many speak.")] = None,
    names: Annotated[bool, Form(description="Name the speakers whom the gallery knows.")] = False,
) -> JobBody:
    """Accept a recording; it is heard beside other requests, even after a restart. Ask for the job to see how far."""
    wanted = Wanted(speakers, least, most, names)
    async with received(audio, service, meeting=True) as clip:
        return JobBody.of(await service.pool.run(partial(service.jobs.add, clip.path, clip.name, wanted, caller)))


@router.get("/diarize", summary="Your jobs", operation_id="jobs")
def jobs(service: Serving, caller: User) -> list[JobBody]:
    """The jobs of the caller, the oldest first; an admin sees all."""
    return [JobBody.of(job) for job in service.jobs.of(caller)]


@router.get("/diarize/{job}", summary="How far a job is", operation_id="job")
def job_status(job: JobId, service: Serving, caller: User) -> JobBody:
    """State, progress, and the time that is left."""
    return JobBody.of(service.jobs.find(job, caller))


@router.delete("/diarize/{job}", status_code=204, summary="Stop and remove a job", operation_id="delete_job")
def delete_job(job: JobId, service: Serving, caller: User) -> None:
    """Stop it if it runs, and remove every byte of it: sound, voices, edits."""
    service.jobs.remove(job, caller)


@router.get("/diarize/{job}/result", summary="Who speaks when", operation_id="result")
async def result(job: JobId, service: Serving, caller: User) -> ResultBody:
    """The turns of a job that is done, as edited so far."""
    return await service.pool.run(lambda: _result(service.jobs.draft(job, caller)))


@router.post("/diarize/{job}/edits", summary="Put right who speaks when", operation_id="edit")
async def edit(
    job: JobId,
    service: Serving,
    caller: User,
    change: Annotated[Edit, Body(examples=[{"edit": "rename", "speaker": "speaker-1", "name": "Ann"}])],
) -> ResultBody:
    """Make one edit; what was said before still holds, and undo takes edits back. It is kept before it is answered."""
    return await service.pool.run(lambda: _result(service.jobs.edit(job, caller, change)))


@router.get(
    "/diarize/{job}/export/{format}",
    summary="The result as a file",
    operation_id="export",
    response_class=Response,
    responses={200: {"content": {kind: {"schema": {"type": "string"}} for kind in sorted(set(TYPES.values()))}}},
)
async def export(
    job: JobId,
    form: Annotated[
        str,
        Path(alias="format", description="Of the file.", examples=["rttm"], json_schema_extra={"enum": list(TYPES)}),
    ],
    service: Serving,
    caller: User,
) -> Response:
    """Who speaks when, as edited so far, as RTTM, JSON, CSV, SRT, WebVTT, TextGrid, Audacity labels or ELAN."""

    def written() -> tuple[str, str]:
        found = service.jobs.draft(job, caller).diarized.diarization
        return formats.write(found, form), found.recording

    text, recording = await service.pool.run(written)
    headers = {"Content-Disposition": _download(f"{recording or 'recording'}{formats.FORMATS[form].suffix}")}
    return Response(text.encode(), headers=headers, media_type=f"{TYPES[form]}; charset=utf-8")


@router.get(
    "/diarize/{job}/audio",
    summary="The sound of a job",
    operation_id="sound",
    response_class=FileResponse,
    responses={
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}},
        206: {"description": "The part that was asked for.", "content": {MEDIA_TYPE: {}}},
        416: {"description": "There is no such part."},
    },
)
def sound(job: JobId, service: Serving, caller: User) -> FileResponse:
    """FLAC at 16 kHz in one channel, made by the service; parts of it with Range."""
    path = service.jobs.folder(job, caller).sound
    try:
        return Sound(path, media_type=MEDIA_TYPE, stat_result=path.stat())
    except OSError as error:
        raise _lost(service, job, caller) from error


@router.get("/diarize/{job}/peaks", summary="The outline of a job's sound", operation_id="peaks")
def peaks(
    job: JobId,
    service: Serving,
    caller: User,
    points: Annotated[int, Query(ge=1, le=MOST_POINTS, description="At most so many parts.")] = POINTS,
) -> PeaksBody:
    """The highest level in each of so many equal parts; fewer where they would be shorter than 10 ms."""
    folder = service.jobs.folder(job, caller)
    try:
        found = outlined(folder.peaks, points)
    except DataError as error:
        if folder.peaks.exists():
            raise
        raise _lost(service, job, caller) from error
    return PeaksBody(seconds=service.jobs.find(job, caller).record.seconds or 0.0, peaks=found)


class Sound(FileResponse):
    """A file that may be deleted at any moment; nothing is sent before it is open, and then it is sent whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it.

        Raises:
            Refusal: it is gone.
        """
        begin: Message | None = None
        began = False

        async def after_opening(message: Message) -> None:
            nonlocal begin, began
            if message["type"] == "http.response.start":
                begin = message
                return
            if begin is not None and not began:
                began = True
                await send(begin)
            await send(message)

        try:
            await super().__call__(scope, receive, after_opening)
        except FileNotFoundError as error:
            if began:
                raise
            raise _gone() from error


def _lost(service: Service, job: str, caller: Caller) -> Refusal:
    """What to tell where a file of a job is missing.

    Raises:
        Refusal: the job itself was deleted meanwhile.
    """
    service.jobs.find(job, caller)
    return _gone()


def _gone() -> Refusal:
    return Refusal(
        404, "gone", "this is not there any more; if the job still is, delete it and give the recording again"
    )


def _result(draft: Draft) -> ResultBody:
    """Who speaks when, as JSON."""
    return ResultBody.model_validate(shown(draft))


def _download(name: str) -> str:
    """A header that gives a file its name, in letters that any header may hold (RFC 6266, RFC 8187)."""
    plain = "".join(one if one.isascii() and (one.isalnum() or one in "-_. ") else "_" for one in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
