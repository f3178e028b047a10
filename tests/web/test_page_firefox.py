"""The page in Firefox: the microphone and the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from firefox import Firefox, firefox

if TYPE_CHECKING:
    from servicemakers import Running

pytest_plugins = ["webfixtures"]


@pytest.fixture(scope="module")
def fox(tmp_path_factory: pytest.TempPathFactory, site: Running) -> Iterator[Firefox]:
    """Firefox at the page."""
    with firefox(tmp_path_factory.mktemp("firefox")) as found:
        found.open(f"{site.url}/#/same")
        found.wait("document.querySelector('h1')?.textContent === 'Same voice?'")
        yield found


@pytest.fixture(scope="module")
def sounds(fox: Firefox) -> bool:
    """Whether sound runs in Firefox on this machine: it stands still where there is no sound card."""
    return bool(
        fox.evaluate("""new Promise((done) => {
            const context = new AudioContext();
            setTimeout(() => done(context.currentTime > 0), 2000);
        })""")
    )


def test_the_audio_thread_hands_on_all_samples(fox: Firefox) -> None:
    parts = fox.evaluate("""(async () => {
        const context = new OfflineAudioContext(1, 16000, 16000);
        await context.audioWorklet.addModule("/js/worklet.js");
        const tap = new AudioWorkletNode(context, "tap", {channelCount: 1, channelCountMode: "explicit"});
        const parts = [];
        tap.port.onmessage = ({data}) => parts.push([data.length, Math.max(...data)]);
        const tone = new OscillatorNode(context, {frequency: 440});
        tone.connect(tap).connect(context.destination);
        tone.start();
        await context.startRendering();
        await new Promise((done) => setTimeout(done, 500));
        return parts;
    })()""")
    assert [length for length, _ in parts] == [1024] * (16_000 // 1024)
    assert min(loudest for _, loudest in parts) > 0.99


def test_the_microphone_gives_sound(fox: Firefox, sounds: bool) -> None:
    if not sounds:
        pytest.skip("Firefox runs no sound on a machine without a sound card")
    fox.evaluate("document.querySelector('.record').click()")
    fox.wait("['good', 'quiet'].includes(document.querySelector('.coach .bar-words').textContent)")  # of the level
    fox.wait("new Promise((done) => setTimeout(done, 1000, true))")
    fox.evaluate("document.querySelector('.record').click()")
    told = fox.evaluate("document.querySelector('.told').textContent")
    assert told.startswith("First voice, ")
    assert float(told.split()[1]) >= 0.9


@pytest.mark.slow
def test_a_microphone_without_sound_is_told(fox: Firefox, sounds: bool) -> None:
    if sounds:
        pytest.skip("the microphone gives sound")
    fox.evaluate("document.querySelector('.record').click()")
    fox.wait("document.querySelector('.recordbox [role=alert]').textContent.includes('gives no sound')")
    assert fox.evaluate("document.querySelector('.record').disabled") is False


def test_two_files_are_compared(fox: Firefox, samples: Path) -> None:
    fox.choose(".card:nth-child(1) input[type=file]", samples / "sample_1a.mp3")
    fox.choose(".card:nth-child(2) input[type=file]", samples / "sample_1b.mp3")
    fox.wait("[...document.querySelectorAll('.told')].every(line => line.textContent.startsWith('sample_1'))")
    fox.evaluate("[...document.querySelectorAll('button.main')].find(one => one.textContent === 'Compare').click()")
    fox.wait("document.querySelector('.result .headline')?.textContent === 'Same person'")
