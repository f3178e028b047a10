"""On this device: the model in the browser decides as in Python, and what goes wrong is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
import soundfile
from axe_playwright_python.sync_playwright import Axe
from localmakers import ALONE, SAMPLES, check, compare, cosine_shown, enrol, ready, shipped_model
from playwright.sync_api import Browser, Page
from webmakers import PHONE, headline, opened, record, turn

from samevoice.verification import judge

if TYPE_CHECKING:
    from servicemakers import Running
    from webfixtures import Microphone

pytest_plugins = ["webfixtures"]

VERDICTS = {"same": "Same person", "different": "Different people", "unsure": "Cannot tell"}
RULES = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}


@pytest.fixture
def local(browser: Browser, site: Running) -> Iterator[Page]:
    """The view, ready."""
    with opened(browser, site.url, "local") as page:
        ready(page)
        yield page


# The same as in Python


@pytest.mark.slow
def test_voiceprints_and_verdicts_are_those_of_the_library(local: Page, samples: Path) -> None:
    model = shipped_model()
    embeddings = {}
    for name in SAMPLES:
        assert enrol(local, name, samples / name) == f"{name} is enrolled on this device"
        embeddings[name] = model.embed(samples / name)
    with local.expect_download() as download:
        local.get_by_role("button", name="Save all as a file").click()
    prints = {one["name"]: one for one in json.loads(Path(download.value.path()).read_text())}
    assert set(prints) == set(SAMPLES)
    for name, embedding in embeddings.items():
        vector = np.array(prints[name]["vector"])
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
        assert float(vector @ embedding.vector) > 0.999
        assert prints[name]["seconds"] == pytest.approx(embedding.seconds, abs=0.06)
        assert prints[name]["model"] == model.card.fingerprint
    for second in ("sample_1b.mp3", "sample_2.mp3"):
        wanted = judge(embeddings["sample_1a.mp3"], embeddings[second], model=model)
        assert compare(local, samples / "sample_1a.mp3", samples / second).startswith(VERDICTS[wanted.verdict])
        assert cosine_shown(local) == pytest.approx(wanted.score, abs=0.003)


def test_who_it_is_among_those_who_are_enrolled(local: Page, samples: Path) -> None:
    assert check(local, samples / "philippe_2.flac") == "Nobody is enrolled on this device yet"
    enrol(local, "Philippe", samples / "philippe_1.flac")
    enrol(local, "<b>Somebody else", samples / "sample_2.mp3")
    found = check(local, samples / "philippe_2.flac")
    model = shipped_model()
    clip = model.embed(samples / "philippe_2.flac")
    decisions = {
        name: judge(clip, model.embed(samples / sample), model=model)
        for name, sample in {"Philippe": "philippe_1.flac", "<b>Somebody else": "sample_2.mp3"}.items()
    }
    best = max(decisions, key=lambda name: decisions[name].score or -1)
    verdict = decisions[best].verdict
    assert found.startswith(
        {"same": f"This is {best}", "different": "Nobody who is enrolled here", "unsure": "Cannot tell"}[verdict]
    )
    lines = local.locator("#checking .matches li")
    assert lines.count() == 2
    assert best in lines.first.inner_text()
    words = local.locator("#checking .facts").inner_text()
    assert "for each who is enrolled" in words


@pytest.mark.slow
def test_enrolled_by_microphone(mic: Microphone, site: Running, samples: Path) -> None:
    with opened(mic("philippe_1.flac"), site.url, "local") as page:
        ready(page)
        part = page.locator("#enrolling")
        part.get_by_label("Name").fill("Philippe")
        part.get_by_role("button", name="Enrol").click()
        part.get_by_role("alert").filter(has_text="consent").wait_for()
        part.get_by_role("checkbox").check()
        record(part.get_by_role("group", name="Your voice"))
        part.get_by_role("button", name="Enrol").click()
        assert headline(page, "#enrolling") == "Philippe is enrolled on this device"
        check(page, samples / "philippe_2.flac")
        assert "Philippe" in page.locator("#checking .matches").inner_text()


# What is kept, and what goes wrong


@pytest.mark.slow
def test_voiceprints_can_be_deleted(local: Page, samples: Path) -> None:
    ready(local, ALONE)
    enrol(local, "Philippe", samples / "philippe_1.flac")
    enrol(local, "Other", samples / "sample_2.mp3")
    local.reload()
    kept = local.locator("#kept")
    kept.get_by_role("button", name="Delete Philippe").click()
    kept.get_by_text("Philippe").wait_for(state="detached")
    local.reload()
    kept.get_by_role("button", name="Delete Other").wait_for()
    assert "Philippe" not in kept.inner_text()
    kept.get_by_role("button", name="Delete everything").click()
    kept.get_by_text("No voiceprint.").wait_for()
    left = """async () => {
        const opened = indexedDB.open("samevoice");
        await new Promise((done) => { opened.onsuccess = done; });
        const asked = opened.result.transaction("voiceprints").objectStore("voiceprints").count();
        await new Promise((done) => { asked.onsuccess = done; });
        return [asked.result, (await caches.keys()).length, (await navigator.serviceWorker.getRegistrations()).length];
    }"""
    assert local.evaluate(left) == [0, 0, 0]


def test_a_damaged_file_gets_a_sentence(local: Page, samples: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.mp3"
    damaged.write_bytes(np.random.default_rng(1).bytes(5_000))
    assert compare(local, samples / "sample_1a.mp3", damaged) == "No verdict"
    assert "damaged.mp3: this browser cannot read it as sound" in local.locator("#comparing .result").inner_text()


def test_silence_cannot_be_told(local: Page, samples: Path, tmp_path: Path) -> None:
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(32_000, dtype=np.float32), 16_000)
    assert compare(local, samples / "sample_1a.mp3", silent) == "Cannot tell: nobody is heard to speak"
    assert "silent.wav: 0.0 s of speech found, at least" in local.locator("#comparing .result").inner_text()
    assert enrol(local, "Nobody", silent) == "Not enrolled"
    assert check(local, samples / "sample_1a.mp3") == "Nobody is enrolled on this device yet"


@pytest.mark.slow
def test_a_voiceprint_of_another_model_is_not_compared(local: Page, samples: Path) -> None:
    enrol(local, "Philippe", samples / "philippe_1.flac")
    local.evaluate("""async () => {
        const {all, keep} = await import("/js/local/store.js");
        const [print] = await all();
        await keep({...print, model: "small@0000000000000000"});
    }""")
    assert check(local, samples / "philippe_2.flac") == "Nobody is enrolled on this device yet"
    local.reload()
    local.locator("#kept").get_by_text("made by another model, so enrol again").wait_for()


def test_a_browser_without_webassembly_is_told(browser: Browser, site: Running) -> None:
    with opened(browser, site.url) as page:
        page.add_init_script("delete globalThis.WebAssembly")
        page.reload()
        turn(page, "local")
        hint = page.get_by_role("alert").filter(has_text="it has no WebAssembly")
        hint.get_by_role("link", name="Same voice?").click()
        page.locator("#view-same").wait_for()


def test_a_service_without_the_model_says_so(browser: Browser, site: Running) -> None:
    with opened(browser, site.url, expect=("404",)) as page:
        page.route("**/models/small.onnx", lambda route: route.fulfill(status=404))
        turn(page, "local")
        page.locator("#state").filter(has_text="The service has no small.onnx").wait_for()


@pytest.mark.slow
def test_no_key_is_needed_for_it(browser: Browser, site: Running) -> None:
    with opened(browser, site.url, expect=("401",)) as page:
        page.route(
            "**/v1/me", lambda route: route.fulfill(status=401, json={"status": 401, "code": "key", "detail": "no key"})
        )
        page.reload()
        page.locator("#keyform").wait_for()
        turn(page, "local")
        ready(page)
        page.locator("nav a[href='#/same']").click()
        page.locator("#keyform").wait_for()


@pytest.mark.slow
def test_it_can_be_read_and_used_by_all(browser: Browser, site: Running, samples: Path) -> None:
    with opened(browser, site.url, "local", color_scheme="light", viewport=PHONE) as page:
        ready(page)
        enrol(page, "Philippe", samples / "philippe_1.flac")
        check(page, samples / "philippe_2.flac")
        compare(page, samples / "sample_1a.mp3", samples / "sample_1b.mp3")
        schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page, options=RULES).response["violations"]
            assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        script = "all => all.map(one => one.getBoundingClientRect()).filter(box => box.width && box.height < 44).length"
        assert page.locator("button, nav a, .button, select").evaluate_all(script) == 0  # large enough to touch
