from __future__ import annotations

import contextlib
import io
import os
import pickle
import zipfile
from pathlib import Path

import modelmakers as make
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samevoice.errors import ModelError
from samevoice.models.unpickle import read_checkpoint

EXPECTED = np.arange(120, dtype=np.float32).reshape(40, 3).T


@pytest.mark.parametrize("data", [make.archive(), make.stream()], ids=["archive", "stream"])
def test_strides_are_honoured(data: bytes) -> None:
    (array,) = read_checkpoint(data).values()
    np.testing.assert_array_equal(array, EXPECTED)
    assert array.flags.c_contiguous


@pytest.mark.parametrize("is_archive", [True, False], ids=["archive", "stream"])
def test_what_torch_writes_is_read_as_torch_reads_it(tmp_path: Path, is_archive: bool) -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    shared = torch.arange(12.0).reshape(3, 4)
    state = {
        "model": network.state_dict(),
        "parameter": network[0].weight,
        "slices": {0: shared[1:, ::2], 1: shared.t(), 2: torch.tensor(5), 3: torch.zeros(0, 3)},
        "half": torch.ones(2, dtype=torch.float16),
        "step": 7,
        "names": ["a", "b"],
        "rate": 0.1,
    }
    path = tmp_path / "net.pt"
    torch.save(state, path, _use_new_zipfile_serialization=is_archive)
    found = read_checkpoint(path.read_bytes())
    expected = {f"model.{key}": item for key, item in network.state_dict().items()}
    expected |= {f"slices.{key}": item for key, item in state["slices"].items()}
    expected |= {"parameter": network[0].weight.detach(), "half": state["half"]}
    assert found.keys() == expected.keys()
    for key, item in expected.items():
        assert found[key].dtype == item.numpy().dtype
        np.testing.assert_array_equal(found[key], item.numpy())


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {os.environ['SAMEVOICE_PROOF']}",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("is_archive", [True, False], ids=["archive", "stream"])
def test_a_checkpoint_that_runs_a_command_is_refused_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int, is_archive: bool
) -> None:
    proof = tmp_path / "proof"
    monkeypatch.setenv("SAMEVOICE_PROOF", str(proof))
    table = pickle.dumps({"weights": Evil()}, protocol=protocol)
    with pytest.raises(ModelError, match="refused"):
        read_checkpoint(make.archive(table) if is_archive else make.stream(table))
    assert not proof.exists()
    pickle.loads(table)  # noqa: S301 (the attack is real: seen without our reader)
    assert proof.exists()


@pytest.mark.parametrize("name", [b"builtins\neval", b"posix\nsystem", b"torch\nload", b"numpy\nload", b"torch\n_C.x"])
def test_every_other_name_is_refused_by_name(name: bytes) -> None:
    with pytest.raises(ModelError, match=name.replace(b"\n", b".").decode()):
        read_checkpoint(make.archive(b"\x80\x02c" + name + b"\nX\x01\x00\x00\x00x\x85R."))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"K\x03K(\x86", b"K\x04K(\x86"),  # more elements than the storage has
        (b"QK\x00K\x03", b"QK\x01K\x03"),  # an offset that pushes the last element out
        (b"K\x01K\x03\x86", b"K\x02K\x03\x86"),  # a stride that does so
        (b"K\x01K\x03\x86", b"J\xff\xff\xff\xffK\x03\x86"),  # a stride backwards out of the storage
        (b"K\x03K(\x86", b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK(\x86"),  # a size of 2^63
        (b"KxtQ", b"J\xff\xff\xff\x7ftQ"),  # a storage of 8 GB
        (b"KxtQ", b"KytQ"),  # a storage larger than its file
        (b"RtRs.", b"RtRN\x85bs."),  # BUILD: a new state for a finished tensor
        (b"_v2\nq\x02", b"_v2\nr\xff\xff\xff\x7f"),  # a memo slot that takes 32 GB
    ],
)
def test_lying_tables_are_refused(old: bytes, new: bytes) -> None:
    assert old in make.TABLE
    with pytest.raises(ModelError):
        read_checkpoint(make.archive(make.TABLE.replace(old, new)))


