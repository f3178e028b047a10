"""What may be a person's name, when two names are the same, and how a name is printed.

A name is only text: it never becomes part of a path or of SQL, so dots, slashes and quotes are as good as letters.
Refused is what cannot be seen or would disturb a terminal or a page.

Knows: Unicode. Does not know: who is enrolled.
Source: The Unicode Standard, sections 3.13 (NFKC_Casefold) and 23.2 (layout controls); Unicode Standard Annex 9.
"""

from __future__ import annotations

import difflib
import heapq
import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from samevoice.errors import GalleryError

LONGEST = 200
_LIKELY = 100  # names that are compared with care, which takes long
_SHOWN = 60  # of a text that is too long to be a name
# Steer the order of what follows them, beyond the end of the name: embeddings, overrides, isolates.
_STEERING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_RIGHT_TO_LEFT = {"R", "AL", "AN"}
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
# Drawn as nothing, though their category says otherwise: joiner, fillers of Hangul and Khitan, Khmer vowels, variation
# selectors, the null notehead, Braille's pattern without dots, and what Unicode keeps free for more of the kind.
_FILLERS = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2065, 0x2800, 0x3164, 0xFFA0}
_FILLERS.update({0x16FE4, 0x1D159}, range(0xFE00, 0xFE10), range(0xFFF0, 0xFFF9), range(0xE0000, 0xE1000))


def checked_name(text: str) -> str:
    """A name as it is stored: without spaces at its ends, in Unicode's composed form (NFC).

    Args:
        text: what the user typed: any words, signs and emoji of up to 200 characters.

    Raises:
        GalleryError: it is empty, too long or invisible, or holds a control character, a line break, half a surrogate
            pair, or a character that reorders the text after it.
    """
    # Before composing, which takes very long for very long texts; composing shortens a name to no less than a quarter.
    if len(text) <= 4 * LONGEST:
        text = unicodedata.normalize("NFC", text.strip())
    if len(text) > LONGEST:
        raise GalleryError(f"a person's name has at most {LONGEST} characters, got {len(text)}; shorten it")
    if not text:
        raise GalleryError("a person's name is empty; give at least one letter")
    if unsafe := next(filter(_disturbs, text), None):
        raise GalleryError(
            f"the name {shown(text)} holds the character U+{ord(unsafe):04X}, which does not belong in a name; "
            "leave it out"
        )
    if not any(map(_visible, text)):
        raise GalleryError("a person's name holds nothing that can be seen; give at least one letter")
    return text


def stranger_name(number: int) -> str:
    """What somebody is called who was heard and whom nobody has named yet: "unknown-17"."""
    return f"unknown-{number}"


def stranger_number(name: str) -> int | None:
    """The number in such a name, however it is written; None if it is another name."""
    found = re.fullmatch(r"unknown-([1-9][0-9]{0,17})", name_key(name))
    return int(found[1]) if found else None


def refuse_reserved(name: str, stranger: int | None) -> None:
    """Refuse a name that the gallery gives to strangers to all but the stranger of that number.

    Args:
        name: as `checked_name` gives it.
        stranger: number of who would have it; None for somebody enrolled.

    Raises:
        GalleryError: so.
    """
    number = stranger_number(name)
    if number is not None and number != stranger:
        raise GalleryError(f"{shown(name)} is a name that the gallery itself gives to strangers; choose another")


def name_key(text: str) -> str:
    """The same for all names that a reader would take for one: upper or lower case, wide or composed, zero-width signs.

    Unicode's NFKC_Casefold, with any run of spaces as one space. Letters of other scripts that look alike stay apart.

    Args:
        text: as `checked_name` gives it.
    """
    key = text
    while (folded := _folded(key)) != key:  # once is enough but for a few signs, such as Greek iota below a vowel
        key = folded
    return key


def shown(text: str) -> str:
    """A text as it may be printed within a line: nothing that disturbs, right-to-left words isolated, not too long.

    Args:
        text: a name, or whatever somebody typed instead of one.
    """
    if len(text) > LONGEST:
        text = f"{text[:_SHOWN]}…"
    if any(unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in text):
        return f"{_FIRST_STRONG_ISOLATE}{_escaped(text)}{_POP_ISOLATE}"
    return _escaped(text)


def nearest(name: str, names: Iterable[str], most: int = 3) -> list[str]:
    """Names that somebody may have meant, the most alike first; none when nothing is alike.

    Args:
        name: what was typed.
        names: of all people.
        most: how many to give at most, at least 1.
    """
    by_key = {name_key(one): one for one in names}
    wanted = name_key(name[:LONGEST])
    pairs = _pairs(wanted)

    def likeness(key: str) -> float:
        others = _pairs(key)
        return len(pairs & others) / (len(pairs) + len(others))

    likely = heapq.nlargest(_LIKELY, by_key, key=likeness)
    return [by_key[key] for key in difflib.get_close_matches(wanted, likely, n=most)]


def _pairs(key: str) -> set[str]:
    """Neighbouring characters, ends included: what is alike shares them."""
    return {one + other for one, other in pairwise(f" {key} ")}


def _folded(text: str) -> str:
    """One round of NFKC_Casefold."""
    plain = "".join(sign for sign in text if not _ignorable(sign))
    composed = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", plain).casefold())
    return " ".join(composed.split())


def _ignorable(sign: str) -> bool:
    """Whether a character is drawn as nothing."""
    return unicodedata.category(sign) == "Cf" or ord(sign) in _FILLERS


def _visible(sign: str) -> bool:
    """Whether a character can be seen by itself: no space, no accent without a letter, nothing that is ignored."""
    return unicodedata.category(sign)[0] not in "ZCM" and ord(sign) not in _FILLERS


def _disturbs(sign: str) -> bool:
    """Whether a character breaks the line, drives a terminal, cannot be encoded, or reorders what follows."""
    return unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} or unicodedata.bidirectional(sign) in _STEERING


def _escaped(text: str) -> str:
    """The text with Python's escapes in place of what disturbs."""
    return "".join(sign.encode("unicode_escape").decode() if _disturbs(sign) else sign for sign in text)
