"""The service put together: parts, middleware, routes, page.

Knows: the order of everything. Does not know: what any of it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from functools import partial
from threading import Thread

import numpy as np
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from samevoice import __version__
from samevoice.audio.waveform import Waveform
from samevoice.errors import ConfigError
from samevoice.gallery.gallery import Gallery
from samevoice.gallery.ownfiles import require_other
from samevoice.scoring.decision import DEFAULT_PRIOR, check_options
from samevoice.service import problems
from samevoice.service.bodies import Bodies
from samevoice.service.ending import Ending
from samevoice.service.front import Front
from samevoice.service.guard import Guard
from samevoice.service.headers import SafeHeaders
from samevoice.service.jobs import Jobs
from samevoice.service.keys import Keys
from samevoice.service.metrics import Metrics
from samevoice.service.options import Options
from samevoice.service.page import Page
from samevoice.service.place import occupied
from samevoice.service.pool import Pool
from samevoice.service.routes import ROUTERS, health
from samevoice.service.state import Service
from samevoice.service.traffic import Traffic
from samevoice.speech.vad import everything
from samevoice.verification import calibration_of

ABOUT = (
    "Do these audios come from the same person? Verify two recordings, enrol people, find out who speaks, and when.\n\n"
    "Recordings are sent as files of a form, answers are JSON, and whatever is not done is told as "
    "application/problem+json (RFC 9457). A voice is not a password on its own: recordings and synthetic voices exist."
)
WARM_SECONDS = 2


log = logging.getLogger("samevoice.service")


def open_service(options: Options) -> Service:
    """Open the gallery and the model, and make the other parts.

    Raises:
        GalleryError: the gallery cannot be opened.
        ModelError: the model is missing or damaged.
        FingerprintMismatch: the gallery has another model.
        ConfigError: an option cannot be honoured, or nobody may run such a service.
    """
    keys = Keys(options.key_file)
    if not (options.is_loopback or keys.needed or options.open):
        raise ConfigError(
            f"at {options.host} other machines can reach the service, and nobody would need a key; make one with: "
            f"samevoice keys add NAME --role admin --keys {options.key_file}; or say --open to let everybody in"
        )
    with contextlib.ExitStack() as undo:
        uploads = undo.enter_context(occupied(options.folder))
        gallery = Gallery(options.gallery, model=options.model, threads=options.threads)
        undo.callback(gallery.close)
        if options.log_file is not None:
            require_other(options.log_file, gallery.store)
        model = gallery.model  # loaded now, so that nobody has to wait later, or is told that it is not there
        # An option that the calibration cannot honour is told now, and not to each who asks.
        check_options(
            calibration_of(model), far=options.far, threshold=None, prior=DEFAULT_PRIOR, model=model.card.name
        )
        jobs = Jobs(options, gallery)
        jobs.start()  # before anybody is told that the service is there
        pool = Pool(options.worker_count, options.waiting)
        metrics = Metrics()
        metrics.watch("running", "Workers that work.", lambda: pool.running)
        metrics.watch("waiting", "Requests that wait for a worker.", lambda: pool.waiting)
        metrics.watch("jobs_waiting", "Jobs that wait.", lambda: jobs.counts().get("waiting", 0))
        metrics.watch("jobs_running", "Jobs that are worked on.", lambda: jobs.counts().get("running", 0))
        ending = Ending()
        closing = Thread(target=jobs.close, name="jobs-end", daemon=True)  # which waits for what is being heard
        ending.at_once.add(closing.start)
        undo.callback(lambda: closing.join(ending.left))
        return Service(
            options=options,
            gallery=gallery,
            pool=pool,
            jobs=jobs,
            keys=keys,
            metrics=metrics,
            traffic=Traffic(options.per_minute),
            uploads=uploads,
            held=undo.pop_all(),
            ending=ending,
        )


def create_app(options: Options, *, service: Service | None = None) -> FastAPI:
    """The application.

    Args:
        options: of the service.
        service: its parts; opened when the application starts if None. Closed when it ends.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened = await asyncio.to_thread(open_service, options) if service is None else service
        app.state.service = opened
        warming = asyncio.ensure_future(_warming(opened))
        try:
            yield
        finally:
            await asyncio.wait([warming], timeout=opened.ending.left)
            await asyncio.to_thread(opened.close)

    app = FastAPI(
        title="samevoice",
        version=__version__,
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,  # its pages would load scripts from elsewhere
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation,
    )
    problems.install(app)
    # The last one added is the outermost.
    app.add_middleware(Guard)
    app.add_middleware(Bodies, options=options)
    app.add_middleware(Front)
    if options.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=options.origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["X-Request-Id", "Retry-After"],
        )
    app.add_middleware(
        SafeHeaders, tls=options.is_tls, lasting=options.tls_cert is not None, shared=bool(options.origins)
    )
    app.include_router(health.router)
    for router in ROUTERS:
        app.include_router(router, prefix="/v1")
    # Behind the routes and not among them, so that a wrong method of a route is told as such.
    app.router.default = Page(app.router.not_found)
    return app


def _operation(route: APIRoute) -> str:
    """The id of an operation: the name of its function."""
    return route.name


async def _warming(service: Service) -> None:
    """Be ready, or say why that cannot be."""
    try:
        await service.pool.run(partial(_warm, service))
    except Exception:
        service.failed.set()
        log.exception("the model does not answer; the service will not be ready")


def _warm(service: Service) -> None:
    """Have the model answer once; the first answer takes longer."""
    model = service.gallery.model.with_detector(everything)
    rate = model.card.rate
    noise = np.random.default_rng(0).standard_normal(WARM_SECONDS * rate).astype(np.float32)
    model.embed(Waveform(0.1 * noise.clip(-1, 1), rate))
    service.ready.set()
