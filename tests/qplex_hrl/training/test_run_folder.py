"""A run's files: earlier runs are kept, going back loses nothing, pruning."""

import json
import os
from pathlib import Path

import pytest
from crashes import killed_at

from qplex_hrl.config import RunConfig, dump_config
from qplex_hrl.storage.checkpoint import CheckpointError, save_checkpoint
from qplex_hrl.training.run_folder import RunFolder, _number_of, find_checkpoint, replay_beside


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "logs", tmp_path / "models")
    with run.claim():
        pass
    return run


CONFIG = RunConfig.model_validate({"training": {"seed": 3}})
OTHER = RunConfig.model_validate({"training": {"seed": 4}})


def save_best(folder: RunFolder, timestep: int, coverage: float = 0.5) -> None:
    """Write a best checkpoint as a run does."""
    evaluations = [{"timestep": timestep, "mean_coverage_rate": coverage}]
    content = {"timestep": timestep, "history": {"evaluations": evaluations}}
    save_checkpoint(folder.best, content)


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
    touch(folder.stats, folder.config)
    save_best(folder, 200)
    rows = [json.dumps({"timestep": t, "x": 1.0}) for t in (100, 200, 250)]
    folder.metrics.write_text("\n".join([*rows, '{"timestep": 3']))
    aside = folder.rewind(CONFIG, 200)
    assert aside is not None
    assert names(folder.model_dir) == {
        "qplex_hrl_100.pth",
        "qplex_hrl_200.pth",
        "qplex_hrl_200.replay.npz",
        "qplex_hrl_best.pth",
    }
    assert names(folder.log_dir) == {"eval_results_200.json", "metrics.jsonl", "config.yaml"}
    assert names(aside) == {
        *("eval_results_300.json", "final_eval_results.json", "metrics.jsonl"),
        *("training_stats.json", "config.yaml"),
    }
    assert folder.metrics.read_text().splitlines() == rows[:2]
    assert (folder.log_dir / aside.name / "metrics.jsonl").read_text().splitlines() == [
        rows[2],
        '{"timestep": 3',
    ]
    assert (folder.model_dir / aside.name / "qplex_hrl_300.pth").exists()


@pytest.mark.parametrize("same", [True, False])
def test_an_evaluation_that_is_played_again(folder: RunFolder, same: bool) -> None:
    """With the same configuration it takes its place; with another one both are kept."""
    folder.config.write_text(dump_config(CONFIG))
    touch(folder.checkpoint(200), folder.evaluation(100), folder.evaluation(150))
    touch(folder.video(150), folder.stats)
    save_best(folder, 150)
    rows = [{"timestep": 100, "best_coverage": 0.5}, {"timestep": 150}, {"timestep": 200}]
    late = [{"timestep": 150, "best_coverage": 0.6}]
    folder.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows + late))
    aside = folder.rewind(CONFIG if same else OTHER, 200, pending=150)
    assert [json.loads(line) for line in folder.metrics.read_text().splitlines()] == rows
    left = {"config.yaml", "eval_results_100.json", "metrics.jsonl"}
    moved = {"eval_results_150.json", "video_150.gif", "training_stats.json"}
    if same:
        assert aside is None
        assert names(folder.log_dir) == left | moved
        assert folder.best.exists()
    else:
        assert aside is not None
        assert names(folder.log_dir) == left
        assert names(aside) == moved | {"config.yaml", "metrics.jsonl"}
        assert json.loads((aside / "metrics.jsonl").read_text()) == late[0]
        assert (folder.model_dir / aside.name / folder.best.name).exists()


def test_going_back_to_the_newest_changes_nothing(folder: RunFolder) -> None:
    touch(folder.checkpoint(100), folder.evaluation(100), folder.stats)
    touch(folder.video_of_final)  # not of final cameras, for there are none
    save_best(folder, 100)
    folder.config.write_text(dump_config(CONFIG))
    folder.metrics.write_text('{"timestep": 100}\n')
    assert folder.rewind(CONFIG, 100) is None
    assert folder.rewind(CONFIG, 100, pending=100) is None
    assert folder.metrics.read_text() == '{"timestep": 100}\n'
    assert [path for path in folder.log_dir.iterdir() if path.is_dir()] == []


def test_going_back_again_and_again_loses_nothing(folder: RunFolder) -> None:
    folder.config.write_text(dump_config(CONFIG))
    for attempt in range(3):  # say on different machines, or with different libraries
        folder.evaluation(200).write_text(f"evaluation {attempt}")
        folder.checkpoint(200).write_text(f"checkpoint {attempt}")
        folder.metrics.write_text(json.dumps({"timestep": 200, "attempt": attempt}) + "\n")
        assert folder.rewind(CONFIG, 100) is not None
        assert folder.metrics.read_text() == ""
    for parent, name in (
        (folder.log_dir, "eval_results_200.json"),
        (folder.model_dir, "qplex_hrl_200.pth"),
        (folder.log_dir, "metrics.jsonl"),
    ):
        contents = {path.read_text() for path in parent.glob(f"rewound-*/{name}")}
        assert len(contents) == 3, name


