"""Checkpoints of cameras that were never trained, whose choices vary."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny import tiny_config

from camcontrol.selection_env import SelectionEnv
from qplex_hrl.config import RunConfig
from qplex_hrl.data.make_env import build_env, model_dims
from qplex_hrl.model import QPLEXHRLModel, build_model
from qplex_hrl.storage.checkpoint import save_checkpoint

LIMIT = 63  # frames of an episode, so that it ends within a decision


def make_config(
    folder: Path,
    shared: bool = False,
    mode: str = "selection",
    control: dict[str, object] | None = None,
    **hrl: object,
) -> RunConfig:
    env = {"shared_field_of_view": shared, "max_episode_steps": LIMIT, "action_mode": mode}
    config = tiny_config(folder, env=env).model_dump()
    config["control"] |= control or {}
    config["network"]["hrl"] |= hrl
    return RunConfig.model_validate(config)


def with_network(config: RunConfig, **q_network: object) -> RunConfig:
    """The same with other networks."""
    content = config.model_dump()
    content["network"]["q_network"] |= q_network
    return RunConfig.model_validate(content)


def by_index(config: RunConfig) -> RunConfig:
    """The same, with cameras that know their index."""
    return with_network(config, camera_identity="index")


def make_model(env: SelectionEnv, config: RunConfig) -> QPLEXHRLModel:
    """A network that was never trained, with large weights: its choices vary."""
    torch.manual_seed(3)
    bits = torch.from_numpy(env.selection_bits.copy())
    model = build_model(model_dims(env), bits, config.network)
    with torch.no_grad():
        for weight in model.agent.parameters():
            weight *= 2.0
        if model.agent.encoder.identity is not None:  # zero until it has learned
            model.agent.encoder.identity.normal_()
    return model


def make_checkpoint(folder: Path, config: RunConfig) -> Path:
    model = make_model(build_env(config, 1), config)
    content = {
        "config": config.model_dump(mode="json"),
        "timestep": 0,
        "training": {"learner": {"model": model.state_dict()}},
    }
    path = folder / "qplex_hrl_0.pth"
    save_checkpoint(path, content)
    return path
