"""Every shipped configuration: its parts, what it shares with others, and that it learns."""

from pathlib import Path

import numpy as np
import pytest
import torch
from paths import CONFIGS

from qplex_hrl.config import RunConfig, load_config, parse_override
from qplex_hrl.data.collector import Collector
from qplex_hrl.data.make_env import build_env, model_dims
from qplex_hrl.learner import Learner
from qplex_hrl.model import build_model
from qplex_hrl.runtime.devices import limit_threads
from qplex_hrl.training.loop import TrainingLoop

SYSTEMS = {
    "iql": ("discrete", "mlp", "none", 1),
    "vdn": ("discrete", "mlp", "vdn", 1),
    "qmix": ("discrete", "mlp", "qmix", 1),
    "qfix": ("discrete", "mlp", "qfix_qmix", 1),
    "qplex": ("discrete", "mlp", "qplex", 1),
    "qplex_dev": ("discrete", "attention_rnn", "adaptive", 1),
    "hrl_qmix": ("selection", "rnn", "qmix", 5),
    "hrl_vdn": ("selection", "rnn", "vdn", 5),
    "hrl_qplex": ("selection", "rnn", "qplex", 5),
    "qplex_hrl": ("selection", "attention_rnn", "adaptive", 5),
}
"""Actions, Q-network, mixer and frames of a slow decision, as in the contract's table."""

TINY = (
    "env.num_envs=2",
    "env.max_episode_steps=60",
    "network.q_network.hidden_size=4",
    "training.total_timesteps=2000",
    "training.learning_starts=100",
    "training.batch_size=2",
    "training.buffer_size=500",
    "training.train_freq=20",
    "training.device=cpu",
)


def of(system: str, size: str = "4v4_9") -> RunConfig:
    return load_config(CONFIGS / f"{system}_{size}.yaml")


def differences(left: object, right: object, prefix: str = "") -> set[str]:
    """Paths of the values in which two trees of mappings differ."""
    if not isinstance(left, dict) or not isinstance(right, dict):
        return set() if left == right else {prefix.rstrip(".")}
    keys = left.keys() | right.keys()
    return set().union(*(differences(left.get(k), right.get(k), f"{prefix}{k}.") for k in keys))


def differing(left: RunConfig, right: RunConfig) -> set[str]:
    folders = {"logging.log_dir", "logging.model_dir"}
    return differences(left.model_dump(), right.model_dump()) - folders


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_is_made_of_its_parts(system: str) -> None:
    config = of(system)
    hrl = config.network.hrl
    parts = (
        config.env.action_mode,
        config.network.q_network.type,
        config.network.mixing_network.type,
        hrl.frame_skip,
    )
    assert parts == SYSTEMS[system]
    assert config.env.scenario == "MATE-4v4-9"
    assert config.logging.log_dir == f"logs/{system}"
    assert config.logging.model_dir == f"models/{system}"


def test_no_two_files_write_into_one_folder() -> None:
    configs = [load_config(path) for path in CONFIGS.glob("*.yaml")]
    assert len({config.logging.log_dir for config in configs}) == len(configs)
    assert len({config.logging.model_dir for config in configs}) == len(configs)


@pytest.mark.parametrize(
    ("first", "others"),
    [("qplex", ("iql", "vdn", "qmix", "qfix")), ("hrl_qmix", ("hrl_vdn", "hrl_qplex"))],
)
def test_baselines_differ_in_the_mixer_only(first: str, others: tuple[str, ...]) -> None:
    for other in others:
        assert differing(of(first), of(other)) == {"network.mixing_network.type"}


@pytest.mark.parametrize("size", ["4v2_9", "4v8_9", "8v8_9"])
def test_team_sizes_differ_in_amounts_only(size: str) -> None:
    allowed = {"env.scenario", "training.batch_size", "training.buffer_size"}
    assert differing(of("qplex_hrl"), of("qplex_hrl", size)) <= allowed


def test_cameras_for_all_kinds_of_targets_differ_in_what_those_need_only() -> None:
    wanted = {"env.opponent", "env.max_episode_steps"}
    wanted |= {"control.random_walk_share", "control.search_actions"}
    assert differing(of("qplex_hrl"), of("qplex_hrl", "4v4_9_mixture")) == wanted