@pytest.mark.parametrize("damaged", [False, True])
def test_a_best_checkpoint_from_later_is_not_of_the_run_any_more(
    folder: RunFolder, damaged: bool
) -> None:
    save_best(folder, 300, 0.75)
    assert folder.saved_best() == (300, 0.75)
    if damaged:
        folder.best.write_bytes(folder.best.read_bytes()[:99])
        assert folder.saved_best() is None
    aside = folder.rewind(CONFIG, 200)
    assert aside is not None
    assert not folder.best.exists()
    assert (folder.model_dir / aside.name / folder.best.name).exists()
    assert folder.saved_best() is None


@pytest.mark.parametrize("back", [True, False])
def test_what_printed_commands_made_goes_with_its_cameras(folder: RunFolder, back: bool) -> None:
    touch(folder.final, folder.video_of_final, folder.page_of_final, folder.exported(300))
    folder.comparison.mkdir()
    touch(folder.comparison / "comparison.md")
    aside = folder.rewind(CONFIG, 200) if back else folder.set_earlier_run_aside()
    assert aside is not None
    logs, models = folder.log_dir / aside.name, folder.model_dir / aside.name
    assert names(logs) == {"episode.mp4", "episode.html"}
    assert names(logs / "comparison") == {"comparison.md"}
    assert names(models) == {"qplex_hrl_final.pth", "cameras_300.pth"}
    assert names(folder.log_dir) == names(folder.model_dir) == set()


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


@pytest.mark.parametrize(("logs", "models"), [("logs", "models"), ("logs", "x"), ("x", "models")])
def test_two_trainings_cannot_share_a_folder(folder: RunFolder, logs: str, models: str) -> None:
    root = folder.log_dir.parent
    again = RunFolder(root / logs, root / models)
    told = rf"another training \(process {os.getpid()}\) writes here"
    with folder.claim(), pytest.raises(ValueError, match=told), again.claim():
        pass
    with again.claim():
        pass


def test_one_folder_may_hold_logs_and_models(tmp_path: Path) -> None:
    with RunFolder(tmp_path, tmp_path / "." / "").claim():
        pass


def test_a_deleted_lock_is_made_anew(folder: RunFolder) -> None:
    with folder.claim():
        pass
    (folder.model_dir / ".lock").unlink()
    with folder.claim():
        assert (folder.model_dir / ".lock").read_text() == f"{os.getpid()}\n"


def test_what_killed_processes_left_is_removed(folder: RunFolder) -> None:
    left = folder.model_dir / ".qplex_hrl_10.replay.npz.0123abcd.tmp"
    own = folder.model_dir / ".notes.tmp"
    touch(left, own)
    with folder.claim():
        assert own.exists()
        assert not left.exists()


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
    touch(folder.log_dir / "cameras.pth")  # somebody's own file
    assert find_checkpoint(folder.log_dir) == newest
    with pytest.raises(CheckpointError, match="no intact checkpoint"):
        find_checkpoint(tmp_path)


def told(folder: Path) -> dict[str, bytes]:
    """All files of a run, without what was set aside."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths if "-20" not in str(p)}


def all_rows(folder: Path) -> set[str]:
    """Every row of metrics, those set aside included."""
    return {row for path in folder.rglob("metrics.jsonl") for row in path.read_text().splitlines()}


def written(root: Path, name: str) -> RunFolder:
    """A finished run of 300 frames whose last row is cut off."""
    run = RunFolder(root / name / "logs", root / name / "models")
    with run.claim():
        rows = [json.dumps({"timestep": t, "x": t}) + "\n" for t in (100, 200, 300)]
        run.metrics.write_text("".join(rows) + '{"timest')
        touch(run.stats, run.final, run.final_evaluation, run.log, run.exported(300))
        for t in (100, 200, 300):
            touch(run.checkpoint(t), replay_beside(run.checkpoint(t)), run.evaluation(t))
        save_best(run, 200)
    return run


@pytest.mark.parametrize("back_to", [100, 200, None])
def test_whatever_is_cut_off_while_files_move_is_done_the_next_time(
    tmp_path: Path, back_to: int | None
) -> None:
    def act(run: RunFolder) -> None:
        if back_to is None:
            run.set_earlier_run_aside()
        else:
            run.rewind(RunConfig(), back_to)

    whole = written(tmp_path, "whole")
    before = all_rows(tmp_path / "whole")
    act(whole)
    expected = told(tmp_path / "whole")
    for k in range(100):
        run = written(tmp_path, f"cut{k}")
        with killed_at(k) as was_killed:
            act(run)
        assert all_rows(tmp_path / f"cut{k}") == before
        newest = max((_number_of(path) for path in run.checkpoints()), default=0)
        if back_to is not None and newest > back_to:  # a resume of the folder goes on from there
            assert run.evaluation(newest).exists()
        with run.claim():
            act(run)
        assert told(tmp_path / f"cut{k}") == expected
        assert all_rows(tmp_path / f"cut{k}") == before
        if not was_killed():
            break
    assert 10 < k < 99


def test_a_row_without_its_end_is_completed(folder: RunFolder) -> None:
    with folder.claim():
        folder.metrics.write_text('{"timestep": 100}\n{"timestep": 200}')
        assert folder.rewind(RunConfig(), 200) is None
        assert folder.metrics.read_text() == '{"timestep": 100}\n{"timestep": 200}\n'
        folder.metrics.write_bytes(b'{"timestep": 100}\n\xff\x00\xff')
        assert folder.rewind(RunConfig(), 200) is not None
        assert folder.metrics.read_text() == '{"timestep": 100}\n'
