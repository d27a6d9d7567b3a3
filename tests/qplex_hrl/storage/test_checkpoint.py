import errno
import logging
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from qplex_hrl.storage import checkpoint
from qplex_hrl.storage.checkpoint import (
    CheckpointError,
    check_replay,
    fingerprint,
    load_arrays,
    load_checkpoint,
    newest_intact,
    save_arrays,
    save_checkpoint,
)
from qplex_hrl.storage.stored_values import NotFiniteError


class Attack:
    """Leaves a file behind when a careless reader unpickles it."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def rebuild_zip(source: Path, target: Path, pickled: bytes) -> None:
    """Copy a checkpoint with its inner pickle replaced."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.infolist():
            data = pickled if item.filename.endswith("data.pkl") else old.read(item)
            new.writestr(item.filename, data)


@pytest.mark.parametrize(
    "array",
    [
        np.array([0, 2**64 - 1], np.uint64),
        np.array(2.5),
        np.zeros((0, 3), np.float32),
        np.array([[True, False]]),
        np.arange(6, dtype=np.float16).reshape(2, 3).T,
        np.array([np.nan, -np.inf, -0.0]),
    ],
)
def test_arrays_survive_bit_for_bit(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    save_checkpoint(tmp_path / "a.pth", {"array": array})
    loaded = load_checkpoint(tmp_path / "a.pth")["array"]
    assert (loaded.dtype, loaded.shape) == (array.dtype, array.shape)
    assert loaded.tobytes() == array.tobytes()


def test_a_training_state_survives(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.GRU(3, 4)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 1, 3))[0].sum().backward()
    optimizer.step()
    generator, torch_rng = np.random.default_rng(1), torch.get_rng_state()
    content = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "rng": generator.bit_generator.state,
        "torch_rng": torch_rng,
        "timestep": np.int64(7),
        "best": None,
        "done": (True, 1.5, "text"),
    }
    save_checkpoint(tmp_path / "a.pth", content)
    loaded = load_checkpoint(tmp_path / "a.pth")
    copy = nn.GRU(3, 4)
    copy.load_state_dict(loaded["model"])
    torch.testing.assert_close(copy.state_dict(), model.state_dict(), rtol=0, atol=0)
    torch.optim.Adam(copy.parameters()).load_state_dict(loaded["optimizer"])
    other = np.random.default_rng(2)
    other.bit_generator.state = loaded["rng"]
    assert other.random() == generator.random()
    assert torch.equal(loaded["torch_rng"], torch_rng)
    assert (loaded["timestep"], loaded["best"], loaded["done"]) == (7, None, [True, 1.5, "text"])


def test_a_view_does_not_drag_its_whole_storage_along(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pth", {"row": torch.zeros(1000, 1000)[0]})
    assert (tmp_path / "a.pth").stat().st_size < 20_000


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array(["a"]), Path("a")])
def test_other_types_are_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(TypeError, match=r"content\.a\.b"):
        save_checkpoint(tmp_path / "a.pth", {"a": {"b": value}})
    assert not list(tmp_path.iterdir())


def test_a_malicious_file_executes_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    good, bad = tmp_path / "good.pth", tmp_path / "bad.pth"
    save_checkpoint(good, {"a": torch.ones(2)})
    attack = pickle.dumps(Attack(trace), protocol=2)
    rebuild_zip(good, bad, attack)
    (tmp_path / "plain.pth").write_bytes(attack)
    torch.save({"format": checkpoint.FORMAT, "content": Attack(trace)}, tmp_path / "torch.pth")
    np.save(tmp_path / "object.npy", np.array([Attack(trace)]), allow_pickle=True)
    for path in (bad, tmp_path / "plain.pth", tmp_path / "torch.pth"):
        with pytest.raises(CheckpointError) as caught:
            load_checkpoint(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="damaged"):
        load_arrays(tmp_path / "object.npy")
    assert not trace.exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated_files(tmp_path: Path, share: float) -> None:
    save_checkpoint(tmp_path / "a.pth", {"a": torch.ones(1000)})
    save_arrays(tmp_path / "a.replay", {"a": np.ones(1000)})
    for name, load in (("a.pth", load_checkpoint), ("a.replay", load_arrays)):
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: int(share * len(data))])
        with pytest.raises(CheckpointError, match=r"a\.(pth|replay): "):
            load(tmp_path / name)


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    save_checkpoint(path, {"a": torch.ones(1000)})
    data = bytearray(path.read_bytes())
    data[data.index(torch.ones(2).numpy().tobytes()) + 100] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"weights": torch.ones(1)}, "not a checkpoint of this project"),
        ([1], "not a checkpoint of this project"),
        ({"format": checkpoint.FORMAT, "format_version": 99}, "not a checkpoint of this project"),
        ({"format": checkpoint.FORMAT, "format_version": 99, "content": {}}, "99; expected 3"),
        ({"format": checkpoint.FORMAT, "format_version": True, "content": {}}, "not a checkpoint"),
        (
            {
                "format": checkpoint.FORMAT,
                "format_version": 1,
                "content": {"a": {"__ndarray__": torch.zeros(8), "dtype": "O", "shape": [1]}},
            },
            r"damaged: content\.a is no array of O",
        ),
    ],
)
def test_foreign_files(tmp_path: Path, document: object, words: str) -> None:
    torch.save(document, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=words):
        load_checkpoint(tmp_path / "a.pth")


