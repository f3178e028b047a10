"""The client against the service: every operation has a method, and what it sends and reads is what the document says.

Each method is called on a running service, with everything that it can send; what it sent and the type it read are
compared with the OpenAPI document of that service. So a service that changes fails here before any user notices.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import jsonschema_rs
import pytest
import soundfile
from servicemakers import serving

from samevoice.client import Client, ServiceError
from samevoice.client.answers import Decision
from samevoice.client.reading import hints
from samevoice.client.transport import Transport
from samevoice.errors import SamevoiceError

Schema = Mapping[str, Any]


class Watched(Transport):
    """Keeps what is asked while it is asked."""

    asked: list[dict[str, Any]]

    def ask(self, kind: Any, method: str, *path: str, **sent: Any) -> Any:
        self.asked.append({"kind": kind, "method": method, "path": path, **sent})
        return super().ask(kind, method, *path, **sent)

    def save(self, target: Path, *path: str) -> None:
        self.asked.append({"kind": None, "method": "GET", "path": path})
        super().save(target, *path)


class Document:
    """An OpenAPI document that can be asked."""

    def __init__(self, whole: dict[str, Any]) -> None:
        self.whole = whole
        self.operations = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, methods in whole["paths"].items()
            for method, operation in methods.items()
        }

    def resolve(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            target: Any = self.whole
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            schema = target
        return schema

    def named(self, method: str, path: tuple[str, ...]) -> str:
        """The operation that a request asks for: of those that fit, the one with the fewest parameters."""
        fits: list[tuple[int, str]] = []
        for name, (its_method, template, _) in self.operations.items():
            parts = template.strip("/").split("/")
            if its_method == method and len(parts) == len(path):
                same = [part == sent for part, sent in zip(parts, path, strict=True)]
                if all(one or part.startswith("{") for one, part in zip(same, parts, strict=True)):
                    fits.append((sum(same), name))
        assert fits, f"{method} {path} is no operation of the service"
        return max(fits)[1]

    def differences(self, kind: Any, schema: Schema, where: str = "answer") -> list[str]:
        """Where a type and a schema do not say the same."""
        schema = self.resolve(schema)
        choices = [self.resolve(one) for one in schema.get("anyOf", [])]
        if any(one.get("type") == "null" for one in choices):
            if NoneType not in get_args(kind):
                return [f"{where}: may be null"]
            kind = next(one for one in get_args(kind) if one is not NoneType)
            rest = [one for one in choices if one.get("type") != "null"]
            return self.differences(kind, rest[0], where)
        if is_dataclass(kind) and isinstance(kind, type):
            return self._fields(kind, schema, where)
        if get_origin(kind) is Literal:
            told = {schema["const"]} if "const" in schema else set(schema.get("enum", ()))
            return [] if told == set(get_args(kind)) else [f"{where}: {told} is read as {kind}"]
        if get_origin(kind) is tuple and get_args(kind)[-1] is Ellipsis:
            return self.differences(get_args(kind)[0], schema["items"], f"{where}[]")
        if get_origin(kind) is tuple:
            pairs = zip(get_args(kind), schema["prefixItems"], strict=True)
            return [one for part, item in pairs for one in self.differences(part, item, f"{where}[]")]
        types = {str: "string", int: "integer", bool: "boolean", float: "number"}
        expected = types.get(kind, "object")
        return [] if schema.get("type") == expected else [f"{where}: {schema.get('type')} is read as {kind}"]

    def _fields(self, kind: type, schema: Schema, where: str) -> list[str]:
        told, found = schema.get("properties", {}), []
        known = {field.name for field in fields(kind)}
        found += [f"{where}.{name}: is not read" for name in told if name not in known]
        for field in fields(kind):
            if field.name not in told:
                found.append(f"{where}.{field.name}: is not told")
            else:
                assert field.default is MISSING, f"{where}.{field.name}: a default would hide that it is missing"
                found += self.differences(hints(kind)[field.name], told[field.name], f"{where}.{field.name}")
        return found


class Session:
    """What a service and its client did for all tests of this module."""

    def __init__(self, document: Document, asked: list[dict[str, Any]], voices: Client) -> None:
        self.document = document
        self.voices = voices
        self.by_operation = {document.named(one["method"], one["path"]): one for one in asked}

    def called(self, operation: str) -> dict[str, Any]:
        assert operation in self.by_operation, f"no method of the client asks for {operation}"
        return self.by_operation[operation]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Iterator[Session]:
    """Every method of the client, called once with all that it can send."""
    folder = tmp_path_factory.mktemp("contract")
    one, two, other = (samples / name for name in ("philippe_1.flac", "philippe_2.flac", "librispeech_1255_a.flac"))
    with serving(folder, per_minute=10_000) as service, Client(service.url) as voices:
        watched = Watched(service.url, key=None, timeout=60, tries=1, context=None, wire=None)
        watched.asked = []
        voices.close()
        voices._at = watched
        document = Document(voices._at.ask(dict[str, Any], "GET", "openapi.json"))
        watched.asked.clear()
        _everything(voices, folder, one, two, other)
        yield Session(document, watched.asked, voices)


def _everything(voices: Client, folder: Path, one: Path, two: Path, other: Path) -> None:
    assert voices.health().status == "ok"
    assert voices.ready().status == "ready"
    assert "samevoice" in voices.metrics()
    assert voices.me().role == "admin"
    assert any(model.used for model in voices.models())
    assert voices.system().workers == 2
    assert voices.verify(one, two, far=0.05, prior=0.4).verdict == "same"
    assert voices.thresholds(seconds=4.0).points
    assert voices.check("Philippe", one, channel="desk").usable
    enrolled = voices.enrol(
        "Philippe", one, consent="asked", expires_days=30, channel="desk", keep_audio=True, again=False
    )
    assert enrolled.person.voiceprints[0].kept_audio
    voices.enrol("Reader", other)
    assert voices.people("P*", limit=5, after="").total == 1
    assert voices.person("Philippe") == voices.people().people[0]
    found = voices.identify(two, top=3, fpir=0.02, prior=0.5, sequential=True)
    assert found.name == "Philippe"
    challenge = voices.challenge("Philippe")
    assert voices.login("Philippe", two, challenge=challenge.challenge).welcome
    assert voices.audit("Philippe", last=50)
    assert voices.rename("Philippe", "Ph/il..ip?pe").name == "Ph/il..ip?pe"
    assert voices.export("Ph/il..ip?pe")["name"] == "Ph/il..ip?pe"
    merged = voices.merge("Reader", "Ph/il..ip?pe", force=True)
    assert merged is not None
    assert len(merged.voiceprints) == 2
    left = voices.undo("Ph/il..ip?pe")
    assert left is not None
    voices.delete("Ph/il..ip?pe")
    assert voices.purge() == 0
    assert voices.audit(last=50)
    assert voices.check_audit().broken is None
    assert voices.timeline(two, one, names=False, length=2.0, step=1.0).slices
    job = voices.diarize(other, speakers=1, least=1, most=1, names=False)
    assert voices.jobs()[0].id == job.id
    done = job.wait(every=0.1)
    assert len(done.speakers) == 1
    again = voices.job(job.id)
    assert again.status.state == "done"
    assert again.edit("rename", speaker=done.speakers[0].name, name="Ann").speakers[0].name == "Ann"
    again.export("rttm", folder / "a.rttm")
    assert "Ann" in (folder / "a.rttm").read_text()
    again.audio(folder / "a.flac")
    assert (folder / "a.flac").read_bytes()[:4] == b"fLaC"
    assert len(again.peaks(points=10).peaks) == 10
    again.delete()
    with pytest.raises(ServiceError) as gone:
        again.refresh()
    assert gone.value.status == 404


def test_every_operation_has_a_method(session: Session) -> None:
    missing = set(session.document.operations) - set(session.by_operation)
    assert not missing


def test_what_is_sent_is_what_is_documented(session: Session) -> None:
    """All that may be sent is sent, and nothing else; files as files."""
    for operation, (_, _, described) in session.document.operations.items():
        asked = session.called(operation)
        query = {one["name"] for one in described.get("parameters", []) if one["in"] == "query"}
        assert set(asked.get("query") or {}) == query, operation
        content = described.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            schema = content["application/json"]["schema"]
            validator = jsonschema_rs.validator_for({**session.document.whole, **schema})
            assert validator.is_valid(asked["body"]), operation
            continue
        assert not asked.get("body"), operation
        form = session.document.resolve(next(iter(content.values()))["schema"]) if content else {}
        told = form.get("properties", {})
        files = {name for name, schema in told.items() if "contentMediaType" in str(schema) or "binary" in str(schema)}
        assert set(asked.get("sounds") or {}) == files, operation
        assert set(asked.get("form") or {}) == set(told) - files, operation


def test_what_is_read_is_what_is_documented(session: Session) -> None:
    for operation, (_, _, described) in session.document.operations.items():
        kind = session.called(operation)["kind"]
        good = next(answer for code, answer in described["responses"].items() if code.startswith("2"))
        content = good.get("content", {})
        if kind is NoneType or kind is None or kind is str or "application/json" not in content:
            assert ("application/json" in content) is False or kind is None, operation
            continue
        schema = content["application/json"]["schema"]
        if schema:
            assert session.document.differences(kind, schema) == [], operation


def _change(path: str, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(whole: dict[str, Any]) -> None:
        *way, last = path.split("/")
        for part in way:
            whole = whole[part]
        if to is None:
            del whole[last]
        else:
            whole[last] = to

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_change("properties/llr", None), "llr: is not told"),
        (_change("properties/newer", {"type": "string"}), "newer: is not read"),
        (_change("properties/reason", {"type": "integer"}), "reason: integer is read"),
        (_change("properties/prior", {"anyOf": [{"type": "number"}, {"type": "null"}]}), "prior: may be null"),
        (_change("properties/verdict", {"enum": ["same", "different"]}), "verdict"),
        (_change("properties/warnings", {"type": "array", "items": {"type": "object"}}), r"warnings\[\]: object"),
    ],
)
def test_a_service_that_changes_is_noticed(
    session: Session, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    schema = copy.deepcopy(dict(session.document.resolve({"$ref": "#/components/schemas/DecisionBody"})))
    assert session.document.differences(Decision, schema) == []
    change(schema)
    differences = session.document.differences(Decision, schema)
    assert len(differences) == 1
    assert re.search(told, differences[0])


def spoken(samples: Path) -> list[bytes]:
    """Somebody speaks for five seconds, in pieces of a tenth of one."""
    sound, _ = soundfile.read(samples / "librispeech_1255_a.flac", frames=5 * 16_000, dtype="int16")
    return [sound[start : start + 1_600].astype("<i2").tobytes() for start in range(0, len(sound), 1_600)]


def test_a_stream_tells_what_it_hears(session: Session, samples: Path) -> None:
    heard = list(session.voices.stream(spoken(samples), names=False))
    kinds = [one.event for one in heard]
    assert kinds[0] == "ready"
    assert kinds[-1] == "end"
    assert {"speech", "identity"} <= set(kinds)
    assert len(heard[-1].values["diarization"]["turns"]) >= 1
    assert all(one.time is not None for one in heard[1:])
    levels = [one for one in session.voices.stream(spoken(samples), coach=True) if one.event == "level"]
    assert levels[-1].values["speech"] > 2
    assert levels[-1].values["dbfs"] < 0


def test_a_stream_ends_with_what_went_wrong(session: Session, samples: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield spoken(samples)[0]
        raise OSError("the microphone was pulled out")

    with pytest.raises(OSError, match="pulled out"):
        list(session.voices.stream(breaking()))
    with pytest.raises(SamevoiceError, match="rate"):
        list(session.voices.stream([], rate=1))
    events = session.voices.stream(spoken(samples), coach=True)
    assert next(events).event == "ready"
    events.close()  # type: ignore[attr-defined]
    assert session.voices.health().status == "ok"
