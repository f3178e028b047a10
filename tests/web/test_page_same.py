"""Same voice? as people use it, in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, Playwright
from webmakers import headline, launch, opened, record, upload

if TYPE_CHECKING:
    from servicemakers import Running
    from webfixtures import Microphone

pytest_plugins = ["webfixtures"]


def test_two_files_of_one_person(page: Page, samples: Path) -> None:
    upload(page.locator("main"), samples / "sample_1a.mp3", samples / "sample_1b.mp3")
    page.get_by_role("button", name="Compare").click()
    assert headline(page) == "Same person"
    result = page.locator(".result")
    meter = result.get_by_role("meter", name="Evidence")
    assert "for the same person" in (meter.get_attribute("aria-valuetext") or "")
    assert int(meter.get_attribute("aria-valuenow") or 0) == 1000  # the end of the scale
    words = result.inner_text()
    assert "at most 1 % of strangers pass" in words
    assert "1.9 s and 3.0 s" in words
    assert "over 99.9 %" in words


def test_two_files_of_two_people(page: Page, samples: Path) -> None:
    upload(page.locator("main"), samples / "sample_1a.mp3", samples / "sample_2.mp3")
    page.get_by_role("button", name="Compare").click()
    assert headline(page) == "Different people"
    assert int(page.get_by_role("meter", name="Evidence").get_attribute("aria-valuenow") or 0) <= -4


def test_a_picture_of_each_voice_is_drawn(page: Page, samples: Path) -> None:
    def drawn() -> list[int]:  # pixels in the upper third
        script = """all => all.map(canvas => {
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
            copy.drawImage(canvas, 0, 0);
            const {data} = copy.getImageData(0, 0, canvas.width, Math.floor(canvas.height / 3));
            return data.filter((value, i) => i % 4 === 3 && value).length;
        })"""
        counts: list[int] = page.locator("canvas.wave").evaluate_all(script)
        return counts

    assert drawn() == [0, 0]  # nothing rises above the line yet
    upload(page.locator("main"), samples / "sample_1a.mp3", samples / "sample_2.mp3")
    assert min(drawn()) > 100


def test_a_missing_voice_is_asked_for(page: Page, samples: Path) -> None:
    upload(page.locator("main"), samples / "sample_1a.mp3")
    page.get_by_role("button", name="Compare").click()
    second = page.get_by_role("group", name="Second voice")
    assert "first" in second.get_by_role("alert").inner_text()
    assert second.get_by_role("button", name="Record").evaluate("button => button === document.activeElement")


def test_what_is_no_recording_gets_no_verdict(browser: Browser, site: Running, samples: Path, tmp_path: Path) -> None:
    text = tmp_path / "letter.txt"
    text.write_text("Dear voice")
    with opened(browser, site.url, expect=("422",)) as page:
        upload(page.locator("main"), samples / "sample_1a.mp3", text)
        page.get_by_role("button", name="Compare").click()
        assert headline(page) == "No verdict"
        assert "letter.txt" in page.locator(".result").inner_text()


def test_a_file_may_be_dropped(page: Page) -> None:
    script = """async (box) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(100)], "dropped.wav", {type: "audio/wav"}));
        box.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
    }"""
    box = page.get_by_role("group", name="First voice")
    box.evaluate(script)
    box.get_by_role("button", name="Remove").click()
    assert box.get_by_role("button", name="Record").evaluate("button => button === document.activeElement")


@pytest.mark.slow
def test_the_microphone_against_a_file(mic: Microphone, site: Running, samples: Path) -> None:
    with opened(mic("philippe_1.flac"), site.url) as page:
        first = page.get_by_role("group", name="First voice")
        record(first)
        upload(page.get_by_role("group", name="Second voice"), samples / "philippe_2.flac")
        page.get_by_role("button", name="Compare").click()
        assert headline(page) == "Same person"


@pytest.mark.slow
def test_silence_is_no_verdict_but_a_request_to_speak(mic: Microphone, site: Running, samples: Path) -> None:
    with opened(mic(None), site.url) as page:
        record(page.get_by_role("group", name="First voice"), until="Nothing is heard: is the microphone muted?")
        upload(page.get_by_role("group", name="Second voice"), samples / "philippe_2.flac")
        page.get_by_role("button", name="Compare").click()
        assert headline(page) == "Cannot tell: nobody is heard to speak"


def test_microphone_without_permission(playwright: Playwright, site: Running, samples: Path) -> None:
    with launch(playwright, allowed=False) as browser, opened(browser, site.url) as page:
        first = page.get_by_role("group", name="First voice")
        first.get_by_role("button", name="Record").click()
        told = first.get_by_role("alert")
        told.filter(has_text="may not use the microphone").wait_for()
        assert "choose a file instead" in told.inner_text()
        upload(page.locator("main"), samples / "sample_1a.mp3", samples / "sample_1b.mp3")  # the way that is left
        page.get_by_role("button", name="Compare").click()
        assert headline(page) == "Same person"


TROUBLES = {
    "no microphone": ("navigator.mediaDevices.getUserMedia = REFUSE('NotFoundError')", "No microphone was found"),
    "busy": ("navigator.mediaDevices.getUserMedia = REFUSE('NotReadableError')", "busy"),
    "no worklet": ("delete window.AudioWorkletNode", "too old"),
    "not secure": ("Object.defineProperty(window, 'isSecureContext', {value: false})", "https"),
    "no sound": ("AudioContext.prototype.resume = function () { return this.suspend() }", "gives no sound"),
}
REFUSE = "const REFUSE = (name) => () => Promise.reject(new DOMException('', name));"


@pytest.mark.slow
@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_may_be_wrong_with_a_microphone_is_said(page: Page, trouble: str) -> None:
    script, words = TROUBLES[trouble]
    page.evaluate(f"() => {{ {REFUSE} {script} }}")
    first = page.get_by_role("group", name="First voice")
    first.get_by_role("button", name="Record").click()
    first.get_by_role("alert").filter(has_text=words).wait_for()
    assert first.get_by_role("button", name="Record").is_enabled()
