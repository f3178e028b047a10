"""`samevoice keys`: who may use a service."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from samevoice.cli.console import JsonOption, counted, err, out, print_json
from samevoice.errors import ConfigError
from samevoice.service.keys import ROLES, Key, Keys, Role
from samevoice.service.options import Options

KeysOption = Annotated[
    Path | None, typer.Option("--keys", metavar="FILE", help="The file of keys; default: one in the data folder.")
]
DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The folder of the service, as in samevoice serve.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The options of the service, as in samevoice serve.")
]

app = typer.Typer(
    no_args_is_help=True,
    help="Make, list and revoke the API keys of [bold]samevoice serve[/bold]. A running service sees it at once.",
)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is; shown in logs.")],
    role: Annotated[
        str, typer.Option(help="user: verify, identify, log in, diarize; enroller: also enrol; admin: all.")
    ],
    days: Annotated[float | None, typer.Option(help="Let it end after so many days.")] = None,
    keys: KeysOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make a key and print it, once: the file has only its digest.

    Once there is a key, the service asks everybody for one.

    Example: samevoice keys add kiosk --role user --days 90
    """
    token, key = _keys(keys, data, config).add(name, _role(role), days=days)
    if json:
        print_json({"token": token, **_told(key)})
        return
    typer.echo(token)
    err.print("Keep it now: it is not shown again. Send it as: Authorization: Bearer KEY", style="dim", markup=False)


@app.command("list")
def list_keys(
    keys: KeysOption = None, data: DataOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """List the keys: names, roles, and until when they are good."""
    found = _keys(keys, data, config).list()
    if json:
        print_json([_told(key) for key in found])
        return
    for key in found:
        end = f", {'ended' if key.is_expired else 'until'} {_minute(key.expires)}" if key.expires else ""
        out.print(f"{key.name}  {key.role}, made {key.created[:10]}{end}", markup=False)
    err.print(counted(len(found), "key"), style="dim", markup=False)


@app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the key.")],
    keys: KeysOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a key worthless at once.

    With the last key gone the service lets nobody in; it is open again only without the file of keys.
    """
    key = _keys(keys, data, config).revoke(name)
    out.print(f"revoked: {key.name}", markup=False)


def _minute(moment: str) -> str:
    """A moment of the file of keys, for people."""
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _keys(keys: Path | None, data: Path | None, config: Path | None) -> Keys:
    """The file of keys of a service with these options."""
    flags = {"keys": None if keys is None else str(keys), "data": None if data is None else str(data)}
    return Keys(Options.read(config, flags).key_file)


def _role(text: str) -> Role:
    """A role by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    for role in ROLES:
        if role == text:
            return role
    raise ConfigError(f"{text!r} is no role; use one of {', '.join(ROLES)}")


def _told(key: Key) -> dict[str, object]:
    """A key without its digest, which is of no use to anybody."""
    return {name: value for name, value in asdict(key).items() if name != "digest"} | {"expired": key.is_expired}
