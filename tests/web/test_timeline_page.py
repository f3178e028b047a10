"""The timeline as people use it, in a browser: a meeting is heard, put right, taken along."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from meetingmakers import edit, names, open_job, result, speaker, submitted, write_meeting
from playwright.sync_api import Browser, Page, expect
from servicemakers import bearer, new_key, serving
from webmakers import opened  # which finds the next

from samevoice.diarization.formats import FORMATS

if TYPE_CHECKING:
    from servicemakers import Running

pytest_plugins = ["webfixtures"]


@pytest.fixture(scope="module")
def meeting(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Path:
    return write_meeting(tmp_path_factory.mktemp("meeting") / "meeting.flac", samples)


@pytest.fixture(scope="module")
def heard(site: Running, meeting: Path) -> str:
    return submitted(site.url, meeting)


@pytest.fixture
def job(site: Running, heard: str) -> Iterator[str]:
    """A job whose edits are taken back afterwards."""
    yield heard
    while result(site.url, heard)["undo"]:
        edit(site.url, heard, edit="undo")


@pytest.fixture
def page(browser: Browser, site: Running, job: str) -> Iterator[Page]:
    with opened(browser, site.url, "timeline") as found:
        open_job(found, job)
        yield found


def test_a_meeting_is_heard_and_shown(browser: Browser, site: Running, meeting: Path) -> None:
    with opened(browser, site.url, "timeline") as page:
        page.locator("#upload input[type=file]").set_input_files(meeting)
        page.get_by_label("Number of speakers", exact=True).select_option("at most")
        page.get_by_label("Number", exact=True).fill("3")
        page.get_by_role("button", name="Find who spoke when").click()
        row = page.locator("#jobs li").first
        expect(row.locator(".state")).to_have_text(re.compile("Waiting|heard|Done"))  # an idle machine is quick
        page.locator(".lanes").wait_for(timeout=30_000)
        job = row.get_attribute("data-job") or ""
        expect(row.locator(".state")).to_have_text("Done")
        told = result(site.url, job)
        assert [one["name"] for one in told["speakers"]] == ["speaker-1", "speaker-2"]
        assert page.locator("#counts").inner_text().startswith(("Almost certainly 2 people", "Probably 2 people"))
        expect(page.locator(".turns tbody tr")).to_have_count(len(told["turns"]))
        assert _colours(page) > 2  # the lanes are drawn


def test_a_dropped_file_is_taken(browser: Browser, site: Running) -> None:
    with opened(browser, site.url, "timeline") as page:
        page.locator(".drop").evaluate(
            """box => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([new Uint8Array(1 << 20)], "dropped.wav"));
                box.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, cancelable: true}));
            }"""
        )
        assert "dropped.wav, 1.0 MB" in page.locator(".drop").inner_text()


def test_what_is_no_recording_is_said_so(browser: Browser, site: Running, tmp_path: Path) -> None:
    (letter := tmp_path / "letter.txt").write_text("Dear voice")
    with opened(browser, site.url, "timeline", expect=("422",)) as page:
        page.get_by_role("button", name="Find who spoke when").click()
        assert page.locator("#upload [role=alert]").inner_text() == "Choose a recording first."
        page.locator("#upload input[type=file]").set_input_files(letter)
        page.get_by_role("button", name="Find who spoke when").click()
        notices = page.locator("#upload [role=alert], #jobs .notice")
        expect(notices.filter(has_text="letter.txt").first).to_be_visible(timeout=20_000)


def test_a_speaker_is_renamed_and_a_reload_keeps_it(page: Page, site: Running, job: str) -> None:
    speaker(page, "A").fill("Ann <b>")
    speaker(page, "A").press("Enter")
    expect(page.locator(".turns tbody tr").first).to_contain_text("Ann <b>")
    assert names(site.url, job)[0] == "Ann <b>"
    page.reload()
    expect(speaker(page, "A")).to_have_value("Ann <b>")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(speaker(page, "A")).to_have_value("speaker-1")
    page.get_by_role("button", name="Redo", exact=True).click()
    expect(speaker(page, "A")).to_have_value("Ann <b>")


def test_a_name_that_is_taken_is_refused_in_words(browser: Browser, site: Running, job: str) -> None:
    with opened(browser, site.url, "timeline", expect=("400",)) as page:
        open_job(page, job)
        speaker(page, "A").fill("speaker-2")
        speaker(page, "A").press("Enter")
        expect(page.locator("#recording [role=alert]")).to_contain_text("merge the two if they are one")
        expect(speaker(page, "A")).to_have_value("speaker-1")


def test_two_speakers_are_merged_and_split_again(page: Page, site: Running, job: str) -> None:
    page.get_by_role("button", name="Merge speaker-1 with the chosen one").click()
    expect(speaker(page, "B")).to_have_count(0)
    assert names(site.url, job) == ["speaker-1"]
    page.get_by_role("button", name="Split speaker-1 in two").click()
    expect(speaker(page, "B")).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(speaker(page, "B")).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(speaker(page, "B")).to_have_value("speaker-2")
    assert names(site.url, job) == ["speaker-1", "speaker-2"]


def test_a_turn_is_given_to_somebody_new(page: Page, site: Running, job: str) -> None:
    page.locator(".turns tbody tr").nth(1).get_by_role("checkbox").check()
    assert "speaker-2 at" in page.locator("#chosen").inner_text()
    page.get_by_label("Give to").select_option("somebody new")
    page.get_by_label("Name of somebody new").fill("Carl")
    page.get_by_role("button", name="Give these seconds").click()
    expect(page.locator(".turns tbody tr").nth(1)).to_contain_text("Carl")
    assert "Carl" in names(site.url, job)


def test_two_turns_are_one_person(page: Page, site: Running, job: str) -> None:
    rows = page.locator(".turns tbody tr")
    expect(page.get_by_role("button", name="Same person")).to_be_disabled()
    rows.nth(0).get_by_role("checkbox").check()
    rows.nth(1).get_by_role("checkbox").check()
    page.get_by_role("button", name="Same person").click()
    expect(speaker(page, "B")).to_have_count(0)
    turns = result(site.url, job)["turns"]
    assert len({turn["speaker"] for turn in turns}) == 1


def test_speakers_are_told_apart_anew(page: Page, site: Running, job: str) -> None:
    page.get_by_label("Number of speakers").last.fill("1")
    page.get_by_role("button", name="Tell apart anew").click()
    expect(speaker(page, "B")).to_have_count(0)
    page.get_by_role("button", name="As many as there seem to be").click()
    expect(speaker(page, "B")).to_have_count(1)
    assert len(names(site.url, job)) == 2


def test_names_come_from_the_gallery(page: Page, site: Running, job: str, samples: Path) -> None:
    with (samples / "philippe_2.flac").open("rb") as sound:
        site.gallery.enrol("Philippe", sound)
    try:
        page.get_by_role("button", name="Use names of enrolled people").click()
        expect(page.get_by_text("Known: Philippe.")).to_be_visible()
        expect(speaker(page, "B")).to_have_value("Philippe")
    finally:
        site.gallery.delete("Philippe")
    assert names(site.url, job) == ["speaker-1", "Philippe"]


def test_only_the_keyboard(page: Page, site: Running, job: str) -> None:
    page.get_by_role("heading", name="Who spoke when?").focus()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "lanes":
            break
    else:
        pytest.fail("the lanes are not reached with Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#announcer")).to_have_text(re.compile(r"^B, speaker-2, 0:0\d\.\d to 0:1\d\.\d"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#play")).to_have_text("Play")
    page.keyboard.press("a")
    expect(page.locator(".turns tbody tr").nth(1)).to_contain_text("speaker-1")
    assert {turn["speaker"] for turn in result(site.url, job)["turns"]} == {"speaker-1"}
    page.keyboard.press("Control+z")
    expect(page.locator(".turns tbody tr").nth(1)).to_contain_text("speaker-2")
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator("#chosen").inner_text().endswith("Is it one person, or two?")


def test_a_click_on_a_lane_plays_the_turn(page: Page, site: Running, job: str) -> None:
    turn = result(site.url, job)["turns"][2]
    lanes = page.locator(".lanes")
    width = lanes.bounding_box()["width"]  # type: ignore[index]
    middle = (turn["start"] + turn["end"]) / 2 / result(site.url, job)["extent"]
    lanes.click(position={"x": middle * width, "y": 22 + 30})
    expect(page.locator("#play")).to_have_text("Pause")
    expect(page.locator(".turns tr[aria-current]")).to_contain_text(turn["speaker"])
    expect(page.locator("#play")).to_have_text("Play", timeout=10_000)  # and stops at its end


def test_drawn_seconds_may_be_given(page: Page) -> None:
    wave = page.locator(".waveform")
    expect(wave.locator("canvas").first).to_be_attached()
    wave.hover(position={"x": 100, "y": 40})
    page.mouse.down()
    wave.hover(position={"x": 200, "y": 40})
    page.mouse.up()
    assert page.locator("#chosen").inner_text().endswith("as drawn.")
    page.locator("#give").click()
    expect(page.locator("#chosen")).to_have_text(re.compile("^Nothing yet"))


def test_every_format_is_exported_as_the_api_has_it(page: Page, site: Running, job: str, tmp_path: Path) -> None:
    edit(site.url, job, edit="rename", speaker="speaker-1", name="Zoé")
    buttons = page.locator("#formats button")
    assert buttons.evaluate_all("all => all.map(one => one.dataset.format)") == list(FORMATS)
    for name, form in FORMATS.items():
        with page.expect_download() as download:
            page.locator(f"[data-format={name}]").click()
        download.value.save_as(tmp_path / name)
        assert download.value.suggested_filename == f"meeting{form.suffix}"
        exported = httpx.get(f"{site.url}/v1/diarize/{job}/export/{name}").content
        assert (tmp_path / name).read_bytes() == exported
    assert "Zoé" in (tmp_path / "rttm").read_text(encoding="utf-8")


def test_zooming_shows_less(page: Page) -> None:
    wave = page.locator(".waveform > div")
    script = "host => host.shadowRoot.querySelector('.wrapper').clientWidth"
    expect(page.locator(".waveform canvas").first).to_be_attached()
    before = wave.evaluate(script)
    page.get_by_label("Zoom").focus()
    page.keyboard.press("End")
    assert wave.evaluate(script) > 1.5 * before


def test_thousands_of_turns_are_shown_a_page_at_a_time(browser: Browser, site: Running, job: str) -> None:
    known = result(site.url, job)
    turns = [
        {
            "start": 4.0 * i,
            "end": 4.0 * i + 3,
            "speaker": f"speaker-{i % 2 + 1}",
            "confidence": 0.3 if i == 4_000 else 0.9,
        }
        for i in range(5_000)
    ]
    with opened(browser, site.url, "timeline") as page:
        page.route("**/result", lambda route: route.fulfill(json=known | {"turns": turns, "extent": 20_000.0}))
        lanes = open_job(page, job)
        rows = page.locator(".turns tbody tr")
        expect(rows).to_have_count(25)
        lanes.focus()
        page.keyboard.press("End")
        expect(rows.last).to_have_attribute("aria-current", "true")
        expect(page.get_by_text("Turns 4976 to 5000 of 5,000 turns")).to_be_visible()
        assert page.get_by_role("button", name="Later turns").is_disabled()
        page.get_by_label("Only those that are unsure").check()
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("? unsure, 30 %")
        started = page.evaluate("performance.now()")
        for _ in range(20):
            page.keyboard.press("Home")
        assert page.evaluate("performance.now()") - started < 20_000


@pytest.mark.slow
def test_a_key_is_needed_and_the_sound_still_plays(browser: Browser, tmp_path: Path, meeting: Path) -> None:
    key = new_key(tmp_path)
    with serving(tmp_path) as running, opened(browser, running.url, "timeline", expect=("401",)) as page:
        page.get_by_label("Key").fill(key)
        page.get_by_role("button", name="Continue").click()
        page.locator("#upload input[type=file]").set_input_files(meeting)
        page.get_by_role("button", name="Find who spoke when").click()
        page.locator(".lanes").wait_for(timeout=30_000)
        page.locator(".turns").get_by_role("button", name="Play").first.click()
        expect(page.locator("#play")).to_have_text("Pause")
        assert len(httpx.get(f"{running.url}/v1/diarize", headers=bearer(key)).json()) == 1


def test_a_recording_is_deleted(browser: Browser, site: Running, meeting: Path) -> None:
    job = submitted(site.url, meeting, speakers=1)
    with opened(browser, site.url, "timeline") as page:
        open_job(page, job)
        delete = page.locator(f"[data-job='{job}']").get_by_role("button", name="Delete")
        delete.click()
        assert "who spoke when, with all edits" in page.get_by_role("dialog").inner_text()
        page.get_by_role("button", name="Keep it").click()
        assert result(site.url, job)
        delete.click()
        page.get_by_role("button", name="Delete for good").click()
        expect(page.locator(f"[data-job='{job}']")).to_have_count(0)
        expect(page.locator(".lanes")).to_have_count(0)
    assert httpx.get(f"{site.url}/v1/diarize/{job}").status_code == 404


def _colours(page: Page) -> int:
    """How many colours the lanes have."""
    script = """canvas => {
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
    }"""
    return int(page.locator(".lanes canvas").evaluate(script))
