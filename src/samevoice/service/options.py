"""What a service may be told: one set of options, from a file and from flags.

Knows: names, defaults and ranges of all options. Does not know: what is made of them.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from samevoice.errors import ConfigError
from samevoice.files import expanded
from samevoice.options import checked_flag, checked_number, checked_size
from samevoice.runtime import MAX_THREADS, default_threads

MIB = 1 << 20
GIB = 1 << 30
LOCALHOST = "localhost"
MOST_RATE = 0.5  # tolerated errors; with more a coin would do


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a service.

    Args:
        host: address to listen at; "0.0.0.0" for all of this machine's.
        port: TCP port, 0 for any free one.
        gallery: path or URL of the gallery; None for the usual one.
        model: a model of the zoo or the path of one; None for the gallery's.
        workers: how many recordings are worked on at once; None for all cores, at most 4.
        threads: for inference, of each worker.
        waiting: requests that may wait for a worker; further ones are refused as busy.
        clip_bytes: longest upload of a clip.
        clip_seconds: longest clip.
        meeting_bytes: longest upload of a meeting.
        meeting_seconds: longest meeting.
        decode_seconds: time limit of decoding a clip.
        body_seconds: of silence while a body is awaited.
        far: tolerated false-accept rate, as a fraction; None for the usual one.
        fpir: share of strangers tolerated to pass for somebody enrolled.
        per_minute: requests of one caller.
        logins_per_minute: attempts to log in, per person and caller.
        stream_seconds: longest live stream.
        streams: live streams at once.
        keys: path of the file of API keys; None for the usual one.
        open: serve other machines without keys.
        origins: origins of other pages that may use the service (CORS).
        hosts: names that the service answers to, besides its address.
        tls_cert: path of a certificate (PEM).
        tls_key: path of its key (PEM).
        self_signed: make a certificate.
        data: folder of jobs and of what is being uploaded; None for the usual one.
        keep_hours: after which a job is removed.
        audit_log: path of a file that gets a line for each request.
        metrics_open: show /metrics to everybody.

    Raises:
        ConfigError: a value is out of range, or two contradict each other.
    """

    host: str = "127.0.0.1"
    port: int = 8750
    gallery: str | None = None
    model: str | None = None
    workers: int | None = None
    threads: int = 1
    waiting: int = 64
    clip_bytes: int = 32 * MIB
    clip_seconds: float = 300.0
    meeting_bytes: int = 2 * GIB
    meeting_seconds: float = 8 * 3600.0
    decode_seconds: float = 20.0
    body_seconds: float = 60.0
    far: float | None = None
    fpir: float = 0.01
    per_minute: int = 600
    logins_per_minute: int = 10
    stream_seconds: float = 3600.0
    streams: int = 8
    keys: str | None = None
    open: bool = False
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    tls_cert: str | None = None
    tls_key: str | None = None
    self_signed: bool = False
    data: str | None = None
    keep_hours: float = 24.0
    audit_log: str | None = None
    metrics_open: bool = False

    def __post_init__(self) -> None:
        """Check every value."""
        checked_size("port", self.port, 0, 65_535)
        checked_size("threads", self.threads, 1, MAX_THREADS)
        if self.workers is not None:
            checked_size("workers", self.workers, 1, MAX_THREADS)
        for name in ("waiting", "clip_bytes", "meeting_bytes", "per_minute", "logins_per_minute", "streams"):
            checked_size(name, getattr(self, name))
        for name in ("clip_seconds", "meeting_seconds", "decode_seconds", "body_seconds", "stream_seconds"):
            checked_number(name, getattr(self, name), above=0)
        checked_number("keep_hours", self.keep_hours, above=0)
        for name in ("far", "fpir"):
            if getattr(self, name) is not None:
                checked_number(name, getattr(self, name), above=0, high=MOST_RATE)
        for name in ("open", "self_signed", "metrics_open"):
            checked_flag(name, getattr(self, name))
        for name in ("host", "gallery", "model", "keys", "tls_cert", "tls_key", "data", "audit_log"):
            value = getattr(self, name)
            if not isinstance(value, str) and (value is not None or name == "host"):
                raise ConfigError(f"{name} must be a text, got {value!r}")
            if value is not None and "\0" in value:
                raise ConfigError(f"{name} holds a NUL, which no path and no address does, in {value!r}; remove it")
        for name in ("origins", "hosts"):
            values = getattr(self, name)
            if not isinstance(values, list | tuple) or not all(isinstance(one, str) for one in values):
                raise ConfigError(f"{name} must be a list of texts, got {values!r}")
            object.__setattr__(self, name, tuple(values))
        if (self.tls_cert is None) is not (self.tls_key is None):
            raise ConfigError("a certificate needs its key, and a key its certificate; give tls_cert and tls_key")
        if self.self_signed and self.tls_cert is not None:
            raise ConfigError("self_signed makes a certificate; give that or tls_cert, not both")

    @classmethod
    def read(cls, path: Path | None, flags: Mapping[str, Any]) -> Options:
        """Options of a TOML file, with flags in their place where they are given.

        Args:
            path: of the file; None for none.
            flags: option -> value; None means that it was not given.

        Raises:
            ConfigError: the file cannot be read, or holds what is no option.
        """
        found: dict[str, Any] = {}
        if path is not None:
            try:
                found = tomllib.loads(path.read_text(encoding="utf-8"))
            except OSError as error:
                raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path") from error
            except ValueError as error:  # of TOML or UTF-8
                raise ConfigError(f"{path}: is no TOML ({error}); mend that line") from error
        known = [field.name for field in fields(cls)]
        for name in found:
            if name not in known:
                raise ConfigError(f"{path}: {name!r} is no option; use some of {', '.join(known)}")
        return cls(**found | {name: value for name, value in flags.items() if value is not None})

    @property
    def folder(self) -> Path:
        """Where jobs, uploads, keys and certificates lie."""
        if self.data is not None:
            return expanded(self.data)
        return user_data_path("samevoice", appauthor=False) / "service"

    @property
    def key_file(self) -> Path:
        """Where the API keys are."""
        return expanded(self.keys) if self.keys is not None else self.folder / "keys.json"

    @property
    def log_file(self) -> Path | None:
        """Where the audit log is; None for none."""
        return None if self.audit_log is None else expanded(self.audit_log)

    @property
    def worker_count(self) -> int:
        """How many recordings are worked on at once."""
        return default_threads() if self.workers is None else self.workers

    @property
    def is_tls(self) -> bool:
        """Whether the service speaks HTTPS."""
        return self.self_signed or self.tls_cert is not None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a name or an address means the machine itself."""
    if host.rstrip(".").lower() == LOCALHOST:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
