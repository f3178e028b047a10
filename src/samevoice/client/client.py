"""`Client`: a method for every operation of the service.

Knows: paths, fields. Does not know: how requests travel (`transport`), what jobs and streams do after they began.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from typing import Self

import httpx

from samevoice.client.answers import Decision, Health, Identification, Me, Model, Readiness, System, Thresholds
from samevoice.client.jobs import Job
from samevoice.client.people import People
from samevoice.client.spoken import JobStatus, Timeline
from samevoice.client.stream import Heard, listen
from samevoice.client.transport import Source, Transport

HOME = "http://localhost:8750"


class Client(People):
    """A service, from any number of threads; use it as a context manager.

    Args:
        url: where `samevoice serve` is.
        key: as `samevoice keys add` printed it; None for a service without keys.
        timeout: seconds that an answer may take.
        tries: how often at most something is asked; only what is safe is asked again.
        context: how certificates are checked; give one that trusts your own authority.
        wire: what carries requests; by default the network.

    Raises:
        ConfigError: the address is none, or the key cannot be one.
    """

    def __init__(
        self,
        url: str = HOME,
        *,
        key: str | None = None,
        timeout: float = 60.0,
        tries: int = 3,
        context: ssl.SSLContext | None = None,
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        """Open nothing yet."""
        super().__init__(Transport(url, key=key, timeout=timeout, tries=tries, context=context, wire=wire))

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *reason: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._at.close()

    def me(self) -> Me:
        """Who the service takes the caller for, and its limits."""
        return self._at.ask(Me, "GET", "v1", "me")

    def verify(
        self, first: Source, second: Source, *, far: float | None = None, prior: float | None = None
    ) -> Decision:
        """Do two recordings come from the same person?

        Args:
            first: path or bytes of a recording.
            second: the other one.
            far: tolerated false-accept rate; the service's by default.
            prior: probability of one speaker before listening.

        Raises:
            AudioError: a recording cannot be read.
            ConfigError: an option cannot be honoured.
            ServiceError: the service refused or failed; `ServiceUnreachable` if it gave no answer.
        """
        form = {"far": far, "prior": prior}
        return self._at.ask(Decision, "POST", "v1", "verify", form=form, sounds={"first": first, "second": second})

    def models(self) -> tuple[Model, ...]:
        """The models that the service knows."""
        return self._at.ask(tuple[Model, ...], "GET", "v1", "models")

    def identify(
        self,
        audio: Source,
        *,
        top: int | None = None,
        fpir: float | None = None,
        prior: float | None = None,
        sequential: bool | None = None,
    ) -> Identification:
        """Who of the people enrolled speaks?

        Args:
            audio: path or bytes of a recording.
            top: how many candidates are named.
            fpir: tolerated share of strangers taken for anybody.
            prior: probability of being enrolled before listening.
            sequential: decide as soon as enough was heard.
        """
        form = {"top": top, "fpir": fpir, "prior": prior, "sequential": sequential}
        return self._at.ask(Identification, "POST", "v1", "identify", form=form, sounds={"audio": audio})

    def thresholds(self, seconds: float = 3.0) -> Thresholds:
        """What errors the calibration predicts at which thresholds, for recordings of some seconds of speech.

        Args:
            seconds: of speech on the shorter side.
        """
        return self._at.ask(Thresholds, "GET", "v1", "thresholds", query={"seconds": seconds})

    def timeline(
        self,
        audio: Source,
        reference: Source | None = None,
        *,
        names: bool | None = None,
        length: float | None = None,
        step: float | None = None,
    ) -> Timeline:
        """A recording slice by slice.

        Args:
            audio: path or bytes of a recording.
            reference: of somebody to compare each slice with.
            names: compare with the people enrolled.
            length: of a slice, in seconds.
            step: from slice to slice, in seconds.
        """
        form = {"names": names, "length": length, "step": step}
        sounds = {"audio": audio, "reference": reference}
        return self._at.ask(Timeline, "POST", "v1", "timeline", form=form, sounds=sounds)

    def diarize(
        self,
        audio: Source,
        *,
        speakers: int | None = None,
        least: int | None = None,
        most: int | None = None,
        names: bool | None = None,
    ) -> Job:
        """Who speaks when? The answer is a job that goes on in the service; `Job.wait` waits for it.

        Args:
            audio: path or bytes of a recording.
            speakers: how many there are, if that is known.
            least: at least so many.
            most: at most so many.
            names: look for the people enrolled.
        """
        form = {"speakers": speakers, "least": least, "most": most, "names": names}
        return Job(self._at, self._at.ask(JobStatus, "POST", "v1", "diarize", form=form, sounds={"audio": audio}))

    def jobs(self) -> tuple[Job, ...]:
        """The caller's jobs."""
        return tuple(Job(self._at, one) for one in self._at.ask(tuple[JobStatus, ...], "GET", "v1", "diarize"))

    def job(self, number: str) -> Job:
        """A job by its id.

        Args:
            number: its id, as the service gave it.
        """
        return Job(self._at, self._at.ask(JobStatus, "GET", "v1", "diarize", number))

    def stream(
        self, chunks: Iterable[bytes], *, rate: int = 16_000, names: bool = True, coach: bool = False
    ) -> Iterator[Heard]:
        """Who speaks now? Events as they come; closing the iterator ends the stream.

        Args:
            chunks: samples as they are recorded: mono, 16 bits, little-endian; taken by a thread of their own.
            rate: of the samples, in Hz.
            names: look for the people enrolled.
            coach: tell levels only, a few times a second, and nobody's identity.
        """
        return listen(self._at, chunks, rate=rate, names=names, coach=coach)

    def health(self) -> Health:
        """Whether the service lives."""
        return self._at.ask(Health, "GET", "healthz")

    def ready(self) -> Readiness:
        """What the service answers with; a ServiceError while it cannot."""
        return self._at.ask(Readiness, "GET", "readyz")

    def metrics(self) -> str:
        """Counters for Prometheus, as text."""
        return self._at.ask(str, "GET", "metrics")

    def system(self) -> System:
        """How the service is."""
        return self._at.ask(System, "GET", "v1", "system")
