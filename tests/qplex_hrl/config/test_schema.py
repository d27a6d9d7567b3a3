"""The typed models: their defaults, and every setting that they refuse."""

import ast
import dataclasses
from pathlib import Path

import pytest
from paths import CONFIGS
from pydantic import BaseModel
from shipped_values import SHIPPED, flat

import qplex_hrl
from camcontrol.decision_arrays import REWARD_TERMS
from camcontrol.options import ControlOptions
from qplex_hrl.config import (
    ConfigError,
    ControlConfig,
    HRLConfig,
    RunConfig,
    load_config,
    parse_override,
)


def load(*settings: str, path: Path = CONFIGS / "smoke.yaml") -> RunConfig:
    return load_config(path, [parse_override(text) for text in settings])


def sections(model: type[BaseModel]) -> list[type[BaseModel]]:
    nested = [field.annotation for field in model.model_fields.values()]
    return [model] + [
        inner
        for kind in nested
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        for inner in sections(kind)
    ]


def test_the_defaults_are_the_shipped_system() -> None:
    assert dict(flat(RunConfig().model_dump())) == SHIPPED


def test_a_cameras_side_has_one_source_of_defaults() -> None:
    """Every field of ControlOptions but what a camera observes is a key with the same default."""
    config = RunConfig()
    keys = config.env.model_dump() | config.network.hrl.model_dump() | config.control.model_dump()
    keys["decision_frames"] = config.network.hrl.frame_skip
    wanted = dataclasses.asdict(ControlOptions())
    assert wanted.pop("observation_mode") == "own"
    assert set(ControlConfig.model_fields) < set(wanted)
    assert {name: keys[name] for name in wanted} == wanted


def test_every_key_says_what_it_means() -> None:
    for section in sections(RunConfig):
        assert section.__doc__
        for name, field in section.model_fields.items():
            nested = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
            assert nested or field.description, f"{section.__name__}.{name}"


