"""Archives of `torch.save`, read as data: equal to what PyTorch reads, and nothing else."""

import io
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from camsim.archives import ArchiveError, open_archive
from qplex_hrl.storage.records import read_tree


def read(path: Path) -> Any:
    with open_archive(path) as archive:
        return read_tree(archive)


def replace(path: Path, changes: dict[str, bytes]) -> None:
    """Write an archive anew with other members, whose check sums are right."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, changes.get(name.partition("/")[2], data))


def tree_of(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return next(archive.read(x) for x in archive.namelist() if x.endswith("data.pkl"))


def test_a_tree_comes_back(tmp_path: Path) -> None:
    dtypes = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64)
    dtypes += (torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
    tree = {
        "tensors": [torch.tensor([[0, 1, 1], [1, 0, 1]]).to(each) for each in dtypes],
        "transposed": torch.arange(6.0).reshape(2, 3).t().clone(),
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(3.5),
        "plain": [None, True, False, 1, -1, 2**15, 2**40, 2**200, 1.5, "text", [], {}, ()],
        "nested": {"a": {"b": [1]}, 3: (1, 2, 3, 4)},
        "one": [[1], {"x": 1}, (1,), (1, 2), (1, 2, 3)],
    }
    torch.save(tree, tmp_path / "a.pth")
    found, expected = read(tmp_path / "a.pth"), torch.load(tmp_path / "a.pth", weights_only=True)
    torch.testing.assert_close(found.pop("tensors"), expected.pop("tensors"), rtol=0, atol=0)
    for name in ("transposed", "empty", "scalar"):
        torch.testing.assert_close(found.pop(name), expected.pop(name), rtol=0, atol=0)
    assert found == expected


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        b"bytes",
        1j,
        torch.Size([1]),
        torch.float32,
        torch.nn.Parameter(torch.ones(1)),
        torch.zeros(2, 2).to_sparse(),
        bytearray(3),
        Path("a"),
    ],
)
def test_other_types_are_refused(tmp_path: Path, value: object) -> None:
    torch.save({"a": value}, tmp_path / "a.pth")
    with pytest.raises(ArchiveError):
        read(tmp_path / "a.pth")


def test_a_tensor_that_says_it_is_larger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"a": torch.zeros(200)}, path)
    replace(path, {"data/0": bytes(4)})
    with pytest.raises(ArchiveError, match="another size"):
        read(path)
    torch.save({"a": torch.zeros(200).expand(9, 200)}, path)
    with pytest.raises(ArchiveError, match="another size"):
        read(path)
    torch.save({"a": torch.zeros(2, dtype=torch.bool)}, path)
    replace(path, {"data/0": b"\x02\x00"})
    with pytest.raises(ArchiveError, match="true and false"):
        read(path)


def test_shared_containers_and_tensors_are_refused(tmp_path: Path) -> None:
    bomb: list[Any] = [0]
    for _ in range(40):
        bomb = [bomb, bomb]
    weights = torch.zeros(3)
    for tree in ({"a": bomb}, {"a": weights, "b": weights}):
        torch.save(tree, tmp_path / "a.pth")
        with pytest.raises(ArchiveError):
            read(tmp_path / "a.pth")


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"\x80\x02.",
        b"\x80\x02}}.",
        b"\x80\x02u.",
        b"\x80\x02(u.",
        b"\x80\x02}(K\x01u.",
        b"\x80\x02h\x05.",
        b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x009X\x03\x00\x00\x00cpuK\x01tQ.",
        b"\x80\x02K\x01Q.",
        pickle.dumps({"a": [1, 2]}, protocol=5),
        pickle.dumps({"a": "b"}, protocol=0),
    ],
)
def test_other_streams_are_refused(tmp_path: Path, stream: bytes) -> None:
    path = tmp_path / "a.pth"
    torch.save({"a": torch.ones(2)}, path)
    replace(path, {"data.pkl": stream})
    with pytest.raises(ArchiveError):
        read(path)


def test_every_cut_or_flipped_stream_is_refused_or_a_tree(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"a": torch.ones(2), "b": [1, (2.5, None)]}, path)
    stream, whole = tree_of(path), path.read_bytes()
    variants = [stream[:place] for place in range(len(stream))]
    variants += [
        stream[:place] + bytes([stream[place] ^ mask]) + stream[place + 1 :]
        for place in range(len(stream))
        for mask in (0x01, 0x80, 0xFF)
    ]
    for variant in variants:
        path.write_bytes(whole)
        replace(path, {"data.pkl": variant})
        with suppress(ArchiveError):
            read(path)


def test_an_archive_without_a_tree_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "text")
    (tmp_path / "a.pth").write_bytes(file.getvalue())
    with pytest.raises(ArchiveError, match="not a checkpoint"):
        read(tmp_path / "a.pth")
