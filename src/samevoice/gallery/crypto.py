"""Sealing what a gallery keeps: a master key, a data key for each person, and a keyed rotation for indexes.

What each protects against:
- Sealing (AES-256-GCM): whoever gets the database, a backup of it or its disk without the master key reads no
  voiceprint and changes none unnoticed. Not against whoever has the key or the memory of a running process. It does
  not hide how many rows there are, how long they are, or that a whole row went back to an older state of itself.
- Data keys: each person's rows are sealed under a random key of that person, which lies in the database only wrapped
  by the master key. Where a row cannot be wiped (logs of a database server), its key still can be.
- Rotation: see `Rotation`; much weaker than sealing, for indexes that must compare vectors.

Knows: keys, sealed bytes, float32 vectors. Does not know: where keys come from (`keys`), tables.
Sources: NIST SP 800-38D (GCM); RFC 5869 (HKDF); Mezzadri, "How to generate random matrices from the classical compact
groups", Notices of the AMS 54, 2007 (QR with signs fixed); Ratha et al., "Enhancing security and privacy in
biometrics-based authentication systems", IBM Systems Journal 40, 2001 (cancelable templates).
"""

from __future__ import annotations

import os
from typing import NoReturn

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from numpy.typing import NDArray

from samevoice.errors import GalleryError

Vectors = NDArray[np.float32]

KEY_BYTES = 32
NONCE_BYTES = 12
STORED = np.dtype("<f4")  # how a vector lies on disk, whatever machine wrote it
_PURPOSE = b"samevoice gallery 1: "
_NOT_OPENED = (
    "a sealed value of the gallery does not open: it was altered, or another key sealed it; give the key that the "
    "gallery was made with, or restore a backup"
)


class MasterKey:
    """The one secret of a gallery. It seals nothing itself: every use has a key derived for its purpose.

    Neither its repr nor an error shows the bytes, and it never goes from process to process.
    """

    __slots__ = ("_raw", "_wrapping")

    def __init__(self, raw: bytes) -> None:
        """Take 32 random bytes.

        Raises:
            ValueError: they are not 32.
        """
        self._raw = _checked_key(raw)
        self._wrapping = AESGCM(self.derive("wrap data keys"))

    @staticmethod
    def generate() -> MasterKey:
        """A new key from the system's random source, which is kept nowhere."""
        return MasterKey(os.urandom(KEY_BYTES))

    @staticmethod
    def from_bytes(raw: bytes) -> MasterKey:
        """The key of 32 given bytes.

        Raises:
            ValueError: they are not 32.
        """
        return MasterKey(raw)

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose; nothing about the master key or the other purposes follows from it."""
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_PURPOSE + purpose.encode()).derive(self._raw)

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """Seal a person's data key.

        Args:
            data_key: 32 bytes, see `new_data_key`.
            context: whose key it is, see `context_of`.

        Returns:
            60 bytes.

        Raises:
            ValueError: the data key has not 32 bytes.
        """
        return _seal(self._wrapping, _checked_key(data_key), context)

    def unwrap(self, sealed: bytes, context: bytes) -> bytes:
        """Open a person's data key.

        Raises:
            GalleryError: it was altered, is another person's, or another master key wrapped it.
        """
        return _unseal(self._wrapping, sealed, context)

    def __repr__(self) -> str:
        return "MasterKey(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a master key is not handed on; each process finds it by itself")


def new_data_key() -> bytes:
    """32 random bytes: the key of a new person."""
    return os.urandom(KEY_BYTES)


def context_of(*parts: str | int) -> bytes:
    """What a sealed value belongs to, so that it opens nowhere else: table, person, model, row...

    Two different lists of parts never give the same bytes, whatever the texts hold.

    Example:
        `context_of("voiceprint", person, model, row)`
    """
    texts = [f"{type(part).__name__}{part}".encode() for part in parts]
    return b"".join(len(text).to_bytes(4, "big") + text for text in texts)


def seal(key: bytes, content: bytes, context: bytes) -> bytes:
    """Encrypt and authenticate with AES-256-GCM under a random nonce.

    Args:
        key: 32 bytes; for at most 2^32 values, since nonces are drawn.
        content: any bytes.
        context: what the value belongs to; it is authenticated, not stored.

    Returns:
        Nonce (12 bytes), ciphertext, tag (16 bytes).
    """
    return _seal(AESGCM(key), content, context)


def unseal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Give back what was sealed.

    Args:
        key: that sealed it.
        sealed: what `seal` gave.
        context: the same as then.

    Raises:
        GalleryError: it was altered, belongs to another context, or another key sealed it.
    """
    return _unseal(AESGCM(key), sealed, context)