def test_every_key_is_read_by_some_module() -> None:
    package = Path(qplex_hrl.__file__).parent
    read = {
        node.attr
        for path in package.rglob("*.py")
        if path.parent.name != "config"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    # The reward coefficients are handed over together; the simulator knows their names.
    read |= set(REWARD_TERMS)
    keys = {name for section in sections(RunConfig) for name in section.model_fields}
    assert not keys - read


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().training.seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("algorithm.gama=1", ["unknown key algorithm.gama", "did you mean 'gamma'?"]),
        ("training.zzz=1", ["unknown key training.zzz", "expected one of total_timesteps,"]),
        ("algorithm.gamma=1", ["algorithm.gamma = 1; expected less than 1"]),
        ("algorithm.gamma=.nan", ["algorithm.gamma = nan; expected a finite number"]),
        ("algorithm.gamma=fast", ["algorithm.gamma = 'fast'; expected a valid number"]),
        ("algorithm.gamma=true", ["algorithm.gamma = True; expected a valid number"]),
        ("algorithm.double_q=1", ["algorithm.double_q = 1; expected a valid boolean"]),
        ("training.batch_size=2.5", ["training.batch_size = 2.5; expected a valid integer"]),
        ("training.seed=-1", ["training.seed = -1; expected greater than or equal to 0"]),
        ("evaluation.seed=-1", ["evaluation.seed = -1; expected greater than or equal to 0"]),
        ("training.device=gpu", ["training.device = 'gpu'; expected"]),
        (
            "network.mixing_network.type=qplx",
            [
                "network.mixing_network.type = 'qplx'",
                "'none', 'vdn', 'qmix', 'qplex', 'qfix_vdn', 'qfix_qmix' or 'adaptive'",
                "did you mean 'qplex'?",
            ],
        ),
        ("network.mixing_network.type=qfix_mix", ["did you mean 'qfix_qmix'?"]),
        ("network.mixing_network.type=qfix-vdn", ["did you mean 'qfix_vdn'?"]),
        ("network.hrl.fast_interval=9", ["network.hrl", "fast_interval = 9", "frame_skip = 4"]),
        ("network.hrl.frame_skip=5", ["fast_interval = 2; expected a divisor of frame_skip = 5"]),
        (
            "control.coverage_per_target=true",
            ["control", "coverage_per_target = true; expected lookahead = true"],
        ),
        (
            "control.lookahead=true",
            ["control: lookahead = true", "belief = 'last_seen'", "expected belief 'particles'"],
        ),
        (
            "control.plan_goal=stereo",
            ["control.plan_goal = 'stereo'; expected 'coverage' or 'stereo_coverage'"],
        ),
        ("control.random_walk_share=0.6", ["random_walk_share = 0.6; expected less than or equal"]),
        ("env.action_mode=grid", ["env.action_mode = 'grid'; expected 'selection' or 'discrete'"]),
        ("env.message_loss=0.1", ["env", "message_loss = 0.1; expected 0 unless shared_field"]),
        ("env.message_loss=1.1", ["env.message_loss = 1.1; expected less than or equal to 1"]),
        ("env.min_baseline_deg=-1", ["env.min_baseline_deg = -1; expected greater than or equal"]),
        (
            "env.min_baseline_deg=181",
            ["min_baseline_deg = 181; expected less than or equal to 180"],
        ),
        ("env.min_baseline_deg=wide", ["env.min_baseline_deg = 'wide'; expected a valid number"]),
        ("env.action_levels=4", ["env.action_levels = 4; expected an odd number"]),
        ("env.action_levels=1", ["env.action_levels = 1; expected greater than or equal to 3"]),
        ("env.action_levels=257", ["env.action_levels = 257; expected less than or equal to 255"]),
        ("network.q_network.camera_identity=id", ["camera_identity = 'id'; expected 'pose' or"]),
        (
            "network.q_network.encoding=flat",
            ["network.q_network", "encoding = 'flat'", "type = 'hierarchical_rnn'", "'rnn'"],
        ),
        ("network.q_network.n_heads=3", ["n_heads = 3", "hidden_size = 8"]),
        ("algorithm.epsilon_end=0.6", ["epsilon_end = 0.6", "epsilon_start = 0.5"]),
        ("algorithm.learning_rate=1e-9", ["learning_rate_end = 7e-05", "learning_rate = 1e-09"]),
        ("training.buffer_size=27", ["training.buffer_size = 27", "at least 28"]),
        ("env=3", ["env = 3; expected a section"]),
        ("env.scenario.name=x", ["env.scenario = 'MATE-4v2-9' is not a section"]),
        ("env.opponent=gredy", ["env.opponent = 'gredy'; expected one", "did you mean 'greedy'?"]),
        ("env.opponent=greedy=1,lazy=1", ["env.opponent = 'greedy=1,lazy=1'", "'lazy' is unknown"]),
        ("env.opponent=external", ["env.opponent = 'external'; expected one of random,"]),
        ("env.scenario=MATE-4v4_9", ["env.scenario", "did you mean 'MATE-4v4-9'?"]),
        ("env.scenario=MATE-Navigation", ["'MATE-Navigation' has no cameras"]),
        ("algorithm.gamma=[", ["YAML syntax error"]),
        ("algorithm.gamma", ["expected section.key=value"]),
        ("=3", ["expected section.key=value"]),
    ],
)
def test_invalid_settings_are_told_in_one_line(setting: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(setting)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_difference_reward_that_is_always_zero_is_refused_in_one_line() -> None:
    nothing = "network.hrl.reward_coefficients.coverage_rate=0"
    load(nothing)
    with pytest.raises(
        ConfigError, match=r"difference_reward_weight = 2\.0 with .*coverage_rate = 0"
    ) as caught:
        load(nothing, "algorithm.difference_reward_weight=2.0")
    assert "\n" not in str(caught.value)
    stereo = "network.hrl.reward_coefficients.stereo_coverage_rate=1"
    load(nothing, stereo, "algorithm.difference_reward_weight=2.0")


def test_moves_of_a_grid_cannot_look_ahead() -> None:
    settings = [parse_override("env.action_mode=discrete")]
    with pytest.raises(ConfigError, match=r"yaml: control\.lookahead = true with env\.action_mode"):
        load_config(CONFIGS / "qplex_hrl_4v4_9.yaml", settings)


def test_cameras_that_plan_alone_have_no_stereo_plans() -> None:
    shipped = CONFIGS / "qplex_hrl_4v4_9.yaml"
    settings = ["control.plan_goal=stereo_coverage"]
    with pytest.raises(ConfigError, match=r"plan_goal = 'stereo_coverage' with cameras that plan"):
        load(*settings, path=shipped)
    load(*settings, "env.shared_field_of_view=true", path=shipped)
    load(*settings, "env.enhanced_observation=both", path=shipped)


def test_cross_checks_accept_their_limits() -> None:
    load("env.shared_field_of_view=true", "env.message_loss=1")
    load("training.buffer_size=28")
    for angle in (0, 180):
        assert load(f"env.min_baseline_deg={angle}").env.min_baseline_deg == angle
    assert HRLConfig(frame_skip=3, fast_interval=3).fast_interval == 3
