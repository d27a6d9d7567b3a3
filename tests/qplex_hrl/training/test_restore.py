"""Going on from a checkpoint: in the world and with the replay that it was saved with."""

import copy
import logging
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from crashes import killed_at
from tiny import CPU, make_fake_env, tiny_config

from camsim.scenario.schema import Scenario, ScenarioError, load_scenario
from qplex_hrl.cli.main import main
from qplex_hrl.config import RunConfig
from qplex_hrl.evaluation.policy_file import export_policy, load_policy
from qplex_hrl.storage.checkpoint import (
    CheckpointError,
    fingerprint,
    load_checkpoint,
    save_checkpoint,
)
from qplex_hrl.training.loop import TrainingLoop
from qplex_hrl.training.restore import (
    _CHANGES,
    _values,
    find_saved_run,
    read_saved_run,
)
from qplex_hrl.training.run import TrainingRun
from qplex_hrl.training.run_folder import RunFolder, replay_beside
from qplex_hrl.training.trainer import train


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Return the file of a scenario."""
    path = tmp_path / "world.yaml"
    path.write_text(yaml.safe_dump(load_scenario("MATE-4v4-9").to_mapping()))
    return path


def edit(world: Path) -> None:
    content = yaml.safe_load(world.read_text())
    content["target"]["step_size"] = 15
    world.write_text(yaml.safe_dump(content))


def config_of(folder: Path, world: Path, n_frames: int = 1000, seed: int = 0) -> RunConfig:
    return tiny_config(
        folder,
        env={"scenario": str(world)},
        training={"total_timesteps": n_frames, "seed": seed},
    )


def trained(folder: Path, world: Path, seed: int = 0) -> Path:
    """Return the checkpoint of a short run."""
    assert train(config_of(folder, world, seed=seed), make_env=make_fake_env) == 0  # type: ignore[arg-type]
    return next((folder / "models").glob("qplex_hrl_1*.pth"))


def test_training_does_not_go_on_in_another_world(tmp_path: Path, world: Path) -> None:
    checkpoint = trained(tmp_path, world)
    longer = config_of(tmp_path, world, 1500)
    edit(world)
    with pytest.raises(ValueError, match=rf"another world than .*{world.name}.*initial_weights"):
        train(longer, checkpoint, make_env=make_fake_env)  # type: ignore[arg-type]


def test_cameras_play_the_world_of_their_training(
    tmp_path: Path, world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint, exported = trained(tmp_path, world), tmp_path / "cameras.pth"
    export_policy(checkpoint, exported)
    then = load_scenario(world)
    caplog.clear()
    for path in (checkpoint, exported):
        assert load_policy(path).world(path) == then
        assert not caplog.messages
    edit(world)
    with caplog.at_level(logging.WARNING):
        assert load_policy(exported).world(exported) == then
    assert "has changed since" in caplog.text
    world.unlink()
    assert load_policy(exported).world(exported) == then


def test_a_file_that_stores_no_world_says_how_to_name_one(tmp_path: Path, world: Path) -> None:
    checkpoint = trained(tmp_path, world)
    content = load_checkpoint(checkpoint)
    del content["scenario"]
    save_checkpoint(checkpoint, content)
    assert load_policy(checkpoint).world(checkpoint) == load_scenario(world)
    world.unlink()
    with pytest.raises(ScenarioError, match="name it with --scenario"):
        load_policy(checkpoint).world(checkpoint)


@pytest.mark.parametrize("stored", [3, {"target": 3}, {}])
def test_a_stored_world_that_is_none_is_refused(
    tmp_path: Path, world: Path, stored: object
) -> None:
    checkpoint = trained(tmp_path, world)
    save_checkpoint(checkpoint, load_checkpoint(checkpoint) | {"scenario": stored})
    with pytest.raises(CheckpointError, match="its scenario is not valid"):
        load_policy(checkpoint)


def test_a_checkpoint_shows_its_world(
    tmp_path: Path, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, then = trained(tmp_path, world), load_scenario(world)
    world.unlink()
    capsys.readouterr()
    assert main(["scenarios", "show", str(checkpoint)]) == 0
    assert Scenario.from_mapping(yaml.safe_load(capsys.readouterr().out)) == then


def test_the_replay_of_another_run_is_refused(tmp_path: Path, world: Path) -> None:
    ours = trained(tmp_path / "ours", world)
    theirs = trained(tmp_path / "theirs", world, seed=1)
    theirs.with_suffix(".replay.npz").replace(ours.with_suffix(".replay.npz"))
    with pytest.raises(CheckpointError, match="not the replay that was saved with"):
        train(config_of(tmp_path / "ours", world, 1500), ours, make_env=make_fake_env)  # type: ignore[arg-type]


FORMAT_2 = Path(__file__).parents[2] / "data" / "checkpoint_format_2.pth"

WORSE: list[Callable[[Any], Any]] = [
    lambda _: None,
    lambda _: "text",
    lambda _: {"a": 1},
    lambda _: [1],
    lambda _: -1,
    lambda _: 10**30,
    lambda _: float("nan"),
    lambda _: float("inf"),
    lambda _: torch.zeros(0),
    lambda _: np.full((2, 3), 1e9),
    lambda old: old.double() if isinstance(old, torch.Tensor) else 0.5,
    lambda old: old[None] if isinstance(old, torch.Tensor) else True,
    lambda old: -old.abs() - 1 if isinstance(old, torch.Tensor) else -0.5,
]


def leaves(tree: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the places of all values, containers included."""
    if place:
        yield place
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    if isinstance(tree, dict | list):
        for key, value in items:
            if isinstance(value, dict | list):
                yield from leaves(value, (*place, key))
            else:
                yield (*place, key)


