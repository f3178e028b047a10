"""Sealing and rotation: against published vectors and the standards' own steps, and against tampering."""

from __future__ import annotations

import hashlib
import hmac
import math
import pickle
import struct

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from samevoice.errors import GalleryError
from samevoice.gallery.crypto import (
    MasterKey,
    Rotation,
    Vectors,
    context_of,
    new_data_key,
    packed,
    seal,
    unpacked,
    unseal,
)

KEYS = st.binary(min_size=32, max_size=32)
PARTS = st.lists(st.text(max_size=4) | st.integers(), max_size=4)


def expand(secret: bytes, info: bytes) -> bytes:
    """HKDF's second step (RFC 5869, section 2.3) for 32 bytes."""
    return hmac.new(secret, info + b"\x01", hashlib.sha256).digest()


def unit_vectors(count: int, size: int, seed: int = 0) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((count, size))
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def test_opens_the_published_example() -> None:
    """Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation"."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    sealed = bytes.fromhex(
        "cafebabefacedbaddecaf888"
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    plain = unseal(key, sealed, bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"))
    assert plain.hex() == (
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )


@given(KEYS, st.binary(max_size=100), st.binary(max_size=20), st.data())
def test_what_was_sealed_opens_only_whole(key: bytes, content: bytes, context: bytes, data: st.DataObject) -> None:
    sealed = seal(key, content, context)
    assert unseal(key, sealed, context) == content
    assert len(sealed) == len(content) + 28
    assert seal(key, content, context) != sealed  # another nonce
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    altered = bytearray(sealed)
    altered[bit // 8] ^= 1 << bit % 8
    short = sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    for wrong in (bytes(altered), short, sealed + b"\0"):
        with pytest.raises(GalleryError, match="altered, or another key"):
            unseal(key, wrong, context)


def test_another_key_or_place_opens_nothing_and_the_error_is_silent() -> None:
    key, content = new_data_key(), b"a voice that is private"
    sealed = seal(key, content, context_of("template", "a", 1))
    for wrong_key, context in ((new_data_key(), ("template", "a", 1)), (key, ("template", "b", 1))):
        with pytest.raises(GalleryError) as caught:
            unseal(wrong_key, sealed, context_of(*context))
        assert caught.value.__cause__ is None
        assert not any(secret in str(caught.value) for secret in (key.hex(), wrong_key.hex(), sealed.hex(), "private"))


@given(PARTS, PARTS)
def test_contexts_differ_where_their_parts_do(first: list[str | int], second: list[str | int]) -> None:
    assert (context_of(*first) == context_of(*second)) == (first == second)


def test_contexts_keep_the_borders_of_their_parts() -> None:
    contexts = [context_of(*parts) for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("abstrc",), ("1",), (1,))]
    assert len(set(contexts)) == 6


@given(KEYS, st.text(st.characters(codec="utf-8"), max_size=20))
def test_derives_as_the_standard_says(raw: bytes, purpose: str) -> None:
    extracted = hmac.new(bytes(32), raw, hashlib.sha256).digest()
    assert MasterKey.from_bytes(raw).derive(purpose) == expand(extracted, b"samevoice gallery 1: " + purpose.encode())


def test_data_keys_open_only_for_their_person_and_master() -> None:
    master, data_key = MasterKey.generate(), new_data_key()
    wrapped = master.wrap(data_key, b"anna")
    assert len(wrapped) == 60
    assert data_key not in wrapped
    assert master.unwrap(wrapped, b"anna") == data_key
    for other, context in ((master, b"bert"), (MasterKey.generate(), b"anna")):
        with pytest.raises(GalleryError):
            other.unwrap(wrapped, context)
    with pytest.raises(GalleryError):  # the master key itself seals nothing
        unseal(master.derive("something else"), wrapped, b"anna")


def test_a_master_key_shows_nothing_of_itself() -> None:
    raw = b"0123456789abcdefghijklmnopqrstuv"
    key = MasterKey.from_bytes(raw)
    for text in (repr(key), str(key), f"{key}", repr([key])):
        assert "hidden" in text
        assert not any(part in text for part in ("0123", raw.hex()[:8]))
    with pytest.raises(TypeError, match="not handed on"):
        pickle.dumps(key)
    assert MasterKey.generate().derive("x") != MasterKey.generate().derive("x")


@pytest.mark.parametrize("raw", [b"", b"secret" * 5, b"secret" * 6])
def test_keys_of_other_lengths_are_refused_unseen(raw: bytes) -> None:
    for use in (
        lambda: MasterKey.from_bytes(raw),
        lambda: MasterKey.generate().wrap(raw, b""),
        lambda: Rotation(raw, 3),
    ):
        with pytest.raises(ValueError, match="32 bytes") as caught:
            use()
        assert "secret" not in str(caught.value)


@given(st.lists(st.floats(width=32), min_size=3, max_size=3), st.integers(1, 3))
def test_vectors_are_kept_as_little_endian_floats(values: list[float], count: int) -> None:
    content = packed(np.array(values, dtype=np.float32))
    assert content == struct.pack("<3f", *values)
    assert packed(np.array(values, dtype=np.float32).astype(">f4")) == content
    back = unpacked(content * count, 3)
    assert back.dtype == np.float32
    assert np.array_equal(back, np.array([values] * count, dtype=np.float32), equal_nan=True)


@pytest.mark.parametrize(("content", "size"), [(bytes(11), 3), (bytes(16), 3), (bytes(12), 0)])
def test_bytes_of_another_size_are_no_vectors(content: bytes, size: int) -> None:
    with pytest.raises(GalleryError, match="was not made by this model"):
        unpacked(content, size)


def drawn(key: bytes, size: int) -> list[list[float]]:
    """The rotation's columns by the book: counter blocks, Box and Muller, Gram and Schmidt."""
    block = Cipher(algorithms.AES(expand(key, b"samevoice gallery 1: rotation 1")), modes.ECB()).encryptor()  # noqa: S305
    blocks = b"".join(block.update(number.to_bytes(16, "big")) for number in range(size * size))
    uniform = [((word >> 11) + 1) / 2**53 for word in struct.unpack(f"<{2 * size * size}Q", blocks)]
    pairs = zip(uniform[: size * size], uniform[size * size :], strict=True)
    normal = [math.sqrt(-2 * math.log(one)) * math.cos(2 * math.pi * two) for one, two in pairs]
    columns: list[list[float]] = []
    for place in range(size):
        column = normal[place::size]
        for known in columns:
            along = sum(map(float.__mul__, known, column))
            column = [value - along * other for value, other in zip(column, known, strict=True)]
        norm = math.hypot(*column)
        columns.append([value / norm for value in column])
    return columns


