"""One file of weights for teams of any size; action modes and camera identities that say so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from small_model import Q_TYPES, availability, model, observations, world
from tiny import CPU, tiny_config

from qplex_hrl.cli import main as cli
from qplex_hrl.config import QNetworkConfig, RunConfig
from qplex_hrl.data.make_env import build_env, model_dims
from qplex_hrl.evaluation.episode_record import record_checkpoint
from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.evaluation.trained import evaluate_checkpoint
from qplex_hrl.model import CameraNetwork, build_model
from qplex_hrl.runtime import exit_codes
from qplex_hrl.runtime.seeding import episode_seeds
from qplex_hrl.storage.checkpoint import save_checkpoint

MODES = ("selection", "discrete")
SEEDS = episode_seeds(0, 2)


def make_checkpoint(folder: Path, mode: str, **q_network: object) -> Path:
    """Random weights for MATE-4v4-9, as a training run would store them; episodes of 13 frames."""
    content = tiny_config(folder, env={"action_mode": mode, "max_episode_steps": 12}).model_dump()
    content["network"]["q_network"] |= q_network
    config = RunConfig.model_validate(content)
    env = build_env(config, 1)
    torch.manual_seed(1)
    bits = torch.from_numpy(env.selection_bits.copy())
    weights = build_model(model_dims(env), bits, config.network).state_dict()
    stored = {
        "config": config.model_dump(mode="json"),
        "timestep": 0,
        "training": {"learner": {"model": weights}},
    }
    save_checkpoint(folder / "qplex_hrl_0.pth", stored)
    return folder / "qplex_hrl_0.pth"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("q_type", Q_TYPES)
def test_weights_of_4v4_play_other_team_sizes(tmp_path: Path, q_type: str, mode: str) -> None:
    path = make_checkpoint(tmp_path, mode, type=q_type)
    before = path.read_bytes()
    for name in ("MATE-8v8-9", "MATE-4v2-9", "MATE-4v8-9"):
        result = evaluate_checkpoint(
            path, EvaluationSetting(scenario=name), SEEDS, num_envs=2, device=CPU
        )
        assert result["provenance"]["scenario"] == name
        assert result["mean_episode_length"] == 13.0
        assert 0.0 <= result["mean_coverage_rate"] <= 1.0
        selected = [row["selection_efficiency"] for row in result["episodes"]]
        assert (result["mean_selection_efficiency"] is None) == (selected == [None, None])
        assert mode == "selection" or selected == [None, None]
    assert path.read_bytes() == before


def test_the_command_evaluates_moves_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = make_checkpoint(tmp_path, "discrete"), tmp_path / "result.json"
    command = ["evaluate", "--checkpoint", str(path), "--scenario", "MATE-8v8-9"]
    assert cli.main([*command, "--episodes", "2", "--output", str(output)]) == exit_codes.DONE
    printed = capsys.readouterr().out
    assert "mean_coverage_rate" in printed
    assert "selection_efficiency" not in printed  # nothing was selected
    assert json.loads(output.read_text())["mean_selection_efficiency"] is None


def test_moves_can_be_recorded(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path, "discrete")
    frames = list(record_checkpoint(checkpoint, EvaluationSetting(), 0, CPU).frames)
    assert len(frames) == 14
    assert not any(np.any(frame.world.selection) for frame in frames[1:])


@pytest.mark.parametrize("mode", MODES)
def test_weights_bound_to_the_index_refuse_other_teams(
    tmp_path: Path, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_checkpoint(tmp_path, mode, camera_identity="index")
    evaluate_checkpoint(
        path, EvaluationSetting(scenario="MATE-4v2-9"), SEEDS, num_envs=2, device=CPU
    )
    command = ["evaluate", "--checkpoint", str(path), "--scenario", "MATE-8v8-9"]
    assert cli.main(command) == exit_codes.BAD_INPUT
    assert capsys.readouterr().err == (
        f"error: {path}: trained with network.q_network.camera_identity = 'index' and 4 cameras;"
        " cannot play with 8\n"
    )


@pytest.mark.parametrize("mode", MODES)
def test_flat_weights_refuse_other_observations(
    tmp_path: Path, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_checkpoint(tmp_path, mode, type="rnn", encoding="flat")
    evaluate_checkpoint(
        path, EvaluationSetting(scenario="MATE-4v4-9"), SEEDS, num_envs=2, device=CPU
    )
    command = ["evaluate", "--checkpoint", str(path), "--scenario", "MATE-4v2-9"]
    assert cli.main(command) == exit_codes.BAD_INPUT
    sizes = "458 numbers and 26 actions; cannot play with 322 and 20"
    if mode == "discrete":
        sizes = "446 numbers and 25 actions; cannot play with 382 and 25"
    assert capsys.readouterr().err == (
        f"error: {path}: trained with network.q_network.encoding = 'flat', observations of "
        f"{sizes}\n"
    )


def by_index() -> CameraNetwork:
    """A small network that knows its two cameras by their index."""
    dims, bits = world()
    torch.manual_seed(0)
    config = QNetworkConfig(type="hierarchical_rnn", hidden_size=8, camera_identity="index")
    return CameraNetwork(dims, bits, config)


@torch.no_grad()
def test_an_index_starts_without_effect_and_then_tells_cameras_apart() -> None:
    dims, _ = world()
    network = by_index()
    obs, avail = observations(dims, 5), availability(dims, 5)
    obs[:, 1], avail[:, 1] = obs[:, 0], avail[:, 0]
    hidden = torch.zeros(5, 2, network.recurrent_size)
    before = network.step(obs, avail, hidden).q_values
    torch.testing.assert_close(before[:, 0], before[:, 1])
    assert network.encoder.identity is not None
    network.encoder.identity[1] = torch.randn(8)
    after = network.step(obs, avail, hidden).q_values
    torch.testing.assert_close(after[:, 0], before[:, 0])
    apart = (after[:, 1] != before[:, 1])[avail[:, 1]]
    assert apart.all()
    window = network(obs.unsqueeze(0), hidden[:1]).q_values[0]
    torch.testing.assert_close(window[0][avail[0]], after[0][avail[0]])


def test_the_index_learns() -> None:
    dims, _ = world()
    network = by_index()
    obs = observations(dims, 2, 4)
    values = network(obs, torch.zeros(2, 2, network.recurrent_size)).q_values
    values[..., 0].square().sum().backward()
    assert network.encoder.identity is not None
    assert network.encoder.identity.grad is not None
    assert (network.encoder.identity.grad.abs().sum(dim=-1) > 0).all()


def test_poses_add_no_weights() -> None:
    """Checkpoints from before the choice between the two hold the same names."""
    names = {name for name, _ in model().agent.named_parameters() if "reaction" not in name}
    assert "encoder.identity" not in names
    assert {name for name, _ in by_index().named_parameters()} == names | {"encoder.identity"}


def test_configurations_from_before_have_the_same_meaning(tmp_path: Path) -> None:
    content = tiny_config(tmp_path).model_dump()
    del content["env"]["action_mode"], content["env"]["action_levels"]
    del content["network"]["q_network"]["camera_identity"]
    del content["network"]["q_network"]["encoding"]
    config = RunConfig.model_validate(content)
    assert config == tiny_config(tmp_path)
    assert build_env(config, 1).n_actions == 26
    assert np.array_equal(build_env(config, 1).selection_bits[:4], np.eye(4))
