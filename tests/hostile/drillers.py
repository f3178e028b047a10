"""The entries of the failure drill: sound inputs of each kind, and what is done with a mutant of them."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import mutants
import numpy as np
import torch
from gallerymakers import KEY, MODEL, voiceprint
from modelmakers import card, graph
from servicemakers import serving

from samevoice import load_model
from samevoice.audio.waveform import Waveform
from samevoice.corpora.opening import open_corpus
from samevoice.corpora.storage import load_manifest
from samevoice.diarization import formats
from samevoice.diarization.formats import FORMATS, registry
from samevoice.diarization.turns import Diarization, Turn
from samevoice.errors import SamevoiceError
from samevoice.evaluation.triallist import read_trials
from samevoice.gallery.store import Store
from samevoice.models.encoder import write_model
from samevoice.scoring.asnorm import Cohort
from samevoice.speech.vad import everything
from samevoice.training.checkpoint import load_checkpoint, save_checkpoint
from samevoice.training.cookbook import load_recipe, shipped

Use = Callable[[Path], object]
Made = tuple[Mapping[str, bytes], Use]
PATIENCE = 30.0
TRIALS = {"voxceleb.txt": b"1 a.wav b.wav\n0 a.wav c.wav\n1 c.wav d.wav\n", "kaldi.txt": b"a b target\na c nontarget\n"}
TABLE = b"path,speaker,split\na.wav,ada,train\nb.wav,bob,test\n"


@dataclass(frozen=True)
class Entry:
    """A way into the product.

    Args:
        name: of it.
        made: given an empty folder, sound inputs by file name and what to do with the path of one.
        text: whether inputs are lines of words.
    """

    name: str
    made: Callable[[Path], AbstractContextManager[Made]]
    text: bool = True


@contextmanager
def audio(_: Path) -> Iterator[Made]:
    """Recordings in every format, read to the end by the promises of the decoder."""

    def use(path: Path) -> None:
        _, broken = mutants.judge(path.read_bytes())
        assert broken is None, broken

    yield mutants.originals(), use


@contextmanager
def card_of_a_model(root: Path) -> Iterator[Made]:
    """Model files, opened and asked for an embedding."""
    write_model(root / "tiny.onnx", graph(), card())
    sound = Waveform(0.1 * np.random.default_rng(1).standard_normal(24_000).astype(np.float32), 16_000)

    def use(path: Path) -> None:
        load_model(path, threads=1, detector=everything).embed(sound)

    yield {"tiny.onnx": (root / "tiny.onnx").read_bytes()}, use


@contextmanager
def manifest(root: Path) -> Iterator[Made]:
    """Manifests, tables of a corpus among them."""
    about = (
        b'"session": "", "member": null, "start": 0.5, "seconds": 2.0, "rate": 16000, "language": "en", "gender": "f"'
    )
    rest = b'"licence": "CC0", "checksum": "", "corpus": "drill", "split": "train"'
    told = [b'{"id": "u%d", "speaker": "s%d", "path": "%d.wav", %b, %b}' % (n, n % 2, n, about, rest) for n in range(4)]
    whole = b"\n".join([b'{"samevoice": "manifest", "version": 1, "root": "."}', *told, b""])
    (root / "whole.jsonl").write_bytes(whole)
    load_manifest(root / "whole.jsonl")
    for name in ("a.wav", "b.wav"):
        (root / name).write_bytes(mutants.originals()["wav-16"])

    def use(path: Path) -> object:
        return load_manifest(path) if path.suffix == ".jsonl" else open_corpus(path, checksums=False)

    yield {"whole.jsonl": whole, "table.csv": TABLE}, use


@contextmanager
def recipe(_: Path) -> Iterator[Made]:
    """Recipes."""
    folder = files("samevoice").joinpath("training", "recipes")
    yield (
        {f"{one}.toml": folder.joinpath(f"{one}.toml").read_bytes() for one in shipped()},
        lambda path: load_recipe(str(path)),
    )


@contextmanager
def turns(_: Path) -> Iterator[Made]:
    """Diarizations in every format."""
    told = Diarization([Turn(0.0, 1.5, "ada"), Turn(1.0, 2.5, "bob"), Turn(3.0, 4.0, "ada")], 5.0, "meeting")
    whole = {f"meeting{one.suffix}": formats.write(told, name).encode() for name, one in FORMATS.items()}
    yield whole, registry.read_file


@contextmanager
def trials(_: Path) -> Iterator[Made]:
    """Lists of trials."""
    yield TRIALS, read_trials


@contextmanager
def arrays(root: Path) -> Iterator[Made]:
    """Cohorts and checkpoints."""
    Cohort(np.eye(192, dtype=np.float32)[:50], MODEL, "drill").save(root / "cohort.npz")
    save_checkpoint(root / "last.pt", {"network": {"weight": torch.ones(3, 4)}, "step": 3})

    def use(path: Path) -> object:
        return Cohort.load(path, MODEL) if path.suffix == ".npz" else load_checkpoint(path)

    yield {name: (root / name).read_bytes() for name in ("cohort.npz", "last.pt")}, use


@contextmanager
def gallery(root: Path) -> Iterator[Made]:
    """Gallery files: opened, read, searched, changed."""
    with Store.open(root / "voices.db", key=KEY) as store:
        for seed, name in enumerate(["Ada", "Bob"]):
            store.add(name, voiceprint(seed, trace=b"12" * 40, audio=b"x" * 50))
    whole = (root / "voices.db").read_bytes()
    questions: list[Callable[[Store], object]] = [
        Store.people, Store.counters, Store.audit, Store.events, Store.size, lambda store: store.person("Ada"),
        lambda store: list(store.templates(MODEL)), lambda store: store.export("Ada"),
        lambda store: store.add("Ada", voiceprint(5)), Store.purge, lambda store: store.delete("Bob"),
    ]  # fmt: skip

    def use(path: Path) -> None:
        for rest in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + rest).unlink(missing_ok=True)
        with Store.open(path, key=KEY) as store:
            for question in questions:
                with contextlib.suppress(SamevoiceError):
                    question(store)

    yield {"voices.db": whole}, use


@contextmanager
def http(root: Path) -> Iterator[Made]:
    """Requests as bytes, answered by a real service, which must stay healthy."""
    clip = (Path(__file__).parent.parent.parent / "samples" / "philippe_1.flac").read_bytes()[:30_000]

    def part(name: bytes) -> bytes:
        head = b'--x\r\nContent-Disposition: form-data; name="%s"; filename="a.flac"\r\n\r\n' % name
        return head + clip + b"\r\n"

    field = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nEve\r\n'
    two = part(b"first") + part(b"second") + b"--x--\r\n"
    one = field + part(b"audio") + b"--x--\r\n"
    kind = b"multipart/form-data; boundary=x"
    whole = {
        "verify": _request(b"POST /v1/verify", two, kind),
        "enrol": _request(b"POST /v1/people", one, kind),
        "identify": _request(b"POST /v1/identify", one, kind),
        "people": _request(b"GET /v1/people?limit=3", b"", b"text/plain"),
        "page": _request(b"GET /js/app.js", b"", b"text/plain"),
        "rename": _request(b"PATCH /v1/people/Eve", b'{"name": "Eva"}', b"application/json"),
    }
    with serving(root / "service", model="small", per_minute=10_000_000) as running:
        port = int(running.url.rsplit(":", 1)[1])

        def use(path: Path) -> None:
            status = _asked(port, path.read_bytes())
            assert status is None or status < 500 or status == 503, f"answered {status}"
            assert _asked(port, _request(b"GET /healthz", b"", b"text/plain")) == 200, "is no longer healthy"

        yield whole, use


@contextmanager
def websocket(root: Path) -> Iterator[Made]:
    """What a client sends after the handshake, frame by frame."""
    sound = mutants.originals()["wav-16"][44:]
    talk = [(1, b'{"rate": 16000, "format": "s16le"}'), *((2, sound[i : i + 6_400]) for i in range(0, 32_000, 6_400))]
    frames = b"".join(_frame(kind, data) for kind, data in [*talk, (1, b'{"end": true}')])
    short = _frame(1, b"{}") + _frame(2, sound[:640]) + _frame(9, b"ping") + _frame(8, struct.pack("!H", 1000))
    with serving(root / "service", model="small", per_minute=10_000_000, streams=50) as running:
        port = int(running.url.rsplit(":", 1)[1])
        hello = (
            f"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()

        def use(path: Path) -> None:
            status = _asked(port, hello, path.read_bytes())
            assert status is None or status < 500 or status == 503, f"answered {status}"
            assert _asked(port, _request(b"GET /healthz", b"", b"text/plain")) == 200, "is no longer healthy"

        yield {"talk": frames, "short": short}, use


def _request(line: bytes, body: bytes, kind: bytes) -> bytes:
    """An HTTP request."""
    head = line + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: " + kind
    return head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def _frame(kind: int, data: bytes) -> bytes:
    """A masked WebSocket frame of a client; the mask is zeros."""
    size = bytes([128 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack("!H", len(data))
    return bytes([128 | kind]) + size + bytes(4) + data


def _asked(port: int, *parts: bytes) -> int | None:
    """The status that a service answers with; None if it closes the connection without one."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as line, contextlib.suppress(ConnectionError):
        for part in parts:
            line.sendall(part)
        with contextlib.suppress(OSError):  # the service may have closed already
            line.shutdown(socket.SHUT_WR)
        while b"\r\n" not in answer and (more := line.recv(65_536)):
            answer += more
    words = answer.split(b" ")
    return int(words[1]) if answer.startswith(b"HTTP/1.") and len(words) > 1 and words[1][:3].isdigit() else None


ENTRIES = {
    one.name: one
    for one in (
        Entry("audio", audio, text=False),
        Entry("model", card_of_a_model),
        Entry("manifest", manifest),
        Entry("recipe", recipe),
        Entry("turns", turns),
        Entry("trials", trials),
        Entry("arrays", arrays, text=False),
        Entry("gallery", gallery, text=False),
        Entry("http", http),
        Entry("websocket", websocket, text=False),
    )
}
