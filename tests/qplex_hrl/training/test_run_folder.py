"""A run's files: earlier runs are kept, going back leaves a run as it stood, pruning."""

import json
from pathlib import Path

import pytest

from qplex_hrl.config import RunConfig, dump_config
from qplex_hrl.runtime.checkpoint import CheckpointError, save_checkpoint
from qplex_hrl.training.run_folder import RunFolder, find_checkpoint, replay_beside


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "logs", tmp_path / "models")
    with run.claim():
        pass
    return run


def touch(*paths: Path) -> None:
    for path in paths:
        path.write_text(path.name)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()} - {".lock"}


def test_naming_creates_nothing(tmp_path: Path) -> None:
    RunFolder(tmp_path / "a", tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_run_moves_aside_and_other_files_stay(folder: RunFolder) -> None:
    outputs = [folder.config, folder.metrics, folder.stats, folder.log, folder.evaluation(5)]
    outputs += [folder.final_evaluation, folder.log_dir / "events.out.tfevents.1.host"]
    models = [folder.checkpoint(5), replay_beside(folder.checkpoint(5)), folder.best, folder.final]
    others = [folder.log_dir / "notes.txt", folder.model_dir / "mine.pth"]
    touch(*outputs, *models, *others)
    aside = folder.set_earlier_run_aside()
    assert aside is not None
    assert aside.parent == folder.log_dir
    assert names(aside) == {path.name for path in outputs}
    assert names(folder.model_dir / aside.name) == {path.name for path in models}
    assert names(folder.log_dir) == {"notes.txt"}
    assert names(folder.model_dir) == {"mine.pth"}
    assert (aside / "metrics.jsonl").read_text() == "metrics.jsonl"


def test_without_an_earlier_run_nothing_moves(folder: RunFolder) -> None:
    touch(folder.log_dir / "notes.txt")
    assert folder.set_earlier_run_aside() is None
    assert [path.name for path in folder.log_dir.iterdir() if path.is_dir()] == []


def test_logs_and_models_in_one_folder(tmp_path: Path) -> None:
    both = RunFolder(tmp_path, tmp_path)
    with both.claim():
        touch(both.metrics, both.checkpoint(1))
        aside = both.set_earlier_run_aside()
    assert aside is not None
    assert names(aside) == {"metrics.jsonl", "qplex_hrl_1.pth"}


def test_going_back_keeps_what_is_not_later(folder: RunFolder) -> None:
    touch(*(folder.checkpoint(t) for t in (100, 200, 300)))
    touch(*(replay_beside(folder.checkpoint(t)) for t in (200, 300)))
    touch(folder.evaluation(200), folder.evaluation(300), folder.final, folder.final_evaluation)
    touch(folder.best)
    rows = [json.dumps({"timestep": t, "x": 1.0}) for t in (100, 200, 250)]
    folder.metrics.write_text("\n".join([*rows, '{"timestep": 3']))
    aside = folder.rewind(200)
    assert aside is not None
    assert names(folder.model_dir) == {
        "qplex_hrl_100.pth",
        "qplex_hrl_200.pth",
        "qplex_hrl_200.replay.npz",
        "qplex_hrl_best.pth",
    }
    assert names(folder.log_dir) == {"eval_results_200.json", "metrics.jsonl"}
    assert folder.metrics.read_text().splitlines() == rows[:2]
    assert (folder.log_dir / aside.name / "metrics.jsonl").read_text().splitlines() == [
        rows[2],
        '{"timestep": 3',
    ]
    assert (folder.model_dir / aside.name / "qplex_hrl_300.pth").exists()


def test_an_evaluation_still_to_come_is_taken_out(folder: RunFolder) -> None:
    touch(folder.checkpoint(200), folder.evaluation(100), folder.evaluation(150))
    rows = [{"timestep": 100, "best_coverage": 0.5}, {"timestep": 150}, {"timestep": 200}]
    late = [{"timestep": 150, "best_coverage": 0.6}]
    folder.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows + late))
    assert folder.rewind(200, pending=150) is not None
    assert [json.loads(line) for line in folder.metrics.read_text().splitlines()] == rows
    assert names(folder.log_dir) == {"eval_results_100.json", "metrics.jsonl"}