def parent_of(tree: Any, place: tuple[Any, ...]) -> Any:
    for key in place[:-1]:
        tree = tree[key]
    return tree


def tiny_run(folder: Path) -> TrainingRun:
    return built(tiny_config(folder))


def built(config: RunConfig) -> TrainingRun:
    loop = TrainingLoop(config, make_fake_env(config, 4), CPU)  # type: ignore[arg-type]
    return TrainingRun(config, loop, [], None, evaluate_beside=False)  # type: ignore[arg-type]


def test_a_training_of_format_2_goes_on(tmp_path: Path) -> None:
    run = tiny_run(tmp_path)
    run.restore(FORMAT_2)
    stored = load_checkpoint(FORMAT_2)
    assert run.timestep == stored["timestep"] > 0
    own = run._loop.learner.state_dict()["model"]
    assert all(
        torch.equal(own[name], value)
        for name, value in stored["training"]["learner"]["model"].items()
    )
    assert load_policy(FORMAT_2).timestep == run.timestep


def test_whatever_is_changed_gives_one_line(tmp_path: Path) -> None:
    run, content, path = tiny_run(tmp_path), load_checkpoint(FORMAT_2), tmp_path / "crafted.pth"
    # The fake world is not ours, so what it restores proves nothing.
    places = [p for p in leaves(content) if p[:3] != ("training", "rollout", "env")]
    by_kind = {tuple("*" if type(key) is int else key for key in p): p for p in places}
    chosen = sorted(by_kind.values(), key=repr)[::10]
    draws = np.random.default_rng(3)
    told: list[str] = []
    for place in chosen:
        for worse in draws.choice(len(WORSE) + 1, 1, replace=False):
            crafted = copy.deepcopy(content)
            parent = parent_of(crafted, place)
            if worse == len(WORSE):
                del parent[place[-1]]
            else:
                parent[place[-1]] = WORSE[worse](parent[place[-1]])
            save_checkpoint(path, crafted)
            for read in (run.restore, load_policy):
                try:
                    read(path)
                except ValueError as error:
                    told.append(str(error))
    assert [text for text in told if "\n" in text or str(path) not in text] == []
    assert len(told) > len(chosen) // 2


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("counters", "updates_owed", 1e12),
        ("counters", "timestep", -1),
        ("counters", "timestep", 10**30),
        ("counters", "n_episodes", True),
        ("history", "best_coverage", float("nan")),
    ],
)
def test_numbers_out_of_range_are_named(
    tmp_path: Path, part: str, name: str, value: object
) -> None:
    content, path = load_checkpoint(FORMAT_2), tmp_path / "crafted.pth"
    (content if part == "history" else content["training"])[part][name] = value
    save_checkpoint(path, content)
    with pytest.raises(CheckpointError, match=rf"crafted\.pth: damaged: .*{part}\.{name} is"):
        tiny_run(tmp_path).restore(path)


