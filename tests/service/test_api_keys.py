"""API keys: the file, the tokens, the roles, and what a running service makes of them."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from servicemakers import bearer, new_key, serving

from samevoice.errors import ConfigError
from samevoice.service.keys import Keys

SERVICE = 12_345  # number of a user and of a group
NETWORK = "0.0.0.0"  # noqa: S104 - what is tested


def needed(keys: Keys) -> bool:
    return keys.needed


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "keys.json"


def test_a_key_is_found_by_its_token_alone(file: Path) -> None:
    token, key = Keys(file).add("kiosk", "user")
    found = Keys(file).find(token)
    assert found is not None
    assert (found.name, found.role, found.id) == ("kiosk", "user", key.id)
    assert token.startswith(f"sv_{key.id}_")
    assert len(token.split("_", 2)[2]) == 43
    for wrong in (token[:-1], token + "a", token.swapcase(), f"sv_{key.id}_", f"sv_{key.id}_{'a' * 43}", "", "_", "__"):
        assert Keys(file).find(wrong) is None


@given(st.text())
def test_any_text_may_be_offered_as_a_token(tmp_path_factory: pytest.TempPathFactory, token: str) -> None:
    file = tmp_path_factory.getbasetemp() / "keys-for-texts.json"
    keys = Keys(file)
    if not keys.needed:
        keys.add("one", "user")
    assert keys.find(token) is None
    assert keys.find(f"sv_{token}") is None


def test_the_file_has_no_token_and_only_its_owner_reads_it(file: Path) -> None:
    token, _ = Keys(file).add("kiosk", "admin")
    content = file.read_text()
    assert token not in content
    assert token.split("_", 2)[2] not in content
    assert hashlib.sha256(token.encode()).hexdigest() in content
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_ends_when_it_was_told_to(file: Path) -> None:
    token, _ = Keys(file).add("guest", "user", days=2)
    keys = Keys(file)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1.99)):
        assert keys.find(token) is not None
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2.01)):
        assert keys.find(token) is None
        assert [key.is_expired for key in keys.list()] == [True]
        assert needed(keys)


def test_revoking_the_last_key_opens_no_door(file: Path) -> None:
    keys = Keys(file)
    assert not needed(keys)
    token, _ = Keys(file).add("only", "user")
    assert needed(keys)
    assert keys.find(token) is not None
    Keys(file).revoke("only")
    assert keys.find(token) is None
    assert needed(keys)
    file.unlink()
    assert needed(keys)  # for a service that runs; only a new start without the file is open
    assert keys.find(token) is None
    assert not needed(Keys(file))


def test_names_are_taken_once_and_must_be_fit_to_show(file: Path) -> None:
    keys = Keys(file)
    keys.add("kiosk", "user")
    for bad in ("kiosk", " kiosk ", "local", "Local ", "", " ", "a\nb", "a\x1b[31m", "x" * 65):
        with pytest.raises(ConfigError):
            keys.add(bad, "user")
    with pytest.raises(ConfigError, match="no key named"):
        keys.revoke("nobody")
    for days in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="days"):
            keys.add("other", "user", days=days)
    assert [key.name for key in keys.list()] == ["kiosk"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"keys": [{}]}',
        '{"keys": 3}',
        '{"keys": [{"id": 1}]}',
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_a_damaged_file_lets_nobody_in(file: Path, content: str | bytes) -> None:
    token, _ = Keys(file).add("kiosk", "admin")
    keys = Keys(file)
    assert keys.find(token) is not None
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert needed(keys)
    assert keys.find(token) is None
    with pytest.raises(ConfigError, match="is no file of keys"):
        Keys(file)


@pytest.mark.parametrize("change", [{"role": "root"}, {"expires": "2030-01-01"}, {"expires": 7}, {"digest": "00"}])
def test_a_key_that_was_edited_badly_is_no_key(file: Path, change: dict[str, object]) -> None:
    Keys(file).add("kiosk", "user")
    content = json.loads(file.read_text())
    content["keys"][0] |= change
    file.write_text(json.dumps(content))
    with pytest.raises(ConfigError):
        Keys(file)


@pytest.mark.skipif(os.name != "posix", reason="permissions of files")
def test_a_file_that_others_may_write_is_refused(file: Path) -> None:
    Keys(file).add("kiosk", "user")
    file.chmod(0o620)
    with pytest.raises(ConfigError, match="chmod 600"):
        Keys(file)
    file.chmod(0o644)  # digests may be read: they are of no use
    assert Keys(file).needed


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_a_key_that_root_makes_leaves_the_file_to_whoever_reads_it(file: Path) -> None:
    Keys(file).add("one", "user")
    os.chown(file, SERVICE, SERVICE)
    Keys(file).add("two", "user")
    assert (file.stat().st_uid, file.stat().st_gid) == (SERVICE, SERVICE)
    Keys(file).revoke("one")
    assert (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) == (SERVICE, 0o600)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root becomes somebody else")
def test_who_may_not_give_the_file_back_changes_nothing() -> None:
    with tempfile.TemporaryDirectory() as folder:  # where somebody else gets in, unlike in those of pytest
        os.chown(folder, SERVICE, SERVICE)
        file = Path(folder) / "keys.json"
        Keys(file).add("one", "user")
        file.chmod(0o644)
        (Path(folder) / "keys.json.lock").chmod(0o666)
        before = file.read_bytes()
        os.seteuid(SERVICE)
        try:
            with pytest.raises(ConfigError, match="belongs to another user"):
                Keys(file).add("two", "user")
        finally:
            os.seteuid(0)
        assert (file.read_bytes(), file.stat().st_uid) == (before, 0)
        assert {one.name for one in Path(folder).iterdir()} == {"keys.json", "keys.json.lock"}


def test_keys_made_at_the_same_time_are_all_kept(file: Path) -> None:
    def make(number: int) -> None:
        Keys(file).add(f"key {number}", "user")

    threads = [threading.Thread(target=make, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Keys(file).list()) == 12


# At the surface


@pytest.mark.slow
def test_each_role_may_do_what_the_ones_before_may(tmp_path: Path) -> None:
    tokens = {role: new_key(tmp_path, role) for role in ("user", "enroller", "admin")}
    with serving(tmp_path) as running, httpx.Client(base_url=running.url) as client:

        def status(path: str, role: str) -> int:
            return client.get(path, headers=bearer(tokens[role])).status_code

        asked = {path: [status(path, role) for role in tokens] for path in ("/v1/me", "/v1/people", "/v1/system")}
        assert asked == {"/v1/me": [200] * 3, "/v1/people": [403, 200, 200], "/v1/system": [403, 403, 200]}
        told = client.get("/v1/system", headers=bearer(tokens["user"])).json()
        assert (told["code"], told["status"]) == ("role", 403)
        assert client.get("/v1/me", headers=bearer(tokens["enroller"])).json()["name"] == "enroller"
        assert [status("/metrics", role) for role in tokens] == [403, 403, 200]
        assert client.get("/metrics").status_code == 401
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
        stale = bearer(tokens["user"] + "x")
        assert client.get("/healthz", headers=stale).status_code == client.get("/", headers=stale).status_code == 200
        assert client.get("/metrics", headers=stale).status_code == 401
        assert client.get("/").status_code == client.get("/openapi.json").status_code == 200


@pytest.mark.parametrize("sent", [None, "", "Bearer", "Bearer  x", "Basic {}", "Bearer {}x", "{}", "Bearer \x80\xff"])
def test_without_a_good_key_nothing_is_done(keyed: tuple[str, str], sent: str | None) -> None:
    url, token = keyed
    headers = {} if sent is None else {b"Authorization": sent.format(token).encode("latin-1")}
    for method, path in (("GET", "/v1/me"), ("POST", "/v1/verify"), ("DELETE", "/v1/people/x"), ("GET", "/v1/nowhere")):
        answer = httpx.request(method, url + path, headers=headers)
        assert answer.status_code == 401, (method, path)
        assert answer.json()["code"] == "key"
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("keyed")
    token = new_key(folder, "admin")
    with serving(folder, per_minute=100_000) as running:
        yield running.url, token


def test_a_key_counts_from_the_moment_on_in_which_it_is_made_and_not_after_it_is_revoked(tmp_path: Path) -> None:
    with serving(tmp_path) as running, httpx.Client(base_url=running.url) as client:
        assert client.get("/v1/me").json()["keys"] is False
        token = new_key(tmp_path, "user", "guest")
        assert client.get("/v1/me").status_code == 401
        assert client.get("/v1/me", headers=bearer(token)).json()["name"] == "guest"
        Keys(tmp_path / "data" / "keys.json").revoke("guest")
        assert client.get("/v1/me", headers=bearer(token)).status_code == 401
        assert client.get("/v1/me").status_code == 401


def test_an_upload_without_a_key_is_refused_before_it_is_taken(tmp_path: Path) -> None:
    new_key(tmp_path)
    taken = 0

    def body() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(4000):
            taken += 1
            yield bytes(1 << 18)

    with serving(tmp_path) as running:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        try:
            answer = httpx.post(f"{running.url}/v1/diarize", content=body(), headers=headers, timeout=30)
            assert answer.status_code == 401
        except httpx.WriteError:  # the service hung up on the rest
            pass
        assert list(running.service.uploads.iterdir()) == []
    assert taken > 0


def test_the_network_is_served_only_with_keys_or_when_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--open"), serving(tmp_path, host=NETWORK):
        pass
    with serving(tmp_path, host=NETWORK, open=True) as running:
        assert httpx.get(f"{running.url}/v1/me").status_code == 200
    new_key(tmp_path)
    with serving(tmp_path, host=NETWORK) as running:
        assert httpx.get(f"{running.url}/v1/me").status_code == 401
