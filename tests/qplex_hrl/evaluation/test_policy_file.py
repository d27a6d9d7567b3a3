"""Cameras taken out of a checkpoint: which weights play, and what an exported file holds."""

from pathlib import Path

import pytest
import torch
from tiny import make_fake_env, tiny_config

from qplex_hrl.cli.main import main
from qplex_hrl.evaluation.policy_file import export_policy, load_policy
from qplex_hrl.storage.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from qplex_hrl.training.trainer import train


def trained(folder: Path, **algorithm: object) -> Path:
    config = tiny_config(folder, algorithm=algorithm, training={"total_timesteps": 1000})
    assert train(config, make_env=make_fake_env) == 0  # type: ignore[arg-type]
    return folder / "models" / "qplex_hrl_final.pth"


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_averaged_weights_play_if_there_are_any(tmp_path: Path, average: float) -> None:
    path = trained(tmp_path, ema_decay=average)
    learner = load_checkpoint(path)["training"]["learner"]
    last = {k.removeprefix("agent."): v for k, v in learner["model"].items() if "agent." in k[:6]}
    played = load_policy(path).weights
    assert played.keys() == last.keys()
    assert all(torch.equal(played[name], last[name]) for name in last) == (average == 0.0)
    if average:
        assert all(torch.equal(played[name], learner["ema"][name]) for name in last)


def test_an_exported_file_plays_but_cannot_be_trained_on(tmp_path: Path) -> None:
    path, output = trained(tmp_path, ema_decay=0.9), tmp_path / "cameras.pth"
    export_policy(path, output)
    ours, theirs = load_policy(output), load_policy(path)
    assert ours.timestep == theirs.timestep
    assert ours.config.network == theirs.config.network
    assert all(torch.equal(value, theirs.weights[name]) for name, value in ours.weights.items())
    assert str(tmp_path) not in str(load_checkpoint(output)["config"])
    with pytest.raises(CheckpointError, match="not a checkpoint that training can go on from"):
        train(tiny_config(tmp_path / "other"), output, make_env=make_fake_env)  # type: ignore[arg-type]


@pytest.mark.parametrize("fast_interval", [1, 5])
def test_weights_of_the_other_kind_of_clocks_are_refused(
    tmp_path: Path, fast_interval: int
) -> None:
    """Where both clocks were given before there was a fast level, and the other way round."""
    path = trained(tmp_path)
    content = load_checkpoint(path)
    content["config"]["network"]["hrl"]["fast_interval"] = fast_interval
    if fast_interval == 5:
        content["training"]["learner"]["model"]["agent.reaction.output.weight"] = torch.zeros(1)
    save_checkpoint(path, content)
    message = f"frame_skip = 5, fast_interval = {fast_interval}.*older version.*train again"
    with pytest.raises(CheckpointError, match=message):
        load_policy(path)


def test_the_command_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, output = trained(tmp_path), tmp_path / "cameras.pth"
    assert main(["export", "--checkpoint", str(path), "--output", str(output)]) == 0
    assert "cameras after 1,0" in capsys.readouterr().out
    assert output.stat().st_size < path.stat().st_size
    missing = ["export", "--checkpoint", str(tmp_path / "no.pth"), "--output", str(output)]
    assert main(missing) == 2
    assert "no.pth" in capsys.readouterr().err