def test_all_systems_look_ahead_alike_and_baselines_learn_from_as_many_decisions() -> None:
    reference, baseline = of("qplex_hrl"), of("hrl_qplex")
    for system in SYSTEMS:
        config = of(system)
        algorithm = differences(config.algorithm.model_dump(), reference.algorithm.model_dump())
        own = (
            {"difference_reward_weight"} if system != "qplex_hrl" else set()
        )  # one of QPLEX HRL's parts
        assert algorithm <= {"n_step", "td_lambda"} | own, system
        assert (config.algorithm.difference_reward_weight > 0) == (system == "qplex_hrl"), system
        rewards = (c.network.hrl.reward_coefficients for c in (config, reference))
        assert next(rewards) == next(rewards), system
        assert config.training.train_freq == reference.training.train_freq, system
        assert config.training.total_timesteps == reference.training.total_timesteps, system
        for of_system, wanted in zip(_looks_ahead(config), _looks_ahead(reference), strict=True):
            assert wanted / 1.3 <= of_system <= wanted * 1.3, system
        if system == "qplex_hrl":  # a third: docs/systems.md
            assert _decisions_of_a_batch(config) < _decisions_of_a_batch(baseline)
        else:
            ratio = _decisions_of_a_batch(config) / _decisions_of_a_batch(baseline)
            assert 1 / 1.3 <= ratio <= 1.3, system


def _looks_ahead(config: RunConfig) -> tuple[float, float]:
    """Frames that a return looks ahead, and its trace per frame."""
    interval = config.network.hrl.frame_skip
    return config.algorithm.n_step * interval, config.algorithm.td_lambda ** (1 / interval)


def _decisions_of_a_batch(config: RunConfig) -> int:
    training = config.training
    return training.batch_size * (training.burn_in + training.sequence_length)


def _after_updates(config: RunConfig, n_updates: int) -> TrainingLoop:
    """Return a loop in the real world after so many updates."""
    limit_threads(1)
    loop = TrainingLoop(config, build_env(config, config.env.num_envs), torch.device("cpu"))
    with Collector(loop.rollout, in_thread=False, prepare_thread=lambda: None) as collector:
        while loop.learner.n_updates < n_updates:
            assert not loop.done
            loop.iterate(collector)
    return loop


@pytest.mark.jit
@pytest.mark.parametrize("system", ["qplex_hrl", "hrl_qplex", "hrl_qmix"])
def test_the_loss_of_a_real_batch_teaches_every_part(system: str) -> None:
    """Selectors slow and fast, attention, state encoder, gate: no parameter without a gradient."""
    settings = (*TINY, "network.q_network.hidden_size=16", "training.batch_size=8")
    config = load_config(
        CONFIGS / f"{system}_4v4_9.yaml",
        [parse_override(text) for text in (*settings, "network.hrl.selection_entropy_weight=0.0")],
    )
    model = _after_updates(config, 1).learner.model
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@pytest.mark.jit
@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_learns(path: Path) -> None:
    """Updates with one batch fit it, which steps of no size do not."""
    config = load_config(path, [parse_override(text) for text in TINY])
    loop = _after_updates(config, 1)
    learner, batch = loop.learner, loop.replay.sample(4, loop.device)
    assert isinstance(learner, Learner)

    def fit(learning_rate: float) -> float:
        """The loss of the batch after some updates, as a share of what it was."""
        losses = [learner.loss(batch)[1]["td_loss"].item()]
        for _ in range(12):
            learner.update(batch, learning_rate)
        losses.append(learner.loss(batch)[1]["td_loss"].item())
        return losses[1] / losses[0]

    assert fit(1e-12) > 0.95
    assert fit(3e-3) < 0.8


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("size", ["4v2", "4v4", "4v8", "8v8"])
def test_untrained_cameras_with_a_shared_view_follow_the_joint_plan(size: str) -> None:
    run = load_config(CONFIGS / f"qplex_hrl_{size}_9_shared.yaml")
    assert run.network.q_network.plan_prior > 0
    env = build_env(run, 2)
    model = build_model(model_dims(env), torch.from_numpy(env.selection_bits), run.network)
    cameras = model.agent
    out = env.reset(np.arange(2, dtype=np.uint64))
    for _ in range(5):
        obs, avail = torch.from_numpy(out.obs), torch.from_numpy(out.avail_actions)
        hidden = torch.zeros(2, env.n_agents, cameras.recurrent_size)
        q_values = cameras.step(obs, avail, hidden).q_values
        actions = q_values.argmax(dim=-1).numpy()
        first = env.obs_size - env.n_actions * env.feature_layout.action_size
        rows = out.obs[..., first:].reshape(2, env.n_agents, env.n_actions, -1)
        chosen = np.take_along_axis(rows, actions[..., None, None], axis=2)[:, :, 0]
        tried, _, gain, _ = np.moveaxis(chosen[..., -4:], -1, 0)
        np.testing.assert_array_equal(tried, 1.0)
        np.testing.assert_allclose(gain, 0.0, atol=1e-6)
        out = env.step(actions)
