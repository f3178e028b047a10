"""The Dockerfile without an engine: its steps run here, in their order, in a clean environment.

Each absolute path of the image is a folder below a temporary one, the environment is the image's and nothing else, and
the service runs as a user without rights where the tests may become one. What only an engine can show stays untested:
that the base image has what it promises, that layers are put together, that the network of compose is there.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from gallerymakers import Server
from sqlalchemy import URL, make_url

ROOT = Path(__file__).parents[2]
USER = 10001
PLACES = ("/source", "/opt/samevoice", "/data", "/keys")
PATIENCE = 60.0


@dataclass
class Stage:
    """A stage of a Dockerfile: instructions in their order."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """What an instruction says, each time."""
        return [text for instruction, text in self.steps if instruction == name]

    def one(self, name: str) -> str:
        """What an instruction says that is there once."""
        (text,) = self.all(name)
        return text


def stages(text: str) -> list[Stage]:
    """A Dockerfile, as far as ours uses its language."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found: list[Stage] = []
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        instruction, rest = line.split(None, 1)
        if instruction == "FROM":
            found.append(Stage(rest.split()[0]))
        else:
            found[-1].steps.append((instruction, rest.strip()))
    return found


@pytest.fixture(scope="module")
def dockerfile() -> list[Stage]:
    return stages((ROOT / "Dockerfile").read_text())


@dataclass
class Image:
    """What the steps made.

    Attributes:
        root: what stands for / .
        environment: of the last stage.
    """

    root: Path
    environment: dict[str, str]

    def here(self, text: str) -> str:
        """A text of the Dockerfile with the paths of this machine."""
        return re.sub("|".join(map(re.escape, PLACES)), lambda found: f"{self.root}{found[0]}", text)

    def run(self, command: list[str], **more: str) -> subprocess.CompletedProcess[str]:
        """A command as in a container that was started from the image."""
        return subprocess.run(
            [*self.user(), *command], capture_output=True, text=True, check=False, env=self.environment | more,
            cwd=self.root / "data", timeout=PATIENCE,
        )  # fmt: skip

    @staticmethod
    def user() -> list[str]:
        """What gives up all rights, where the tests have some."""
        if os.geteuid() != 0:
            return []
        return [
            "setpriv",
            f"--reuid={USER}",
            f"--regid={USER}",
            "--clear-groups",
            "--no-new-privs",
            "--bounding-set=-all",
        ]


@pytest.fixture(scope="module")
def image(dockerfile: list[Stage]) -> Iterator[Image]:
    """The image, built by the instructions of the Dockerfile."""
    root = Path(tempfile.mkdtemp(prefix="samevoice-image-"))  # pytest's own folders are closed to other users
    root.chmod(0o755)
    try:
        build, final = dockerfile
        made = Image(root, {})
        clean = {
            name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")
        }
        clean |= {"HOME": str(root / "nobody"), "PIP_NO_COMPILE": "1"}
        python = Path(sys._base_executable).resolve().parent  # type: ignore[attr-defined]
        (root / "bin").mkdir()
        (root / "bin" / "python").symlink_to(python / f"python3.{sys.version_info.minor}")
        clean["PATH"] = f"{root / 'bin'}:/usr/bin:/bin"
        for instruction, text in build.steps:
            if instruction == "COPY":
                *sources, target = made.here(text).split()
                copy(sources, Path(target), whole=text.rstrip().endswith("/"))
            else:
                assert instruction == "RUN"
                done = subprocess.run(
                    ["sh", "-c", made.here(text)], capture_output=True, text=True, check=False, env=clean
                )
                if "pip install" in text and "No matching distribution" in done.stderr + done.stdout:
                    pytest.skip("no package index can be reached: the image cannot be built")
                assert done.returncode == 0, (text, done.stderr[-2_000:])
        for name in ("data", "keys"):
            (root / name).mkdir(mode=0o700)
            if os.geteuid() == 0:
                shutil.chown(root / name, USER, USER)
        for word in shlex.split(made.here(final.one("ENV"))):
            name, _, value = word.partition("=")
            made.environment[name] = value
        made.environment["PATH"] = made.environment["PATH"].replace("/usr/local/bin", str(root / "bin"))
        yield made
    finally:
        shutil.rmtree(root, ignore_errors=True)


def copy(sources: list[str], target: Path, *, whole: bool) -> None:
    """COPY of what .dockerignore lets through."""
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(sources) <= let_through, "what .dockerignore keeps out cannot be copied"
    for source in sources:
        place = target / source if whole else target
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, place)


def test_what_the_dockerfile_promises(dockerfile: list[Stage]) -> None:
    """No root, nothing secret, a health check, and one base for both stages, so that the environment fits."""
    build, final = dockerfile
    assert build.base == final.base == "python:3.11-slim"
    assert final.one("USER") == f"{USER}:{USER}"
    assert final.one("EXPOSE") == "8750"
    assert json.loads(final.one("VOLUME")) == ["/data", "/keys"]
    assert final.one("HEALTHCHECK")
    assert json.loads(final.one("CMD"))[:1] == ["serve"]
    assert final.one("COPY") == "--from=build /opt/samevoice /opt/samevoice"
    assert not final.all("ADD")
    assert not re.search(r"(?i)password|secret|token|sv_", str([*build.steps, *final.steps]))
    order = [instruction for instruction, _ in final.steps]
    assert order.index("USER") > max(index for index, name in enumerate(order) if name == "RUN")


