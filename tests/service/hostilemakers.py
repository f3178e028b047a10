"""Requests that nobody sends in good faith, as bytes, and a service in a process of its own to send them to."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import socket
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from makers import CONTAINERS, SNDFILE, encode, write

from samevoice.models.store import default_folder

CLIP_SECONDS = 60
BOUNDARY = "hostile"
PATIENCE = 40.0
# Every route that takes recordings, with the fields of its form; the last one is the recording that is replaced.
ROUTES: dict[str, dict[str, str | None]] = {
    "/v1/verify?first": {"second": None, "first": None},
    "/v1/verify?second": {"first": None, "second": None},
    "/v1/people": {"name": "Eve", "audio": None},
    "/v1/people/check": {"name": "Eve", "audio": None},
    "/v1/identify": {"audio": None},
    "/v1/login/Eve": {"audio": None},
    "/v1/diarize": {"audio": None},
    "/v1/timeline": {"audio": None},
    "/v1/timeline?reference": {"audio": None, "reference": None},
}


@dataclass(frozen=True)
class Served:
    """A service in a process."""

    port: int
    process: subprocess.Popen[str]

    def peak_mb(self) -> float:
        """The most memory that it ever had, in MB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", text)[0]) / 1e3

    def ask(self, raw: bytes, *, half_closed: bool = False) -> int | None:
        """Send bytes and tell the status of the answer; None if the connection was closed without one."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as line:
            answer = b""
            try:
                line.sendall(raw)
                if half_closed:
                    line.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it answered before all was sent
            try:
                while b"\r\n" not in answer and (part := line.recv(65_536)):
                    answer += part
            except ConnectionResetError:
                pass
        found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
        return int(found[1]) if found else None

    def health(self) -> int | None:
        """The status of /healthz: 200 if it is alive."""
        return self.ask(request("GET", "/healthz"))


@contextmanager
def service(folder: Path) -> Iterator[Served]:
    """`samevoice serve` with low limits; all that it may write is below `folder`."""
    home, scratch = folder / "home", folder / "tmp"
    for one in (home, scratch):
        one.mkdir()
    options = folder / "options.toml"
    options.write_text(
        f"port = 0\nclip_seconds = {CLIP_SECONDS}.0\nclip_bytes = {2 << 20}\nmeeting_bytes = {4 << 20}\n"
        "meeting_seconds = 120.0\nbody_seconds = 1.0\nper_minute = 1000000\nlogins_per_minute = 1000000\nworkers = 1\n"
        f'model = "campplus"\ngallery = "{folder}/voices.db"\ndata = "{folder}/data"\n'
    )
    environment = {
        **os.environ,
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "SAMEVOICE_CACHE": str(default_folder().parent),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "samevoice", "serve", "--config", str(options)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, cwd=home
    ) as process:
        try:
            assert process.stdout is not None
            port = next(int(found[1]) for line in process.stdout if (found := re.search(r"http://[^\s:]+:(\d+)", line)))
            yield Served(port, process)
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()


def request(method: str, path: str, body: bytes = b"", kind: str = "", **headers: str) -> bytes:
    """A request as it goes over the wire."""
    told = {"Host": "127.0.0.1", "Connection": "close", "Content-Length": str(len(body))} | headers
    if kind:
        told["Content-Type"] = kind
    lines = [
        f"{method} {path.partition('?')[0]} HTTP/1.1",
        *(f"{name}: {value}" for name, value in told.items() if value),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def part(name: str, content: bytes, filename: bytes | None = None) -> bytes:
    """A part of a form."""
    file = b"" if filename is None else b'; filename="' + filename + b'"'
    return b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (
        BOUNDARY.encode(), name.encode(), file, content
    )  # fmt: skip


def form(path: str, *parts: bytes, **headers: str) -> bytes:
    """A request with a form of these parts."""
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    return request("POST", path, body, f"multipart/form-data; boundary={BOUNDARY}", **headers)


def upload(route: str, content: bytes, good: bytes, filename: bytes = b"a.wav") -> bytes:
    """A form of a route in which the last recording is `content`, and any other is good."""
    fields = ROUTES[route]
    *others, last = fields
    parts = [
        part(name, good, b"good.wav") if (value := fields[name]) is None else part(name, value.encode())
        for name in others
    ]
    return form(route, *parts, part(last, content, filename))


def contents(speech: np.ndarray[tuple[int], np.dtype[np.float32]], rate: int) -> dict[str, bytes]:
    """Files that are no recordings, or only pretend to be."""
    draw = np.random.default_rng(1)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../a.wav", bytes(50 << 20))
    wav = write(speech, rate)
    many = struct.pack("<IHHIIHH", 16, 1, 1_024, 48_000, 98_304_000, 2_048, 16)
    heads = {f"truncated {kind}": encode(kind, speech, rate)[:40] for kind in (*SNDFILE, *CONTAINERS)}
    return heads | {
        "flac that grows to 77 MB": write(np.zeros(1_200 * 16_000, np.int16), 16_000, "FLAC"),
        "flac of an hour at 4 kHz": write(np.zeros(3_600 * 4_000, np.int16), 4_000, "FLAC"),
        "zip bomb": zipped.getvalue(),
        "gzip bomb": gzip.compress(bytes(50 << 20)),
        "html": b"<html><script>alert(1)</script></html>" * 20,
        "program": b"MZ" + draw.bytes(3_000),
        "elf": b"\x7fELF\x02\x01\x01" + bytes(3_000),
        "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + draw.bytes(3_000),
        "pdf": b"%PDF-1.7\n" + draw.bytes(3_000),
        "empty": b"",
        "one byte": b"\0",
        "random": draw.bytes(100_000),
        "zeros": bytes(100_000),
        "playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "concat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        "xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "wav of 1,024 channels": b"RIFF\xff\xff\xff\xffWAVEfmt " + many + b"data\xff\xff\xff\xff" + bytes(100_000),
        "wav at 0 Hz": wav[:24] + bytes(4) + wav[28:],
        "wav at 4 GHz": wav[:24] + b"\xff\xff\xff\xff" + wav[28:],
        "wav of 0 channels": wav[:22] + bytes(2) + wav[24:],
        "wav with sizes of 4 GB and nothing else": wav[:4] + b"\xff\xff\xff\xff" + wav[8:40] + b"\xff\xff\xff\xff",
        "wav of 300 s": write(np.zeros(300 * 8_000, np.uint8).astype(np.int16), 8_000, "WAV", "IMA_ADPCM"),
        "larger than allowed": bytes(3 << 20),
    }  # fmt: skip


NAMES: dict[str, bytes] = {
    "upwards": b"../../../../etc/passwd",
    "absolute": b"/etc/cron.d/x",
    "backslashes": b"..\\..\\windows\\system.ini",
    "nul": b"a\0.wav",
    "lines": b"a\r\nX-Injected: yes\r\n.wav",
    "ten thousand": b"a" * 10_000 + b".wav",
    "controls": bytes(range(1, 32)),
    "right to left": "\u202egnp.exe".encode(),
    "no text": b"\xff\xfe\xfd",
    "template": b"{{7*7}}${jndi:ldap://127.0.0.1/a}%n%s",
    "quotes": b'a\\"; name=\\"other',
    "device": b"CON",
}
PEOPLE = ["../../etc/passwd", "a\0b", "a\r\nb", "x" * 10_000, "\u202e", "   ", "", "\ud83d", "'; DROP TABLE people; --"]
NUMBERS: dict[str, Mapping[str, str]] = {
    "/v1/verify?second": {"far": "NaN", "prior": "nan"},
    "/v1/verify?first": {"far": "inf", "prior": "-inf"},
    "/v1/identify": {"fpir": "NaN", "prior": "1e999", "top": "1" + "0" * 400, "sequential": "maybe"},
    "/v1/diarize": {"speakers": "-1", "least": "1e3", "most": "99999999999999999999", "names": "2"},
    "/v1/timeline": {"length": "NaN", "step": "1e-300"},
    "/v1/people": {"expires_days": "1e9", "keep_audio": "[]", "again": "null"},
}


def odd_forms(good: bytes) -> dict[str, bytes]:
    """Bodies that are no forms, or too much of one."""
    start, kind = f"--{BOUNDARY}\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}"
    two = (part("first", good, b"a.wav"), part("second", good, b"b.wav"))
    whole = b"".join(two) + f"--{BOUNDARY}--\r\n".encode()

    def sent(body: bytes, kind: str = kind, **headers: str) -> bytes:
        return request("POST", "/v1/verify", body, kind, **headers)

    nested = part("x", part("first", good, b"a") * 3, b"n").replace(
        b"\r\n\r\n", b"\r\nContent-Type: multipart/mixed; boundary=hostile\r\n\r\n", 1
    )
    return {
        "no boundary": sent(whole, "multipart/form-data"),
        "empty boundary": sent(whole, "multipart/form-data; boundary="),
        "boundary of 10 kB": sent(whole, "multipart/form-data; boundary=" + "b" * 10_000),
        "other boundary": sent(whole, "multipart/form-data; boundary=other"),
        "unterminated": sent(whole[:-20]),
        "only the start": sent(start),
        "no part headers": sent(start + b"\r\n\r\nx\r\n" + start),
        "part header of 100 kB": sent(start + b"X: " + b"a" * 100_000 + b"\r\n\r\nx\r\n"),
        "a thousand part headers": sent(start + b"X: a\r\n" * 1_000 + b"\r\nx\r\n"),
        "10,000 fields": sent(b"".join(part(f"f{i}", b"x") for i in range(10_000)) + whole),
        "2,000 files": sent(b"".join(part("first", b"x", b"a") for _ in range(2_000)) + whole),
        "a field of 1 MB": sent(part("far", b"1" * (1 << 20)) + whole),
        "nested": sent(nested + b"--hostile--\r\n"),
        "texts for files": form("/v1/verify", part("first", b"a"), part("second", b"b")),
        "a file for a text": form("/v1/people", part("name", b"x", b"n"), part("audio", good, b"a")),
        "nothing": form("/v1/verify"),
        "json for a form": sent(b'{"first": "a", "second": "b"}', "application/json"),
        "urlencoded": sent(b"first=a&second=b", "application/x-www-form-urlencoded"),
        "urlencoded of 10,000": sent(b"&".join(b"f=1" for _ in range(10_000)), "application/x-www-form-urlencoded"),
        "text": sent(b"hello", "text/plain"),
        "no type": sent(whole, ""),
        "compressed": sent(gzip.compress(whole), **{"Content-Encoding": "gzip"}),
        "10 GB promised": request("POST", "/v1/verify", b"--", kind, **{"Content-Length": "9999999999"}),
        "negative length": request("POST", "/v1/verify", b"--", kind, **{"Content-Length": "-1"}),
        "length of words": request("POST", "/v1/verify", b"--", kind, **{"Content-Length": "many"}),
        "length of 5,000 digits": request("POST", "/v1/verify", b"--", kind, **{"Content-Length": "9" * 5_000}),
        "more promised than sent": sent(whole, **{"Content-Length": str(len(whole) + 1_000)}),
        "less promised than sent": sent(whole, **{"Content-Length": "200"}),
        "length and chunks": sent(b"5\r\nhello\r\n0\r\n\r\n", **{"Transfer-Encoding": "chunked"}),
        "broken chunks": sent(b"zz\r\n", **{"Transfer-Encoding": "chunked", "Content-Length": ""}),
        "chunk of 4 GB": sent(b"ffffffff\r\nx", **{"Transfer-Encoding": "chunked", "Content-Length": ""}),
        "1 MB of headers": sent(whole, **{"X-Long": "a" * 1_000_000}),
        "100,000 headers": sent(whole, **{f"X-{i}": "a" for i in range(100_000)}),
    }  # fmt: skip


def odd_json() -> dict[str, bytes]:
    """JSON where a service takes some."""
    job = "/v1/diarize/" + "0" * 32 + "/edits"
    bodies = {
        "deep": b"[" * 100_000 + b"]" * 100_000,
        "deep object": b'{"edit":' * 50_000 + b"1" + b"}" * 50_000,
        "long number": b'{"name": ' + b"9" * 100_000 + b"}",
        "nan": b'{"edit": "assign", "start": NaN, "end": Infinity, "speaker": "a"}',
        "no utf-8": b'{"name": "\xff\xfe"}',
        "half a pair": b'{"name": "\\ud800"}',
        "nul": b'{"name": "a\\u0000b"}',
        "2 MB": json.dumps({"name": "x" * (2 << 20)}).encode(),
        "list": b"[]",
        "nothing": b"",
        "broken": b'{"name": ',
    }
    places = [("PATCH", "/v1/people/Eve"), ("POST", "/v1/people/Eve/merge"), ("POST", job)]
    return {
        f"{name} to {method} {path}": request(method, path, body, "application/json")
        for method, path in places
        for name, body in bodies.items()
    }