@settings(max_examples=30)
@given(KEYS, st.integers(1, 12))
def test_every_machine_draws_the_rotation_of_the_book(key: bytes, size: int) -> None:
    turned = Rotation(key, size)(np.eye(size, dtype=np.float32))
    assert np.allclose(turned, np.array(drawn(key, size)).T, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 192, 256, 512])
def test_cosines_stay_and_zeros_stay_zeros(size: int) -> None:
    vectors, rotation = unit_vectors(500, size), Rotation(new_data_key(), size)
    turned = rotation(vectors)
    assert turned.dtype == np.float32
    plain, after = vectors.astype(np.float64), turned.astype(np.float64)
    assert np.abs(plain @ plain.T - after @ after.T).max() < 1e-6
    assert not rotation(np.zeros((2, size), dtype=np.float32)).any()
    assert rotation(vectors[:0]).shape == (0, size)


def test_rotated_vectors_resemble_neither_the_plain_ones_nor_those_of_another_key() -> None:
    """Cosines between them scatter about 0 as those of random directions do: standard deviation 1 / sqrt(d)."""
    vectors = unit_vectors(2000, 192)
    first, second = (Rotation(new_data_key(), 192)(vectors) for _ in range(2))
    for one, other in ((vectors, first), (first, second)):
        cosines = np.einsum("nd,nd->n", one, other)
        assert abs(cosines.mean()) < 0.05
        assert cosines.std() == pytest.approx(1 / math.sqrt(192), rel=0.2)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 2, 3)])
def test_rotations_refuse_other_shapes(shape: tuple[int, ...]) -> None:
    rotation = Rotation(bytes(32), 3)
    with pytest.raises(ValueError, match=r"\(n, 3\)"):
        rotation(np.zeros(shape, dtype=np.float32))
    with pytest.raises(ValueError, match="at least 1"):
        Rotation(bytes(32), 0)
    assert repr(rotation) == "Rotation(3)"
