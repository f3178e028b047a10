"""One request and its answer: uploads from disk, time limits, tries, problems as errors.

Tried again is only what is safe: a GET whose connection broke, and whatever the service itself put off (429, or 503
with Retry-After, which it says before it does anything).

Knows: httpx, multipart forms, Retry-After. Does not know: what is asked and answered.
"""

from __future__ import annotations

import io
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote

import httpx

from samevoice.client.errors import ServiceError, ServiceUnreachable, from_problem
from samevoice.client.reading import read
from samevoice.errors import AudioError, ConfigError, SamevoiceError
from samevoice.files import write_atomically

Source = str | Path | bytes
"""A recording: the path of its file, or the file's bytes."""
Kind = TypeVar("Kind")

CONNECT_SECONDS = 5.0
FIRST_PAUSE = 0.2  # seconds before the second try; then twice as long each time
LONGEST_PAUSE = 30.0  # a service that asks for more patience is believed, and told as an error
LONGEST_PROBLEM = 1 << 20
UNSAFE = {ord(sign): f"%{ord(sign):02X}" for sign in "."}  # so that "." and ".." stay names


class Transport:
    """A service at an address.

    Attributes:
        url: where it is.
        key: what it knows the caller by, or None.
        context: how certificates are checked; None for the usual way.

    Args:
        url: where it is, with a path if a proxy serves it under one.
        key: as `samevoice keys add` printed it; None for a service without keys.
        timeout: seconds that an answer may take.
        tries: how often at most something is asked.
        context: how certificates are checked; None for the usual way.
        wire: what carries requests; by default the network.

    Raises:
        ConfigError: the address is none, or the key cannot be one.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None,
        timeout: float,
        tries: int,
        context: ssl.SSLContext | None,
        wire: httpx.BaseTransport | None,
    ) -> None:
        """Open nothing yet."""
        try:
            self.url = httpx.URL(url.rstrip("/"))
        except httpx.InvalidURL:
            self.url = httpx.URL()
        if self.url.scheme not in {"http", "https"} or not self.url.host:
            raise ConfigError(f"{url!r} is no address of a service; write http://host:8750 or https://host")
        if key is not None and not (key.isascii() and key.isprintable() and key.strip() == key != ""):
            raise ConfigError("the key has signs that no key has; give it as samevoice keys add printed it")
        self.key = key
        self.context = context
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._tries = max(1, tries)
        limits = httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS))
        self._client = httpx.Client(headers=headers, timeout=limits, verify=context or True, transport=wire)

    def __repr__(self) -> str:
        """The address, never the key."""
        return f"{type(self).__name__}({str(self.url)!r})"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(
        self,
        kind: type[Kind],
        method: str,
        *path: str,
        query: Mapping[str, object] | None = None,
        form: Mapping[str, object] | None = None,
        sounds: Mapping[str, Source | None] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Kind:
        """Ask, and read the answer as a value; NoneType for an empty one, str for text.

        Args:
            kind: what the answer is.
            method: of HTTP.
            path: its parts; signs that mean something in an address are escaped.
            query: parameters; those that are None are left out.
            form: fields of a form; those that are None are left out.
            sounds: recordings of a form.
            body: a JSON body.

        Raises:
            SamevoiceError: see `samevoice.client.errors`.
        """
        with self._answer(method, path, query, form, sounds, body) as answer:
            content = self._content(answer)
        if kind is str:
            return content.decode("utf-8", "replace")  # type: ignore[return-value]
        if not content and kind is type(None):
            return None
        return read(kind, self._json(content))

    def save(self, target: Path, *path: str) -> None:
        """Write an answer to a file, which appears whole or not at all.

        Raises:
            ConfigError: the file cannot be written.
            SamevoiceError: as `ask`.
        """

        def receive(file: BinaryIO) -> None:
            with self._answer("GET", path) as answer, self._reaching():
                for block in answer.iter_bytes(1 << 20):
                    file.write(block)

        try:
            write_atomically(target, receive)
        except OSError as error:
            raise ConfigError(f"{target}: cannot be written ({error.strerror}); choose another place") from error

    @contextmanager
    def _answer(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, object] | None = None,
        form: Mapping[str, object] | None = None,
        sounds: Mapping[str, Source | None] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Iterator[httpx.Response]:
        """A good answer, its body not yet read; tried as often as that is safe."""
        url = "/".join([str(self.url), *map(_part, path)])
        for tried in range(self._tries):
            with ExitStack() as held:
                files = [(name, _opened(source, held)) for name, source in (sounds or {}).items() if source is not None]
                request = self._client.build_request(
                    method, url, params=_given(query), data=_given(form), files=files or None, json=body
                )
                error: SamevoiceError | None
                try:
                    with self._reaching():
                        answer = self._client.send(request, stream=True)
                    held.callback(answer.close)
                    error = None if answer.is_success else self._problem(answer)
                except ServiceUnreachable as lost:
                    error = lost
                if error is None:
                    yield answer
                    return
            pause = self._pause(error, method, tried)
            if pause is None or tried == self._tries - 1:
                raise error
            time.sleep(pause)

    @staticmethod
    def _pause(error: SamevoiceError, method: str, tried: int) -> float | None:
        """Seconds until another try is safe and useful; None if it is not."""
        if isinstance(error, ServiceUnreachable):
            return FIRST_PAUSE * 2**tried if method == "GET" else None
        if isinstance(error, ServiceError) and error.status in {429, 503} and error.retry_after is not None:
            return error.retry_after if 0 <= error.retry_after <= LONGEST_PAUSE else None
        return None

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Failures of the network, in words."""
        try:
            yield
        except httpx.TimeoutException as error:
            raise ServiceUnreachable(f"{self.url}: gave no answer in time; try again, or allow more time") from error
        except httpx.ConnectError as error:
            advice = "check the address and that it runs"
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                advice = "give an SSL context that trusts its certificate (context=)"
            raise ServiceUnreachable(f"{self.url}: the service cannot be reached ({error}); {advice}") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise ServiceUnreachable(f"{self.url}: the connection broke ({error}); ask again") from error

    def _content(self, answer: httpx.Response) -> bytes:
        """The whole body."""
        with self._reaching():
            return answer.read()

    def _json(self, content: bytes) -> Any:
        """What a body says."""
        try:
            return json.loads(content)
        except ValueError:
            raise ServiceError(f"{self.url}: answered, but not as samevoice does; check the address") from None

    def _problem(self, answer: httpx.Response) -> SamevoiceError:
        """The error that an answer tells."""
        content = b""
        with self._reaching():
            for block in answer.iter_bytes():
                content += block
                if len(content) > LONGEST_PROBLEM:
                    break
        try:
            later = float(answer.headers.get("Retry-After", ""))
        except ValueError:
            later = None
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            status = answer.status_code
            body = {"detail": f"{self.url}: answered {status}, but not as samevoice does; check the address"}
        return from_problem(body, answer.status_code, later)


def _part(text: str) -> str:
    """A part of a path: any text is one part."""
    escaped = quote(text.encode("utf-8", "replace"), safe="")
    return escaped.translate(UNSAFE) if text in {".", ".."} else escaped


def _given(values: Mapping[str, object] | None) -> dict[str, str] | None:
    """The values that are not None, as text."""
    if values is None:
        return None
    texts = {name: value for name, value in values.items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in texts.items()}


def _opened(source: Source, held: ExitStack) -> tuple[str, BinaryIO]:
    """A name for messages, and the open file.

    Raises:
        AudioError: it cannot be read.
    """
    if isinstance(source, bytes):
        return "recording", io.BytesIO(source)
    path = Path(source)
    try:
        file = held.enter_context(path.open("rb"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{path}: cannot be read ({reason}); check the path") from error
    return path.name.encode("utf-8", "replace").decode(), file
