"""Small parts for tests of the training loop: model, agent and rollout in the fake world."""

from pathlib import Path

import numpy as np
import torch
from fake_env import FakeEnv

from qplex_hrl.agent import Agent
from qplex_hrl.algorithm.shaping import Shaping
from qplex_hrl.config import AlgorithmConfig, HRLConfig, NetworkConfig, RunConfig
from qplex_hrl.data.replay import ReplaySizes
from qplex_hrl.data.rollout import Rollout
from qplex_hrl.model import QPLEXHRLModel, build_model
from qplex_hrl.types import ModelDims

CPU = torch.device("cpu")

NETWORK = NetworkConfig.model_validate(
    {
        "hrl": {"frame_skip": 5, "fast_interval": 5},
        "q_network": {"type": "hierarchical_rnn", "hidden_size": 8},
        "state_encoder": {"hidden_size": 8, "embed_size": 8},
        "mixing_network": {"type": "adaptive", "embed_size": 4, "hypernet_size": 8, "n_heads": 2},
    }
)


def tiny_model(env: FakeEnv, seed: int = 0, network: NetworkConfig = NETWORK) -> QPLEXHRLModel:
    layout = env.feature_layout
    dims = ModelDims(
        n_agents=env.n_agents,
        n_targets=env.n_targets,
        n_actions=env.n_actions,
        context_size=layout.context_size,
        target_size=layout.target_size,
        action_size=layout.action_size,
        state_size=env.state_size,
    )
    torch.manual_seed(seed)
    return build_model(dims, torch.from_numpy(env.selection_bits), network)


def tiny_agent(env: FakeEnv, seed: int = 0) -> Agent:
    return Agent(
        tiny_model(env).agent,
        n_envs=env.n_envs,
        n_agents=env.n_agents,
        rng=np.random.default_rng(seed),
        device=CPU,
    )


def tiny_shaping(hrl: HRLConfig = NETWORK.hrl) -> Shaping:
    return Shaping.from_config(AlgorithmConfig(), hrl)


def tiny_sizes(env: FakeEnv) -> ReplaySizes:
    return ReplaySizes(
        n_envs=env.n_envs,
        n_agents=env.n_agents,
        n_actions=env.n_actions,
        obs_size=env.obs_size,
        state_size=env.state_size,
        recurrent_size=tiny_model(env).agent.recurrent_size,
    )


def tiny_rollout(env: FakeEnv, seed: int = 0) -> Rollout:
    return Rollout(env, tiny_agent(env, seed), tiny_shaping(), tiny_sizes(env))  # type: ignore[arg-type]


def tiny_config(folder: Path, **sections: dict[str, object]) -> RunConfig:
    """Return a run of a second: 4 environments of 5 frames a decision, updates from 400 on."""
    content: dict[str, dict[str, object]] = {
        "env": {"num_envs": 4},
        "control": {"belief": "last_seen", "lookahead": False, "coverage_per_target": False},
        "network": NETWORK.model_dump(),
        "algorithm": {
            "epsilon_decay": 1e-3,
            "ema_decay": 0.0,
            "difference_reward_weight": 0.0,
        },
        "training": {
            "total_timesteps": 3000,
            "learning_starts": 400,
            "batch_size": 4,
            "buffer_size": 400,
            "sequence_length": 4,
            "burn_in": 2,
            "train_freq": 20.0,
            "device": "cpu",
        },
        "logging": {
            "log_dir": str(folder / "logs"),
            "model_dir": str(folder / "models"),
            "log_interval": 500,
            "checkpoint_interval": 1000,
            "tensorboard": False,
        },
        "evaluation": {"eval_interval": 1000, "episodes": 3, "final_episodes": 5, "num_envs": 2},
    }
    for name, values in sections.items():
        content[name] |= values
    return RunConfig.model_validate(content)


def make_fake_env(config: RunConfig, num_envs: int) -> FakeEnv:
    return FakeEnv(num_envs, decision_frames=config.network.hrl.frame_skip)
