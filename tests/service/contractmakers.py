"""schemathesis as its command, against a running service: what the tests of the contract share.

The settings matter more than the tool: with a handful of examples it finds next to nothing. So an application with
planted defects (`planted`) is tested with the same settings, and they must all be found.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, File, Form, HTTPException, Query, UploadFile
from fastapi.responses import JSONResponse

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
SEED = 20261121


@dataclass(frozen=True)
class Found:
    """What a run told.

    Args:
        status: of the command.
        failures: title and operation of each.
        errors: what it could not test.
        answers: how often an operation answered with a status: (status, "METHOD path") -> times.
        report: all of it, in words.
    """

    status: int
    failures: set[tuple[str, str]]
    errors: list[object]
    answers: Counter[tuple[int, str]]
    report: str


def contract(url: str, folder: Path, *, examples: int, sound: Path, known: Mapping[str, str]) -> Found:
    """Run it over everything that the document of a service describes.

    Args:
        url: of the service.
        folder: for its notes.
        examples: drawn for each operation, besides those at the edges of each value.
        sound: a recording for a part of the uploads, so that more than the decoder is reached.
        known: parameters of paths -> values that are there, for a part of the requests.
    """
    command = [sys.executable, "-c", "import sys; from schemathesis.cli import schemathesis as s; sys.exit(s())", "run"]
    command += [f"{url}/openapi.json", "--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--no-color"]
    command += ["--max-examples", str(examples), "--seed", str(SEED), "--no-shrink", "--generation-database", "none"]
    command += ["--continue-on-failure", "--request-timeout", "30", "--suppress-health-check", "all"]
    command += ["--report-json-path", str(folder / "report.json")]
    notes = folder / "answers.txt"
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "contracthooks",
        "PYTHONPATH": str(Path(__file__).parent),
        "PYTHONWARNINGS": "ignore",
        "CONTRACT_SOUND": str(sound),
        "CONTRACT_KNOWN": json.dumps(dict(known)),
        "CONTRACT_NOTES": str(notes),
    }
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, env=environment, cwd=folder
    )
    told = json.loads((folder / "report.json").read_text())
    failures = {(one["title"], operation) for one in told["failures"] for operation in one["operations"]}
    lines = (line.split(" ", 1) for line in notes.read_text().splitlines())
    answers = Counter((int(status), where) for status, where in lines)
    return Found(done.returncode, failures, told["errors"], answers, done.stdout + done.stderr)


def planted() -> FastAPI:
    """Defects of the kinds that a service like this one could have, each behind a value that must be hit."""
    app = FastAPI()

    @app.post("/v1/top")
    def top(audio: Annotated[UploadFile, File()], top: Annotated[int, Form()] = 5) -> dict[str, int]:
        return {"top": 100 // top, "size": audio.size or 0}

    @app.post("/v1/people")
    def people(name: Annotated[str, Form()]) -> dict[str, str]:
        if "\0" in name:
            raise ValueError("a database takes no NUL")
        return {"name": name}

    @app.get("/v1/thresholds")
    def thresholds(seconds: Annotated[float, Query()] = 3.0) -> dict[str, Any]:
        return {"root": math.sqrt(seconds)}

    @app.get("/v1/people/{name}")
    def person(name: str) -> dict[str, str]:
        if not name.isascii():
            raise HTTPException(418, "undocumented")
        return {"name": name}

    @app.get("/v1/answer", response_model=dict[str, int])
    def answer(last: int = 100) -> Any:
        return JSONResponse({"last": None if last < 0 else last})

    return app


PLANTED = {"POST /v1/top", "POST /v1/people", "GET /v1/thresholds", "GET /v1/people/{name}", "GET /v1/answer"}
