"""`samevoice serve`: the service and its page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from samevoice.cli.console import GalleryModelOption, GalleryOption, out
from samevoice.errors import ConfigError

NEEDED = "serving needs more packages; install them with: pip install 'samevoice[serve]'"


def serve(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Listen here; 0.0.0.0 for the whole network. [127.0.0.1]")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="TCP port; 0 for any free one. [8750]")] = None,
    gallery: GalleryOption = None,
    model: GalleryModelOption = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Options as TOML; flags go before them.")] = None,
    data: Annotated[
        str | None, typer.Option(metavar="DIR", help="Jobs, uploads, keys; default: in your data folder.")
    ] = None,
    keys: Annotated[str | None, typer.Option(metavar="FILE", help="The file of keys, see samevoice keys.")] = None,
    open_: Annotated[
        bool, typer.Option("--open", help="Serve other machines without keys: everybody may all.")
    ] = False,
    self_signed: Annotated[
        bool, typer.Option("--self-signed", help="HTTPS with a certificate made here, so that phones can record.")
    ] = False,
    tls_cert: Annotated[str | None, typer.Option(metavar="FILE", help="HTTPS with this certificate (PEM).")] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help="The key of the certificate (PEM).")] = None,
    name: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A name the service answers to without keys; repeatable.")
    ] = None,
    origin: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="Another site whose pages may use it (CORS); repeatable.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Recordings at once; default: all cores, at most 4.")
    ] = None,
    far: Annotated[float | None, typer.Option(help="Tolerated false-accept rate. [0.01]")] = None,
    fpir: Annotated[float | None, typer.Option(help="Share of strangers who may pass for somebody. [0.01]")] = None,
    per_minute: Annotated[int | None, typer.Option(min=1, help="Requests of one caller. [600]")] = None,
    audit_log: Annotated[
        str | None, typer.Option(metavar="FILE", help="Add a line of JSON for each request to this file.")
    ] = None,
    metrics_open: Annotated[bool, typer.Option("--metrics-open", help="Show /metrics to everybody.")] = False,
) -> None:
    """Serve the page and the API until Ctrl-C.

    On this machine alone it needs no keys. To let others in, make a key first (samevoice keys add NAME --role admin),
    then listen at 0.0.0.0. A browser records only over HTTPS or on the machine itself: --self-signed makes a
    certificate, which browsers ask about once.

    All options, also those of limits that have no flag here, may stand in a TOML file:
    port = 8750, clip_seconds = 120.0, hosts = ["voices.lan"], and so on; docs/service.md lists them.

    Examples:
      samevoice serve
      samevoice serve --host 0.0.0.0 --self-signed
      samevoice serve --config /etc/samevoice.toml
    """
    try:
        from samevoice.service.options import Options
        from samevoice.service.server import serve as run
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("samevoice"):
            raise
        raise ConfigError(NEEDED) from error
    flags = {
        "host": host,
        "port": port,
        "gallery": gallery,
        "model": model,
        "data": data,
        "keys": keys,
        "open": open_ or None,  # a flag that is not given says nothing against the file
        "self_signed": self_signed or None,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "hosts": name,
        "origins": origin,
        "workers": workers,
        "far": far,
        "fpir": fpir,
        "per_minute": per_minute,
        "audit_log": audit_log,
        "metrics_open": metrics_open or None,
    }
    run(Options.read(config, flags), say=lambda line: out.print(line, markup=False))