def test_compose(dockerfile: list[Stage]) -> None:
    """Secrets by file, ports on this machine only, a root that cannot be written."""
    yaml = pytest.importorskip("yaml")
    told: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    service, database = told["services"]["samevoice"], told["services"]["database"]
    assert service["ports"] == ["127.0.0.1:8750:8750"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert {volume.partition(":")[2] for volume in service["volumes"]} == set(json.loads(dockerfile[1].one("VOLUME")))
    assert service["depends_on"]["database"]["condition"] == "service_healthy"
    assert database["healthcheck"]["test"][0] == "CMD"
    assert "ports" not in database
    used = [name for one in told["services"].values() for name in one["secrets"]]
    assert sorted(used) == sorted(told["secrets"])
    assert all(list(secret) == ["file"] for secret in told["secrets"].values())
    named = {volume.partition(":")[0] for one in told["services"].values() for volume in one["volumes"]}
    assert named == set(told["volumes"])
    assert "password" not in service["environment"]["SAMEVOICE_GALLERY"]
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        done = subprocess.run(["docker", "compose", "config", "--quiet"], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_image_runs(image: Image, dockerfile: list[Stage], samples: Path) -> None:
    """Built, started as nobody in particular, healthy, in use, and stopped in peace."""
    final = dockerfile[1]
    packages = next((image.root / "opt/samevoice/lib").glob("python*")) / "site-packages"
    for needed in ("service/web/index.html", "service/web/js/app.js", "models/zoo/campplus.onnx", "py.typed"):
        assert (packages / "samevoice" / needed).is_file(), needed
    assert list((packages / "samevoice/gallery/migrations").rglob("*.py"))
    assert not list(packages.glob("torch*"))
    entry = json.loads(final.one("ENTRYPOINT"))
    command = [image.here(word) for word in (*entry, *json.loads(final.one("CMD")))]
    # Without a key it must not start where other machines can reach it.
    refused = image.run(command)
    assert refused.returncode == 2, refused
    assert "samevoice keys add" in refused.stderr
    token = image.run([*entry, "keys", "add", "me", "--role", "admin"]).stdout.strip()
    assert token.startswith("sv_")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [word.replace("8750", port) for word in command]
    health = json.loads(final.one("HEALTHCHECK").rpartition("CMD ")[2])
    with subprocess.Popen(
        [*image.user(), *command], env=image.environment, cwd=image.root / "data", stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:  # fmt: skip
        try:
            end = time.monotonic() + PATIENCE
            while image.run([word.replace("8750", port) for word in health]).returncode != 0:
                assert running.poll() is None, "the service ended"
                assert time.monotonic() < end, "the service is not healthy"
            client = (
                "import sys; from samevoice.client import Client\n"
                "with Client(sys.argv[1], key=sys.argv[2]) as voices:\n"
                "    voices.enrol('Philippe', sys.argv[3]); print(voices.identify(sys.argv[4]).name)"
            )
            recordings = [str(samples / "philippe_1.flac"), str(samples / "philippe_2.flac")]
            done = subprocess.run(
                [sys.executable, "-c", client, f"http://127.0.0.1:{port}", token, *recordings],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert done.stdout.strip() == "Philippe"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
                assert b"<html" in page.read()
            if os.geteuid() == 0:
                assert f"Uid:\t{USER}\t{USER}" in Path(f"/proc/{running.pid}/status").read_text()
            running.terminate()
            assert running.wait(20) == 0
        finally:
            running.kill()
    assert (image.root / "data/samevoice/gallery.db").is_file()
    assert not list((image.root / "data").rglob("*onnxruntime*")), "ONNX Runtime keeps records of its use"
    assert list((image.root / "keys/samevoice").glob("gallery-*.key")), "the key must lie apart from the database"


@pytest.mark.slow
def test_the_gallery_of_compose(image: Image, postgres: Server, samples: Path) -> None:
    """PostgreSQL by a file of services, as compose.yaml hands it in, so that no setting shows a password."""
    yaml = pytest.importorskip("yaml")
    url = make_url(postgres.new_database())
    lines = {"dbname": url.database, "host": url.query.get("host") or url.host, "user": url.username}
    lines |= {"password": url.password} if url.password else {}
    secret = image.root / "gallery_service"
    secret.write_text("[gallery]\n" + "".join(f"{name}={value}\n" for name, value in lines.items()))
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["samevoice"]
    environment = image.environment | {
        "SAMEVOICE_GALLERY": service["environment"]["SAMEVOICE_GALLERY"],
        "PGSERVICEFILE": str(secret),
        "XDG_CONFIG_HOME": str(image.root / "other keys"),
    }

    def samevoice(*words: str) -> str:
        command = [str(image.root / "opt/samevoice/bin/samevoice"), *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    samevoice("enrol", "Philippe", str(samples / "philippe_1.flac"))
    told = json.loads(samevoice("gallery", "info", "--json"))
    assert told["people"] == 1
    assert told["place"].startswith("postgresql")
    assert postgres.run("SELECT name FROM people", postgres_url(url)) == [("Philippe",)]


def postgres_url(url: URL) -> str:
    """As the driver reads it."""
    return url.render_as_string(hide_password=False)
