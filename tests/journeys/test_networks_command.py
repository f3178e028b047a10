"""`samevoice networks` as a person meets it, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from commandline import samevoice

ROOT = Path(__file__).parents[2]
NAMES = [
    *("rescnn", "rescnn-simple", "rescnn-clipped", "gru", "fbanknet", "fbanknet-20k", "spectrogramnet"),
    *("spectrogramnet-pooled", "bilstm", "ecapa-512", "ecapa-1024", "resnet34", "campplus", "small"),
]


def run(*arguments: str) -> str:
    """What the command prints."""
    done = samevoice(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_json_has_every_network_and_the_documented_keys() -> None:
    listed = json.loads(run("networks", "--json"))
    assert [one["name"] for one in listed] == NAMES
    for one in listed:
        assert set(one) == {"name", "input", "frontend", "embedding_size", "parameters", "gflop_3s"}
        assert isinstance(one["parameters"], int)
        assert isinstance(one["embedding_size"], int)
        assert one["gflop_3s"] > 0


def test_words_say_the_same_and_cut_no_name_short() -> None:
    lines = run("networks").splitlines()
    assert lines[0].split() == ["name", "input", "front", "end", "embedding", "parameters", "GFLOP", "per", "3", "s"]
    for line, one in zip(lines[1:], json.loads(run("networks", "--json")), strict=True):
        numbers = [str(one["embedding_size"]), f"{one['parameters']:,}", f"{one['gflop_3s']:g}"]
        assert line.split() == [one["name"], *one["input"].split(), one["frontend"], *numbers]


def test_the_documents_say_the_same() -> None:
    table = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| ")]
    assert [(row[0], row[4]) for row in rows[1:]] == [
        (one["name"], f"{one['parameters']:,}") for one in json.loads(run("networks", "--json"))
    ]


def test_the_list_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['samevoice', 'networks'];"
        "from samevoice.cli.main import main; main()"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert "campplus" in shown.stdout