def test_going_back_to_the_newest_changes_nothing(folder: RunFolder) -> None:
    touch(folder.checkpoint(100), folder.evaluation(100))
    folder.metrics.write_text('{"timestep": 100}\n')
    assert folder.rewind(100) is None
    assert folder.metrics.read_text() == '{"timestep": 100}\n'


def test_going_back_again_replaces_what_was_made_alike_and_loses_no_line(folder: RunFolder) -> None:
    folder.config.write_text("seed: 0")
    for n_rows in (3, 2):  # the second time the run had not come as far
        rows = [json.dumps({"timestep": 100 * (t + 1), "time": n_rows}) for t in range(n_rows)]
        folder.metrics.write_text("".join(row + "\n" for row in rows))
        touch(*(folder.checkpoint(100 * (t + 1)) for t in range(n_rows)))
        touch(folder.video(n_rows * 100))
        aside = folder.rewind(100)
    assert aside is not None
    (same,) = folder.log_dir.glob("rewound-*")
    assert same == aside
    assert names(aside) == {"config.yaml", "metrics.jsonl", "video_200.gif", "video_300.gif"}
    assert names(folder.model_dir / aside.name) == {"qplex_hrl_200.pth", "qplex_hrl_300.pth"}
    rows = [json.loads(line) for line in (aside / "metrics.jsonl").read_text().splitlines()]
    assert [(row["timestep"], row["time"]) for row in rows] == [(200, 3), (300, 3), (200, 2)]


def test_what_another_configuration_made_is_kept_apart(folder: RunFolder) -> None:
    for seed in (0, 1):
        folder.config.write_text(f"seed: {seed}")
        folder.evaluation(200).write_text(f"of {seed}")
        assert folder.rewind(100) is not None
    contents = {
        (each / "config.yaml").read_text(): (each / "eval_results_200.json").read_text()
        for each in folder.log_dir.glob("rewound-*")
    }
    assert contents == {"seed: 0": "of 0", "seed: 1": "of 1"}


def test_pruning_keeps_the_newest_and_two_replays(folder: RunFolder) -> None:
    for t in (90, 100, 200, 1000):
        touch(folder.checkpoint(t), replay_beside(folder.checkpoint(t)))
    touch(folder.best)
    folder.prune(3, n_replays=2)
    assert names(folder.model_dir) == {
        "qplex_hrl_100.pth",
        "qplex_hrl_200.pth",
        "qplex_hrl_200.replay.npz",
        "qplex_hrl_1000.pth",
        "qplex_hrl_1000.replay.npz",
        "qplex_hrl_best.pth",
    }


def test_two_trainings_cannot_share_a_folder(folder: RunFolder) -> None:
    again = RunFolder(folder.log_dir, folder.model_dir)
    with folder.claim(), pytest.raises(ValueError, match="another training writes"), again.claim():
        pass
    with again.claim():
        pass


def test_a_checkpoint_is_found_by_file_model_folder_or_log_folder(
    folder: RunFolder, tmp_path: Path
) -> None:
    newest = folder.checkpoint(20)
    for path in (folder.checkpoint(3), newest):
        save_checkpoint(path, {"timestep": 0})
    config = RunConfig.model_validate({"logging": {"model_dir": str(folder.model_dir)}})
    folder.config.write_text(dump_config(config))
    assert find_checkpoint(folder.checkpoint(3)) == folder.checkpoint(3)
    assert find_checkpoint(folder.model_dir) == newest
    assert find_checkpoint(folder.log_dir) == newest
    with pytest.raises(CheckpointError, match="no intact checkpoint"):
        find_checkpoint(tmp_path)