def test_a_compressed_bomb_is_refused_before_it_unfolds() -> None:
    huge = make.archive(make.TABLE, {"0": b"\0" * (64 << 20)}, compression=zipfile.ZIP_DEFLATED)
    assert len(huge) < 1 << 20
    with pytest.raises(ModelError, match="wrong size"):
        read_checkpoint(huge)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("net/data.pkl", b"\0" * (65 << 20))
    with pytest.raises(ModelError, match="too large"):
        read_checkpoint(stream.getvalue())


@pytest.mark.parametrize("announced", [480, 1_000_000])
def test_a_storage_shorter_than_it_announces_is_never_read_beyond_its_end(announced: int) -> None:
    table = make.TABLE.replace(b"KxtQ", b"J" + (announced // 4).to_bytes(4, "little") + b"tQ")
    data = bytearray(make.archive(table, {"0": b"\1" * 16}))
    # The checksum stays right: only the directory's size of the last member (24 bytes into its entry) is a lie.
    entry = data.rindex(b"PK\x01\x02")
    assert data[entry + 24 : entry + 28] == (16).to_bytes(4, "little")
    data[entry + 24 : entry + 28] = announced.to_bytes(4, "little")
    with pytest.raises(ModelError, match="shorter than it announces"):
        read_checkpoint(bytes(data))


def test_a_storage_described_in_two_ways_is_never_read_beyond_its_end() -> None:
    # In the older format the table and the list of keys are pickles of their own, and both may describe a storage.
    fewer = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04NtQ"
    head, _ = make.stream().rsplit(b"\x80\x02]", 1)
    keys = b"\x80\x02" + fewer + b"]X\x01\x00\x00\x000a."
    data = head + keys + (4).to_bytes(8, "little") + b"\1" * 16
    with pytest.raises(ModelError, match="not as described"):
        read_checkpoint(data)


def test_tables_within_tables_without_end_are_refused() -> None:
    itself = b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s."
    with pytest.raises(ModelError, match="nests"):
        read_checkpoint(make.archive(itself))
    laughs = b"}q\x00"
    for index in range(1, 15):
        items = b"".join(b"K" + bytes([key]) + b"h" + bytes([index - 1]) for key in range(10))
        laughs += b"}q" + bytes([index]) + b"(" + items + b"u"
    with pytest.raises(ModelError, match="nests"):
        read_checkpoint(make.archive(b"\x80\x02" + laughs + b"."))


def test_tuples_within_tuples_do_not_kill_the_process() -> None:
    with pytest.raises(ModelError, match="describes more than 5000 tensors"):
        read_checkpoint(make.archive(b"\x80\x02})" + b"\x85" * 1_000_000 + b"Ns."))


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04", make.stream()[:-1], make.archive()[:-30]])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ModelError):
        read_checkpoint(data)


@settings(max_examples=300)
@given(st.integers(0, len(make.TABLE) - 1), st.binary(min_size=0, max_size=3), st.integers(0, 3))
def test_a_changed_table_raises_nothing_but_model_error(index: int, insert: bytes, removed: int) -> None:
    table = make.TABLE[:index] + insert + make.TABLE[index + removed :]
    for data in (make.archive(table), make.stream(table)):
        try:
            found = read_checkpoint(data)
        except ModelError:
            continue
        assert all(array.size <= 120 for array in found.values())


@given(st.integers(0, len(make.archive()) - 1), st.integers(0, 255))
def test_a_changed_archive_raises_nothing_but_model_error(index: int, byte: int) -> None:
    data = bytearray(make.archive())
    data[index] = byte
    with contextlib.suppress(ModelError):
        read_checkpoint(bytes(data))