def two_saved(folder: Path, world: Path) -> tuple[RunConfig, list[Path]]:
    """Return how to go on with a run that was killed, and its checkpoints, newest first."""
    config = tiny_config(
        folder,
        env={"scenario": str(world)},
        training={"total_timesteps": 1500},
        logging={"keep_checkpoints": 2, "keep_replays": 2},
    )
    assert train(config, make_env=make_fake_env) == 0  # type: ignore[arg-type]
    models = folder / "models"
    (models / "qplex_hrl_final.pth").unlink()
    numbered = sorted(models.glob("qplex_hrl_*[0-9].pth"), key=lambda p: -int(p.stem[10:]))
    for path, older in pairwise(numbered):  # the end keeps one replay only
        if not replay_beside(older).exists():
            replay_beside(older).write_bytes(replay_beside(path).read_bytes())
            content = load_checkpoint(older)
            save_checkpoint(older, content | {"replay": fingerprint(replay_beside(path))})
    assert len(numbered) == 2
    return config, numbered


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def test_a_folder_goes_on_from_the_newest_checkpoint_with_an_intact_replay(
    tmp_path: Path, world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, (newest, older) = two_saved(tmp_path / "run", world)
    models = tmp_path / "run" / "models"
    assert find_saved_run(models, config) == newest
    cut(replay_beside(newest))
    assert find_saved_run(models, config) == older
    assert f"skipped: {replay_beside(newest)}" in caplog.text
    replay_beside(older).unlink()
    with pytest.raises(CheckpointError, match=r"\.replay\.npz: .*training\.save_replay=false"):
        find_saved_run(models, config)
    with pytest.raises(CheckpointError, match=r"\.replay\.npz: .*training\.save_replay=false"):
        train(config, newest, make_env=make_fake_env)  # type: ignore[arg-type]
    training = config.training.model_copy(update={"save_replay": False})
    without = config.model_copy(update={"training": training})
    assert find_saved_run(models, without) == newest
    assert train(without, models, make_env=make_fake_env) == 0  # type: ignore[arg-type]


def test_a_damaged_checkpoint_does_not_quietly_cost_the_replay(
    tmp_path: Path, world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The older one's replay was deleted when the newer one's was complete."""
    config, (newest, older) = two_saved(tmp_path / "run", world)
    models = tmp_path / "run" / "models"
    cut(newest)
    assert find_saved_run(models, config) == older
    replay_beside(older).unlink()
    way_out = r"qplex_hrl_\d+\.pth: .*; --set training\.save_replay=false goes on"
    with pytest.raises(CheckpointError, match=way_out):
        find_saved_run(models, config)
    assert f"skipped: {older}: its replay is gone" in caplog.text
    training = config.training.model_copy(update={"save_replay": False})
    assert find_saved_run(models, config.model_copy(update={"training": training})) == older


@pytest.mark.parametrize("n_replays", [1, 2])
def test_a_kill_while_saving_leaves_a_checkpoint_with_its_replay(
    tmp_path: Path, world: Path, n_replays: int
) -> None:
    config, (newest, _) = two_saved(tmp_path / "run", world)
    kept = config.logging.model_copy(update={"keep_replays": n_replays})
    config = config.model_copy(update={"logging": kept})
    run = built(config)
    run.restore(newest)
    run._loop.counters.timestep += 500
    found = set()
    for k in range(100):
        models = tmp_path / str(k)
        shutil.copytree(newest.parent, models)
        run.folder = RunFolder(tmp_path / "logs", models)
        with killed_at(k) as was_killed:
            run._save_numbered()
        path = find_saved_run(models, config)
        content = load_checkpoint(path)
        assert content["replay"] == fingerprint(replay_beside(path))
        found.add(content["timestep"])
        if not was_killed():
            break
    assert 5 < k < 99
    assert len(found) == 2
    assert len(list(models.glob("*.replay.npz"))) == n_replays


def test_every_key_says_whether_a_saved_run_may_change_it() -> None:
    for key, _ in _values(RunConfig().model_dump(mode="json")):
        assert any(f"{key}.".startswith(f"{known}.") for known in _CHANGES), key


def test_changes_are_logged_and_those_that_make_no_sense_are_refused(
    tmp_path: Path, world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved = trained(tmp_path / "run", world)
    scenario, cameras = load_scenario(str(world)), load_policy(saved).weights
    with pytest.raises(ValueError, match=r"training\.seed was 0 and is 1 now"):
        read_saved_run(saved, config_of(tmp_path, world, seed=1), scenario, cameras)
    config = config_of(tmp_path, world)
    shared = config.env.model_copy(update={"shared_field_of_view": True})
    with pytest.raises(ValueError, match=r"env\.shared_field_of_view was False and is True now"):
        read_saved_run(saved, config.model_copy(update={"env": shared}), scenario, cameras)
    gamma = config.algorithm.model_copy(update={"gamma": 0.5})
    read_saved_run(saved, config.model_copy(update={"algorithm": gamma}), scenario, cameras)
    assert "resumed with algorithm.gamma changed from" in caplog.text
