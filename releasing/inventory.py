"""`python -m releasing.inventory WHEEL`: what is installed with the wheel, and whether it is known to be vulnerable.

The wheel is installed alone into an empty environment. cyclonedx-py lists it as `samevoice-VERSION.cdx.json` beside the
wheel; what lies in the wheel itself and has a name of its own is added: models, and libraries of the page. pip-audit
asks for known vulnerabilities. It takes a package that no database knows for one without a fault, so it is asked for an
old release with known faults too: only a database that names those has been reached.

Knows: both tools, which lie beside this interpreter; CycloneDX. Does not know: formats of packages.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from releasing import places, project
from releasing.places import Environment
from releasing.project import NAME, ROOT, ReleaseError
from releasing.shipped import shipped

DATABASES = ("pypi", "osv")
KNOWN_FAULTY = "jinja2==2.4.1"  # several vulnerabilities that were published years ago
SECONDS = 300


@dataclass(frozen=True, slots=True)
class Findings:
    """What a database of vulnerabilities said.

    Args:
        database: its name.
        faults: name, version and the vulnerability's id, a line each.
        unknown: packages it knows nothing of.
    """

    database: str
    faults: tuple[str, ...]
    unknown: tuple[str, ...]


def list_components(wheel: Path, into: Path) -> Path:
    """Write the SBOM of what comes with a wheel, as CycloneDX.

    Args:
        wheel: what is installed.
        into: folder for the file.

    Raises:
        ReleaseError: the wheel cannot be installed, or the list is not made.
    """
    output = into / f"{NAME}-{project.version()}.cdx.json"
    if (python := places.interpreter(f"{sys.version_info[0]}.{sys.version_info[1]}")) is None:
        raise ReleaseError("no interpreter that can make environments was found")
    with tempfile.TemporaryDirectory(prefix="samevoice-sbom-") as scratch:
        environment = Environment.made(python, Path(scratch, "environment"))
        environment.install(str(wheel))
        environment.run("python", "-m", "pip", "uninstall", "--quiet", "--yes", "setuptools", "pip")
        command = [
            *(_beside("cyclonedx-py"), "environment", environment.binary("python")),
            *("--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "library"),
            *("--output-reproducible", "--output-format", "JSON", "--output-file", str(output)),
        ]
        epoch = {"SOURCE_DATE_EPOCH": str(project.moment())}
        done = subprocess.run(command, env={**os.environ, **epoch}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"cyclonedx-py failed: {done.stderr.strip()}")
    content = json.loads(output.read_text(encoding="utf-8"))
    content["components"] += parts_of_wheel()
    output.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return output


def parts_of_wheel() -> list[dict[str, Any]]:
    """What lies in the wheel and has a name of its own, as CycloneDX lists it."""
    return [
        {
            "version": project.version(),
            **one.component,
            "bom-ref": f"in the wheel: {one.component['name']}",
            "description": one.what,
            "licenses": [{"license": {"acknowledgement": "declared", "id": one.licence}}],
            "copyright": one.owner,
        }
        for one in shipped()
        if one.wheel and one.component
    ]


def packages(sbom: Path) -> list[str]:
    """The Python packages in an SBOM but samevoice, as name==version."""
    listed: list[dict[str, Any]] = json.loads(sbom.read_text(encoding="utf-8"))["components"]
    python = [one for one in listed if one.get("purl", "").startswith("pkg:pypi/")]
    return sorted(f"{one['name']}=={one['version']}" for one in python if one["name"] != NAME)


def ask(database: str, pinned: list[str]) -> Findings | None:
    """Ask a database about packages.

    Args:
        database: as pip-audit calls it.
        pinned: name==version each.

    Returns:
        What it said; None if it could not be reached.
    """
    with tempfile.TemporaryDirectory(prefix="samevoice-audit-") as scratch:
        file = Path(scratch, "requirements.txt")
        file.write_text("".join(f"{one}\n" for one in (*pinned, KNOWN_FAULTY)), encoding="utf-8")
        options = ("--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "15")
        command = [_beside("pip-audit"), *options, "--vulnerability-service", database, "--requirement", str(file)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return None
    return read_answer(database, done.stdout)


def read_answer(database: str, answer: str) -> Findings | None:
    """What pip-audit's JSON says; None unless the known faults are in it.

    Args:
        database: which was asked.
        answer: its standard output; anything but JSON if it failed.
    """
    try:
        listed: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    faulty, release = KNOWN_FAULTY.split("==")
    probe = [one for one in listed if one["name"] == faulty and one.get("version") == release]
    if not probe or not probe[0].get("vulns"):
        return None
    rest = [one for one in listed if one is not probe[0]]
    faults = [f"{one['name']} {one['version']}: {each['id']}" for one in rest for each in one.get("vulns", ())]
    return Findings(database, tuple(faults), tuple(one["name"] for one in rest if "skip_reason" in one))


def _beside(program: str) -> str:
    """The path of a program of this interpreter's environment."""
    return str(Path(sys.executable).with_name(program))


def main() -> int:
    """List and ask; exit code 1 for vulnerabilities, or if the list cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m releasing.inventory", description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    wheel = parser.parse_args().wheel.resolve()
    try:
        sbom = list_components(wheel, wheel.parent)
    except ReleaseError as error:
        print(f"no SBOM: {error}", file=sys.stderr)
        return 1
    pinned = packages(sbom)
    print(f"{sbom}  {len(pinned)} packages come with {NAME} {project.version()}")
    found = next((answer for name in DATABASES if (answer := ask(name, pinned)) is not None), None)
    if found is None:
        print(f"vulnerabilities: NOT CHECKED, none of the databases ({', '.join(DATABASES)}) can be reached from here")
        return 0
    for name in found.unknown:
        print(f"vulnerabilities: {found.database} knows nothing of {name}: not checked")
    for line in found.faults:
        print(f"vulnerabilities: {line}", file=sys.stderr)
    asked = len(pinned) - len(found.unknown)
    print(f"vulnerabilities: {len(found.faults)} known in {asked} packages, says {found.database}")
    return int(bool(found.faults))


if __name__ == "__main__":
    raise SystemExit(main())
