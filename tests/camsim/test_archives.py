"""Archives that strangers made: refused before anything is unpacked."""

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from npy_files import npy_header

from camsim.archives import ArchiveError, read_arrays


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def write(path: Path, compression: int = zipfile.ZIP_STORED, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.zeros((0, 3), np.float16),
        np.array(7),
        np.array("text"),
        np.array([True]),
    ],
)
def test_arrays_come_back(tmp_path: Path, array: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", x=array)
    found = read_arrays(tmp_path / "a.npz")["x"]
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(found, array)


def test_compressed_members_only_where_they_are_expected(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", zipfile.ZIP_DEFLATED, x=npy(np.arange(100)))
    with pytest.raises(ArchiveError, match="compressed"):
        read_arrays(tmp_path / "a.npz")
    assert read_arrays(tmp_path / "a.npz", compressed=True)["x"][99] == 99
    write(tmp_path / "b.npz", zipfile.ZIP_LZMA, x=npy(np.arange(100)))
    with pytest.raises(ArchiveError, match="compressed"):
        read_arrays(tmp_path / "b.npz", compressed=True)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", zipfile.ZIP_DEFLATED, **{f"x{i}": bytes(2**25) for i in range(9)})
    with pytest.raises(ArchiveError, match="more than 256 MiB"):
        read_arrays(tmp_path / "a.npz", compressed=True)


def test_stored_members_may_be_large_beside_compressed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They cannot be larger than the file."""
    monkeypatch.setattr("camsim.archives._MOST_UNPACKED", 500)
    np.savez(tmp_path / "a.npz", x=np.arange(100))
    assert read_arrays(tmp_path / "a.npz", compressed=True)["x"][99] == 99
    np.savez_compressed(tmp_path / "a.npz", x=np.arange(100))
    with pytest.raises(ArchiveError, match="would unpack to more"):
        read_arrays(tmp_path / "a.npz", compressed=True)


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write(path, x=npy(np.arange(100)), y=npy(np.arange(100)))
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\x01\x02")  # in the directory; its offset is 42 bytes later
    data[second + 42 : second + 46] = struct.pack("<I", 0)
    path.write_bytes(bytes(data))
    with pytest.raises(ArchiveError, match="overlap"):
        read_arrays(path)


@pytest.mark.parametrize(
    "data",
    [
        npy_header("(1000000000000,)"),
        npy_header("(0,)", "|O"),
        npy_header("(1,)", "|V8") + bytes(8),
        npy_header("(-1, -1)") + bytes(8),
        npy_header("(2**70,)"),
        npy_header("(" * 50),
        npy_header("(1,)"),
        npy_header("(1,)") + bytes(9),
        b"\x93NUMPY\x09\x00",
        b"",
    ],
)
def test_headers_that_lie_are_refused(tmp_path: Path, data: bytes) -> None:
    write(tmp_path / "a.npz", x=data)
    with pytest.raises(ArchiveError, match=r"damaged: x\.npy"):
        read_arrays(tmp_path / "a.npz")


def test_other_things_than_archives_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("text")
    (tmp_path / "empty").touch()
    with zipfile.ZipFile(tmp_path / "foreign", "w") as archive:
        archive.writestr("readme.txt", "text")
    for path in ("pipe", "text", "empty", "foreign", ".", "/dev/zero"):
        with pytest.raises(ArchiveError):
            read_arrays(tmp_path / path)
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "missing")


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", npy(np.arange(3)))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("x.npy", npy(np.arange(4)))
    with pytest.raises(ArchiveError, match="two of one name"):
        read_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_flipped_byte_is_noticed_or_changes_nothing(
    tmp_path: Path, save: Callable[..., None]
) -> None:
    path, array = tmp_path / "a.npz", np.arange(20.0)
    save(path, x=array)
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :])
        try:
            found = read_arrays(path, compressed=save is np.savez_compressed)
        except ArchiveError:
            continue
        assert all(np.array_equal(each, array) for each in found.values())