def test_files_of_version_1_are_read_unless_newer_ones_are_needed(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"format": checkpoint.FORMAT, "format_version": 1, "content": {"a": 3}}, path)
    assert load_checkpoint(path) == {"a": 3}
    with pytest.raises(CheckpointError, match=r"a\.pth: saved by version 0\.1.*initial_weights"):
        load_checkpoint(path, oldest=2)


def forge(path: Path, tree: dict[str, Any], **changes: Any) -> None:
    """Write a checkpoint of which some entries of the document are others."""
    save_checkpoint(path, tree)
    document = torch.load(path, weights_only=True)
    torch.save(document | changes, path)


def test_a_changed_part_is_noticed_by_its_check_sum(tmp_path: Path) -> None:
    path, content = tmp_path / "a.pth", {"timestep": 3, "training": {"learner": torch.ones(3)}}
    forge(path, content, content={"timestep": 3, "training": {"learner": torch.zeros(3)}})
    with pytest.raises(CheckpointError, match=r"check sum does not match \(training\.learner\)"):
        load_checkpoint(path)
    for sums in ({}, None, [], {"timestep": "1"}):
        forge(path, content, sums=sums)
        with pytest.raises(CheckpointError, match="check sum does not match"):
            load_checkpoint(path)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    content = {"training": {"w": torch.tensor([1.0, bad])}}
    with pytest.raises(NotFiniteError, match=r"training\.w is not finite"):
        save_checkpoint(tmp_path / "a.pth", content)
    assert not list(tmp_path.iterdir())
    document = {"format": "qplex-hrl checkpoint", "format_version": 2, "content": content}
    torch.save(document, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"content\.training\.w holds .* not finite"):
        load_checkpoint(tmp_path / "a.pth")


def test_fingerprints_tell_arrays_apart(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a", {"x": np.ones(3)})
    save_arrays(tmp_path / "b", {"x": np.ones(3)})
    save_arrays(tmp_path / "c", {"x": np.zeros(3)})
    a, b, c = (checkpoint.fingerprint(tmp_path / name) for name in "abc")
    assert a == b != c
    with pytest.raises(CheckpointError, match="no such file"):
        checkpoint.fingerprint(tmp_path / "d")


def test_a_name_that_no_file_can_have_is_shortened(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="too long") as caught:
        load_checkpoint(tmp_path / ("n" * 5000))
    assert len(str(caught.value)) < 200


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="no such file"):
        load_arrays(tmp_path / "a.npz")
    with pytest.raises(CheckpointError, match="a folder; expected a file"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("save", [save_checkpoint, save_arrays])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Any
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(path, {"a": np.ones(3)})
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"old"]


def test_newest_intact_skips_damaged_files(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for timestep in (900, 1000, 20000):
        save_checkpoint(tmp_path / f"qplex_hrl_{timestep}.pth", {"timestep": timestep})
    save_checkpoint(tmp_path / "qplex_hrl_best.pth", {})
    assert newest_intact(tmp_path).name == "qplex_hrl_20000.pth"
    (tmp_path / "qplex_hrl_20000.pth").write_bytes(b"PK")
    with caplog.at_level(logging.WARNING):
        assert newest_intact(tmp_path).name == "qplex_hrl_1000.pth"
    assert "qplex_hrl_20000.pth" in caplog.text
    save_checkpoint(tmp_path / "qplex_hrl_final.pth", {})
    assert newest_intact(tmp_path).name == "qplex_hrl_final.pth"


def test_newest_intact_needs_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no intact checkpoint"):
        newest_intact(tmp_path)
    with pytest.raises(CheckpointError, match="no such folder"):
        newest_intact(tmp_path / "none")


def test_stored_arrays_survive(tmp_path: Path) -> None:
    arrays = {"a": np.arange(4, dtype=np.float16), "b": np.array([[True]]), "c": np.zeros((0, 2))}
    save_arrays(tmp_path / "x.replay", arrays)
    loaded = load_arrays(tmp_path / "x.replay")
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)
    with pytest.raises(TypeError, match="array a holds Python objects"):
        save_arrays(tmp_path / "y.replay", {"a": np.array([object()])})


def test_a_replay_belongs_to_one_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "replay.npz"
    save_arrays(path, {"reward": np.arange(3.0)})
    check_replay(path, None)
    check_replay(path, kept := fingerprint(path))
    save_arrays(path, {"reward": np.arange(3.0) + 1})
    with pytest.raises(CheckpointError, match="not the replay that was saved with this checkpoint"):
        check_replay(path, kept)
    data = bytearray(path.read_bytes())
    data[150] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=str(path)):
        check_replay(path, None)


INTERRUPTED = """
import sys, torch
from qplex_hrl.storage.checkpoint import save_checkpoint

def interrupted(self):
    raise KeyboardInterrupt

torch.serialization._open_zipfile_writer_buffer.__enter__ = interrupted
try:
    save_checkpoint(sys.argv[1], {"weights": torch.ones(3)})
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_signal_while_torch_opens_its_archive_does_not_abort_the_process(tmp_path: Path) -> None:
    """Its writer, when it is destroyed, writes an end to the file, which is closed by then."""
    path = tmp_path / "a.pth"
    command = [sys.executable, "-c", INTERRUPTED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr
    assert list(tmp_path.iterdir()) == []
