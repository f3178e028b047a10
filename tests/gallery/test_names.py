"""Names: any words are welcome, what cannot be seen or disturbs a page is not."""

from __future__ import annotations

import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samevoice.errors import GalleryError
from samevoice.gallery.names import checked_name, name_key, nearest, shown

WELCOME = [
    "Anna",
    "../../etc",
    "/etc/passwd",
    "C:\\con",
    "Robert'); DROP TABLE people;--",
    "👩‍🚀",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "محمد",
    "אבג 12",
    "می‌خواهم",
    "O'Neill-Ó Súilleabháin",
    "山田 太郎",
    "%s {0} $HOME `id`",
    "-h",
    "null",
    "x" * 200,
]
DISTURBING = ["\0", "\x07", "\x1b[31m", "\r", "\n", "\v", "\x85", "\u2028", "\u2029", "\ud800", "\udfff", "\x9b"]
DISTURBING += [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
INVISIBLE = ["\u200b", "\u200d\u2060", "\u00ad", "\u3164", "\u115f\u1160", "\ufe0f", "\u2800", "\u0301", "\U000e0041"]


def accepted(text: str) -> bool:
    try:
        checked_name(text)
    except GalleryError:
        return False
    return True


@pytest.mark.parametrize("name", WELCOME)
def test_any_words_are_names(name: str) -> None:
    assert checked_name(name) == name
    assert checked_name(f"  {name}\n") == name
    assert shown(name).strip("\u2068\u2069") == name


@pytest.mark.parametrize("sign", DISTURBING)
def test_what_disturbs_is_refused_and_shown_safely(sign: str) -> None:
    text = f"An{sign}na"
    with pytest.raises(GalleryError, match=rf"U\+{ord(sign[0]):04X}") as caught:
        checked_name(text)
    for safe in (str(caught.value), shown(text)):
        assert sign[0] not in safe
        safe.encode()
    assert shown(text) != shown("Anna")


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u00a0\u3000", *INVISIBLE])
def test_nothing_to_see_is_no_name(text: str) -> None:
    with pytest.raises(GalleryError, match="at least one letter"):
        checked_name(text)
    assert accepted(f"x{text}x".replace("\t\n", ""))


@pytest.mark.parametrize(
    "text", ["x" * 201, "x" * 10_000, "a" + "\u0315\u0300" * 100_000], ids=["201", "10 kB", "marks"]
)
def test_long_names_are_refused_at_once_in_a_short_sentence(text: str) -> None:
    began = time.perf_counter()
    with pytest.raises(GalleryError, match="at most 200") as caught:
        checked_name(text)
    assert time.perf_counter() - began < 1
    assert len(str(caught.value)) < 100
    assert len(shown(text)) < 100


def test_length_counts_composed_characters() -> None:
    assert checked_name("e\u0301" * 200) == "é" * 200
    assert not accepted("e\u0301" * 201)


@pytest.mark.slow
def test_every_character_is_either_refused_or_safe_and_keyed() -> None:
    """All of Unicode, against the categories: nothing unprintable passes, and whatever passes can be found again."""
    passed = 0
    for sign in map(chr, range(sys.maxunicode + 1)):
        if accepted(sign):
            name = checked_name(sign)
            passed += 1
            assert not any(unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp", "Zs", "Cf"} for one in name)
            key = name_key(name)
            assert key
            assert key == name_key(key)
    assert passed > 100_000


@given(st.text(max_size=50))
def test_what_is_accepted_is_settled(text: str) -> None:
    if accepted(text):
        name = checked_name(text)
        assert checked_name(name) == name
        assert unicodedata.is_normalized("NFC", name)
        assert name == name.strip()
    shown(text).encode()
    assert not any(unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} for sign in shown(text))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_keys_are_the_same_for_all_spellings(text: str) -> None:
    key = name_key(text)
    assert key == name_key(key)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert name_key(unicodedata.normalize(form, text)) == key
    assert name_key(f" {text.casefold()}") == key
    assert name_key("\u200b".join(text)) == key


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ANNA", "anna"),
        ("Straße", "STRASSE"),
        ("\uff21\uff4e\uff4e\uff41", "Anna"),
        ("José", "Jose\u0301"),
        ("Anna  B", "anna\u00a0b"),
        ("\u03b1\u0345\u0301", "\u03b1\u0301\u0345"),
    ],
)
def test_one_name_in_two_spellings_has_one_key(first: str, second: str) -> None:
    assert name_key(first) == name_key(second)


def test_different_names_have_different_keys() -> None:
    keys = {name_key(name) for name in [*WELCOME, "Anne", "Ann a", "ana", "José", "Jose"]}
    assert len(keys) == len(WELCOME) + 5


def test_right_to_left_words_do_not_reorder_the_line() -> None:
    assert shown("אבג") == "\u2068אבג\u2069"
    assert shown("Anna") == "Anna"


PEOPLE = ["Anna Müller", "Annika Moller", "Bert", "Bo", "José Silva", "山田 太郎"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ana müller", "Anna Müller"),
        ("Brt", "Bert"),
        ("B", "Bo"),
        ("JOSE SILVA", "José Silva"),
        ("山田太郎", "山田 太郎"),
    ],
)
def test_tells_who_may_have_been_meant(typed: str, meant: str) -> None:
    assert nearest(typed, PEOPLE)[0] == meant
    crowd = [f"Person {number:x} of many" for number in range(5_000)]
    assert nearest(typed, [*crowd, *PEOPLE], most=1) == [meant]


def test_tells_nobody_where_nobody_is_alike() -> None:
    assert nearest("zzzz", PEOPLE) == []
    assert nearest("", PEOPLE) == []
    assert nearest("anna", []) == []
    assert len(nearest("person 1", [f"person {number}" for number in range(9)], most=2)) == 2


@given(st.text(), st.lists(st.text()))
def test_whatever_is_typed_only_names_come_back(typed: str, names: list[str]) -> None:
    assert set(nearest(typed, names)) <= set(names)


@pytest.mark.parametrize("sign", ["\u2065", "\ufff0", "\U000e0002", "\U0001d159", "\U00016fe4", "\u2800"])
def test_signs_that_nobody_sees_make_no_other_person(sign: str) -> None:
    assert name_key(f"Ada{sign}") == name_key("Ada")
    with pytest.raises(GalleryError, match="nothing that can be seen"):
        checked_name(sign)
