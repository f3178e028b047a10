"""docs/service.md says what is so: its routes, roles, limits and examples."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from servicemakers import bearer, new_key, serving

from samevoice.service.app import create_app
from samevoice.service.attempts import MANY
from samevoice.service.earlier import EACH, LOGINS
from samevoice.service.keys import ROLES
from samevoice.service.options import Options

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(?P<method>[A-Z]+) (?P<path>/[^`]*)` \| (?P<what>.*) \| (?P<role>\w+) \|$", re.MULTILINE)


def test_every_route_is_in_the_table(tmp_path: Path) -> None:
    document = create_app(Options(data=str(tmp_path))).openapi()
    told = {(row["method"], row["path"]): row["what"] for row in ROW.finditer(TEXT)}
    assert told.pop(("WS", "/v1/stream"))
    served = {
        (method.upper(), path): operation["summary"]
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    assert told == served


@pytest.mark.slow
def test_the_roles_are_those_of_the_table(tmp_path: Path) -> None:
    """Asked with each key, a route says 403 to those below its role and to nobody else."""
    keys = {role: new_key(tmp_path, role) for role in ROLES}
    rows = [row for row in ROW.finditer(TEXT) if row["method"] != "WS"]
    with serving(tmp_path, per_minute=10_000, logins_per_minute=1_000) as service:
        for row in rows:
            path = re.sub(r"\{\w+\}", "0" * 32, row["path"])
            needed = ROLES.index(row["role"]) if row["role"] in ROLES else -1
            anybody = httpx.request(row["method"], service.url + path)
            assert (anybody.status_code != 401) is (row["role"] == "anybody"), row[0]
            for rank, role in enumerate(ROLES):
                answer = httpx.request(row["method"], service.url + path, headers=bearer(keys[role]))
                assert answer.status_code < 500, row[0]
                assert (answer.status_code == 403) is (rank < needed), (row[0], role)


def test_the_limits_are_options() -> None:
    table = TEXT.partition("## Limits")[2].partition("## ")[0]
    named = set(
        re.findall(r"`([a-z_]+)`", "".join(line.split("|")[1] for line in table.splitlines() if line[:3] == "| `"))
    )
    assert named
    assert named <= {field.name for field in fields(Options)}
    defaults = Options()
    assert f"{defaults.clip_bytes >> 20} MiB, {defaults.clip_seconds:g} s" in table
    assert f"{defaults.meeting_bytes >> 30} GiB, {defaults.meeting_seconds / 3600:g} h" in table
    assert f"{defaults.waiting} requests wait" in table
    assert f"{defaults.per_minute} requests" in table
    assert f"{defaults.logins_per_minute} of a caller at a person; {MANY * defaults.logins_per_minute} at a" in table
    assert f"{EACH} of a person, {LOGINS:,} of all" in TEXT


def test_the_example_of_the_client_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    monkeypatch.chdir(ROOT)
    with serving(tmp_path) as service:
        address = "http://localhost:8750"
        assert address in code
        port = urlsplit(service.url).port
        exec(compile(code.replace(address, f"http://localhost:{port}"), "service.md", "exec"), {})  # noqa: S102
        assert not service.gallery.people()
    said = capsys.readouterr().out
    assert said.startswith("same\nPhilippe\nTrue\n")
    assert "100%" in said
    assert "speaker-1" in said
