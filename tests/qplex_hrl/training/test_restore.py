"""Going on from a checkpoint: in the world and with the replay that it was saved with."""

import logging
from pathlib import Path

import pytest
import yaml
from tiny import make_fake_env, tiny_config

from camsim.scenario.schema import Scenario, ScenarioError, load_scenario
from qplex_hrl.cli.main import main
from qplex_hrl.config import RunConfig
from qplex_hrl.evaluation.policy_file import export_policy, load_policy
from qplex_hrl.storage.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
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