def packed(vector: Vectors) -> bytes:
    """The bytes of a vector as it is sealed: little-endian float32, shape (d,)."""
    return vector.astype(STORED, copy=False).tobytes()


def unpacked(content: bytes, size: int) -> Vectors:
    """Vectors from the bytes of one or of many joined: a read-only view, shape (n, size).

    Raises:
        GalleryError: the bytes are not a whole number of vectors of that size.
    """
    if size < 1 or len(content) % (size * STORED.itemsize):
        raise GalleryError(
            f"the gallery holds a voiceprint that has not {size} numbers; it was not made by this model, or it is "
            "damaged: restore a backup"
        )
    return np.frombuffer(content, dtype=STORED).astype(np.float32, copy=False).reshape(-1, size)


class Rotation:
    """A keyed orthogonal map of R^d: all cosines stay, the vectors become meaningless without the key.

    Protects against somebody who gets the index alone: the rows match no recording, and no index of another key. When
    one leaks, a new key makes it worthless.

    Does not protect against somebody who also has about d pairs of a plain and a rotated vector, which solve for the
    matrix (fewer narrow it down); against guessing the map from the shape of a large cloud, by one who has the same
    model and many voices; nor against what an orthogonal map leaves open: all cosines among the rows, hence which
    rows are of one voice. Seal what need not be compared.

    Every machine draws the same matrix within 1e-6 in each number (the bits are the same, rounding in LAPACK is not).
    Cosines change by less than 1e-6.

    Args:
        key: 32 bytes, derived for this gallery and model.
        size: dimension d of the vectors, at least 1.

    Raises:
        ValueError: the key has not 32 bytes, or the size is below 1.
    """

    __slots__ = ("_matrix",)

    def __init__(self, key: bytes, size: int) -> None:
        if size < 1:
            raise ValueError(f"a rotation needs a dimension of at least 1, got {size}")
        directions, triangle = np.linalg.qr(_gaussians(_checked_key(key), size * size).reshape(size, size))
        # QR is unique, and its matrix uniform over all orthogonal ones, once the diagonal is positive.
        self._matrix = (directions * np.where(np.diag(triangle) < 0.0, -1.0, 1.0)).astype(np.float32)

    def __call__(self, vectors: Vectors) -> Vectors:
        """Rotate vectors.

        Args:
            vectors: shape (n, d); zeros stay zeros.

        Returns:
            Shape (n, d).

        Raises:
            ValueError: the shape is another.
        """
        if vectors.ndim != 2 or vectors.shape[1] != len(self._matrix):
            raise ValueError(f"a rotation takes vectors of shape (n, {len(self._matrix)}), got {vectors.shape}")
        turned: Vectors = vectors.astype(np.float32, copy=False) @ self._matrix
        return turned

    def __repr__(self) -> str:
        return f"Rotation({len(self._matrix)})"


def _gaussians(key: bytes, count: int) -> NDArray[np.float64]:
    """Standard normal numbers from AES-256-CTR under a key of their own, by Box and Muller."""
    stream_key = HKDFExpand(algorithm=SHA256(), length=KEY_BYTES, info=_PURPOSE + b"rotation 1").derive(key)
    stream = Cipher(algorithms.AES(stream_key), modes.CTR(bytes(16))).encryptor()  # the key serves this once
    words = np.frombuffer(stream.update(bytes(16 * count)), dtype="<u8").reshape(2, count)
    uniform = ((words >> np.uint64(11)) + 1) * 2.0**-53  # 53 bits in (0, 1], so that the logarithm is finite
    normal: NDArray[np.float64] = np.sqrt(-2.0 * np.log(uniform[0])) * np.cos(2.0 * np.pi * uniform[1])
    return normal


def _checked_key(raw: bytes) -> bytes:
    """The key, if it has 32 bytes."""
    if len(raw) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, got {len(raw)}")
    return bytes(raw)


def _seal(cipher: AESGCM, content: bytes, context: bytes) -> bytes:
    """Nonce, ciphertext and tag."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, content, context)


def _unseal(cipher: AESGCM, sealed: bytes, context: bytes) -> bytes:
    """What `_seal` took."""
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except (InvalidTag, ValueError):  # the second where not even a nonce is left
        raise GalleryError(_NOT_OPENED) from None
