"""What tests of the page may ask for: say `pytest_plugins = ["webfixtures"]`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from servicemakers import Running, serving
from webmakers import chromium, launch, opened, spoken

Microphone = Callable[[str | None], Browser]


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What drives browsers; not for the whole session, since its event loop would stand in the way of other tests."""
    chromium()
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A browser whose microphone beeps."""
    with launch(playwright) as found:
        yield found


@pytest.fixture(scope="module")
def mic(playwright: Playwright, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microphone]:
    """Browsers whose microphone plays a sample, by its name; silence for None."""
    found: dict[str | None, Browser] = {}
    folder = tmp_path_factory.mktemp("microphone")

    def make(sample: str | None) -> Browser:
        if sample not in found:
            sound = None if sample is None else samples / sample
            found[sample] = launch(playwright, spoken(folder / f"{sample}.wav", sound))
        return found[sample]

    yield make
    for one in found.values():
        one.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service without keys, and with nobody in its gallery."""
    with serving(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def page(browser: Browser, site: Running) -> Iterator[Page]:
    """The page of that service, as it opens."""
    with opened(browser, site.url) as found:
        yield found


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Running]:
    """A service that is a test's own, to be stopped for instance."""
    with serving(tmp_path) as running:
        yield running
