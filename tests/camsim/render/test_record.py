"""Records: copies of what a simulator shows, and their files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from drawn_worlds import BLANK
from npy_files import npy_header
from random_worlds import random_simulator, scenario_with

from camsim.render import EpisodeRecord, FrameRecord, record_frame
from camsim.render.record import MOST_FRAMES
from camsim.sim import BatchSim


@pytest.fixture(scope="module")
def sim() -> BatchSim:
    sim = random_simulator(scenario_with("MATE-4v4-9", reward_type="sparse"), 3, seed=5)
    sim.see()
    return sim


def assert_equal(a: FrameRecord, b: FrameRecord) -> None:
    for name, left, right in zip(a._fields, a, b, strict=True):
        assert type(left) is type(right), name
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype, name
        np.testing.assert_array_equal(left, right, name)


@pytest.mark.parametrize("row", [0, 2])
def test_a_record_is_a_copy_of_the_right_row(sim: BatchSim, row: int) -> None:
    record = record_frame(sim, row)
    view = sim.view
    np.testing.assert_array_equal(record.camera_xy, view.cameras.xy[row])
    np.testing.assert_array_equal(record.camera_phi_deg, view.cameras.phi_deg[row])
    np.testing.assert_array_equal(record.camera_theta_deg, view.cameras.theta_deg[row])
    np.testing.assert_array_equal(record.camera_range, view.cameras.sight_range[row])
    np.testing.assert_array_equal(record.obstacle_radius, view.obstacle_radius[row])
    np.testing.assert_array_equal(record.target_xy, view.targets.xy[row])
    np.testing.assert_array_equal(record.target_goal, view.targets.goal[row])
    np.testing.assert_array_equal(record.target_empty_bits, view.targets.empty_bits[row] > 0)
    np.testing.assert_array_equal(record.camera_target, sim.tables.camera_target[row])
    np.testing.assert_array_equal(record.camera_obstacle, sim.tables.camera_obstacle[row])
    np.testing.assert_array_equal(record.remaining, view.world.remaining[row])
    np.testing.assert_array_equal(record.target_tracked, record.camera_target.any(axis=0))
    assert record.step == view.world.step[row]
    assert record.target_reward == view.world.sum_delayed[row]
    assert record.transmittance == sim.params.transmittance
    assert record.selection is None
    for value in record:
        if isinstance(value, np.ndarray):
            assert not value.flags.writeable
            assert not any(np.shares_memory(value, table) for table in sim.tables)


def test_dense_worlds_sum_the_dense_reward() -> None:
    sim = random_simulator(scenario_with("MATE-4v4-9", reward_type="dense"), 1, seed=5)
    assert record_frame(sim, 0).target_reward == sim.view.world.sum_dense[0]


def test_overlays_are_checked(sim: BatchSim) -> None:
    selection = np.eye(4, dtype=np.bool_)
    record = record_frame(sim, 1, selection=selection, camera_messages=2 * selection)
    np.testing.assert_array_equal(record.selection, selection)
    np.testing.assert_array_equal(record.camera_messages, 2 * np.eye(4))
    with pytest.raises(ValueError, match=r"target_messages has shape \(3, 4\); expected \(4, 4\)"):
        record_frame(sim, 1, target_messages=np.zeros((3, 4)))
    for row in (-1, 3):
        with pytest.raises(ValueError, match=f"row = {row}; expected 0 to 2"):
            record_frame(sim, row)


def test_an_episode_survives_its_file(sim: BatchSim, tmp_path: Path) -> None:
    """With frames that have overlays and frames that have none."""
    first = record_frame(sim, 0)
    second = record_frame(sim, 1, selection=np.eye(4), target_messages=np.ones((4, 4)))
    path = tmp_path / "episode.npz"
    EpisodeRecord("MATE-4v4-9", (first, second)).save(path)
    episode = EpisodeRecord.load(path)
    assert episode.scenario == "MATE-4v4-9"
    assert len(episode.frames) == 2
    assert_equal(episode.frames[0], first)
    assert_equal(episode.frames[1], second)
    with pytest.raises(ValueError, match="read-only"):
        episode.frames[0].camera_xy[:] = 0


def test_worlds_without_cameras_and_obstacles_survive(tmp_path: Path) -> None:
    EpisodeRecord("empty", (BLANK,)).save(tmp_path / "e.npz")
    assert_equal(EpisodeRecord.load(tmp_path / "e.npz").frames[0], BLANK)


def test_foreign_files_are_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, step=np.zeros(3))
    with pytest.raises(ValueError, match=r"x\.npz: not the record of an episode"):
        EpisodeRecord.load(path)
    np.savez(path, format_version=np.array(99))
    with pytest.raises(ValueError, match="format version 99; expected 1"):
        EpisodeRecord.load(path)
    np.savez(path, format_version=np.array(1), step=np.zeros(3))
    with pytest.raises(ValueError, match=r"x\.npz: the record of an episode is incomplete"):
        EpisodeRecord.load(path)
    path.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ValueError, match="not the record of an episode"):
        EpisodeRecord.load(path)
    path.write_bytes(b"text")
    with pytest.raises(ValueError, match="not the record of an episode"):
        EpisodeRecord.load(path)
    with pytest.raises(FileNotFoundError):
        EpisodeRecord.load(tmp_path / "none.npz")


def test_compressed_records_of_earlier_versions_are_read(tmp_path: Path) -> None:
    EpisodeRecord("empty", (BLANK,)).save(tmp_path / "new.npz")
    with zipfile.ZipFile(tmp_path / "new.npz") as archive:
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}
    with np.load(tmp_path / "new.npz") as arrays:
        np.savez_compressed(tmp_path / "old.npz", **arrays)
    assert_equal(EpisodeRecord.load(tmp_path / "old.npz").frames[0], BLANK)


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("camsim.archives._MOST_UNPACKED", 2**20)
    path = tmp_path / "x.npz"
    np.savez_compressed(path, step=np.zeros(2**20, np.uint8))
    with pytest.raises(ValueError, match=r"x\.npz: not the record of an episode: .* 1 MiB"):
        EpisodeRecord.load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("format_version.npy", npy_header("(1000000000000,)"))
    with pytest.raises(ValueError, match=r"x\.npz: not the record of an episode: damaged"):
        EpisodeRecord.load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("step", np.array(1)),
        ("step", np.zeros(2)),
        ("camera_xy", np.zeros((10**9, 0))),
    ],
)
def test_fields_of_other_numbers_of_frames_are_refused(
    tmp_path: Path, field: str, value: np.ndarray
) -> None:
    path = tmp_path / "x.npz"
    EpisodeRecord("empty", (BLANK,)).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {field: value})
    with pytest.raises(ValueError, match=r"x\.npz: the record of an episode is incomplete"):
        EpisodeRecord.load(path)


def test_more_frames_than_can_be_read_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with pytest.raises(ValueError, match="100001 frames; expected at most 100000"):
        EpisodeRecord("empty", (BLANK,) * (MOST_FRAMES + 1)).save(path)
    assert not path.exists()
    EpisodeRecord("empty", (BLANK,)).save(path)
    with np.load(path) as file:
        arrays = {
            name: array if array.ndim == 0 else np.repeat(array, 10**5 + 1, axis=0)
            for name, array in file.items()
        }
    np.savez_compressed(path, **arrays)
    with pytest.raises(ValueError, match=r"x\.npz: the record of an episode is incomplete"):
        EpisodeRecord.load(path)
