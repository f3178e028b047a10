"""SRT and WebVTT, so that a player shows who speaks: one cue for each turn.

SRT has no place for a speaker, so the text of a cue is the name in brackets, `[Ann Lee]`; read are these and cues that
begin `Ann Lee: `. WebVTT has voice tags, `<v Ann Lee>`; of a cue with several each speaker gets all of it.
Lost: confidence, the recording's name and length. Cues may overlap as turns do.
Sources: W3C, "WebVTT: The Web Video Text Tracks Format"; the SubRip text format.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from samevoice.diarization.formats.lines import clock, from_clock, numbered, recording_of, rows, turn, wrong
from samevoice.diarization.turns import Diarization, Turn

Block = list[tuple[int, str]]
ARROW = "-->"
BRACKETED = re.compile(r"\[(.+)\]")
VOICE = re.compile(r"<v(?:\.[^\s>]*)?[ \t]([^<>]+)>")


def write_srt(diarization: Diarization) -> str:
    """Numbered cues."""
    cues = (f"{_times(start, end, ',')}\n[{one.speaker}]\n" for start, end, one in rows(diarization))
    return "\n".join(f"{number}\n{cue}" for number, cue in enumerate(cues, 1))


def write_vtt(diarization: Diarization) -> str:
    """Cues with voice tags."""
    named = ((_times(start, end, "."), html.escape(one.speaker, quote=False)) for start, end, one in rows(diarization))
    return "WEBVTT\n" + "".join(f"\n{times}\n<v {name}>{name}</v>\n" for times, name in named)


def read_srt(text: str, source: str) -> list[Diarization]:
    """The one recording of a file.

    Raises:
        DataError: times cannot be read, or a cue names no speaker.
    """
    turns: list[Turn] = []
    for block in _blocks(text):
        cue = _cue(block)
        if not cue:
            raise wrong(source, block[0][0], f"is no cue of SRT: a number, times with {ARROW}, and the text")
        line, said = cue[1] if len(cue) > 1 else (cue[0][0], "")
        if not (speaker := _speaker(said)):
            raise wrong(source, line, "names no speaker; write '[Ann]' or 'Ann: words'")
        turns.append(_turn(cue[0], speaker, source))
    return [recording_of(turns, "", source)]


def read_vtt(text: str, source: str) -> list[Diarization]:
    """The one recording of a file; notes, styles and regions are passed over.

    Raises:
        DataError: it is no WebVTT, times cannot be read, or a cue has no voice tag.
    """
    blocks = _blocks(text)
    head = next(blocks, [(1, "")])[0]
    if head != (1, "WEBVTT") and not (head[0] == 1 and re.match(r"WEBVTT[ \t]", head[1])):
        raise wrong(source, 1, "is no WebVTT; the first line must be WEBVTT")
    turns: list[Turn] = []
    for block in blocks:
        cue = _cue(block)
        if not cue:  # a note, a style, a region
            continue
        voices = [html.unescape(name) for _, line in cue[1:] for name in VOICE.findall(line)]
        if not voices:
            raise wrong(source, cue[0][0], "the cue has no voice tag; write '<v Ann>' before the words")
        turns.extend(_turn(cue[0], voice, source) for voice in voices)
    return [recording_of(turns, "", source)]


def _times(start: int, end: int, mark: str) -> str:
    """The line of times."""
    return f"{clock(start, mark)} {ARROW} {clock(end, mark)}"


def _speaker(said: str) -> str:
    """Who a cue of SRT says speaks; nothing where it does not say."""
    if match := BRACKETED.fullmatch(said):
        return match[1]
    name, colon, words = said.partition(":")
    return name.strip() if colon and words[:1] in ("", " ", "\t") else ""


def _blocks(text: str) -> Iterator[Block]:
    """Lines between empty lines."""
    block: Block = []
    for number, line in [*numbered(text), (0, "")]:
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []


def _cue(block: Block) -> Block:
    """A block from its times on; nothing where it has none."""
    for index, (_, line) in enumerate(block[:2]):
        if ARROW in line:
            return block[index:]
    return []


def _turn(times: tuple[int, str], speaker: str, source: str) -> Turn:
    """The turn of a cue."""
    number, line = times
    start, _, rest = line.partition(ARROW)
    end = rest.split()[:1]  # settings may follow
    if not end:
        raise wrong(source, number, "the cue has no end")
    return turn(from_clock(start.strip(), source, number), from_clock(end[0], source, number), speaker, source, number)
