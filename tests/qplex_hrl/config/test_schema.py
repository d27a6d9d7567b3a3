import ast
from pathlib import Path

import pytest
import yaml
from paths import CONFIGS
from pydantic import BaseModel

import qplex_hrl
from camcontrol.decision_kernel import REWARD_TERMS
from qplex_hrl.config import (
    ConfigError,
    HRLConfig,
    RunConfig,
    config_from_mapping,
    config_hash,
    dump_config,
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


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_configuration_is_valid(path: Path) -> None:
    load(path=path)


def test_the_shared_configuration_differs_in_the_regime_in_what_plans_tell_and_in_credit_only() -> (
    None
):
    own = load(path=CONFIGS / "qplex_hrl_4v4_9.yaml").model_dump(exclude={"logging"})
    shared = load(path=CONFIGS / "qplex_hrl_4v4_9_shared.yaml").model_dump(exclude={"logging"})
    assert shared["env"].pop("shared_field_of_view")
    assert not own["env"].pop("shared_field_of_view")
    assert shared["network"]["q_network"].pop("plan_weight") > 0
    assert own["network"]["q_network"].pop("plan_weight") == 0
    assert own["network"]["hrl"].pop("lookahead_by_target")
    assert not shared["network"]["hrl"].pop("lookahead_by_target")
    assert own["algorithm"].pop("credit_weight") > 0
    assert shared["algorithm"].pop("credit_weight") == 0
    assert own == shared


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


def test_overrides_are_typed_and_the_last_one_wins() -> None:
    config = load(
        "training.seed=1",
        "training.seed=7",
        "algorithm.learning_rate=1e-3",
        "algorithm.learning_rate_end=0",
        "env.shared_field_of_view=true",
        "env.max_episode_steps=null",
        "logging.wandb.group=a b",
    )
    assert config.training.seed == 7
    assert config.algorithm.learning_rate == 1e-3
    assert config.env.shared_field_of_view is True
    assert config.env.max_episode_steps is None
    assert config.logging.wandb.group == "a b"


def test_a_dump_loads_to_an_equal_configuration(tmp_path: Path) -> None:
    config = load("network.hrl.frame_skip=6", "network.hrl.exploration_bonus=1e-7")
    (tmp_path / "dump.yaml").write_text(dump_config(config))
    assert load(path=tmp_path / "dump.yaml") == config
    assert config_from_mapping(config.model_dump(mode="json"), "checkpoint") == config


def test_the_hash_depends_on_what_can_change_results() -> None:
    plain = config_hash(load())
    assert plain == config_hash(load())
    assert plain == config_hash(load("logging.log_dir=elsewhere"))
    assert plain != config_hash(load("training.seed=1"))
    assert len(plain) == 16


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
                "'none', 'vdn', 'qmix', 'qplex' or 'adaptive'",
                "did you mean 'qplex'?",
            ],
        ),
        ("network.hrl.fast_interval=9", ["network.hrl", "fast_interval = 9", "frame_skip = 4"]),
        ("network.hrl.frame_skip=5", ["fast_interval = 2; expected a divisor of frame_skip = 5"]),
        (
            "network.hrl.lookahead_by_target=true",
            ["network.hrl", "lookahead_by_target = true; expected lookahead = true"],
        ),
        ("env.action_mode=grid", ["env.action_mode = 'grid'; expected 'selection' or 'discrete'"]),
        ("env.message_loss=0.1", ["env", "message_loss = 0.1; expected 0 unless shared_field"]),
        ("env.message_loss=1.1", ["env.message_loss = 1.1; expected less than or equal to 1"]),
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


def test_credit_that_is_always_zero_is_refused_in_one_line() -> None:
    nothing = "network.hrl.reward_coefficients.coverage_rate=0"
    load(nothing)
    with pytest.raises(
        ConfigError, match=r"credit_weight = 2\.0 with .*coverage_rate = 0"
    ) as caught:
        load(nothing, "algorithm.credit_weight=2.0")
    assert "\n" not in str(caught.value)


def test_a_message_names_the_origin(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump({"training": {"seed": -1, "sed": 1}}))
    with pytest.raises(ConfigError, match=r"run\.yaml: unknown key training\.sed .*and 1 more"):
        load(path=path)
    path.write_text("{}")
    with pytest.raises(ConfigError, match=r"^--set training\.seed=-1: training\.seed = -1"):
        load("training.seed=-1", path=path)
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        load(path=tmp_path / "none.yaml")


def test_cross_checks_accept_their_limits() -> None:
    load("env.shared_field_of_view=true", "env.message_loss=1")
    load("training.buffer_size=28")
    assert HRLConfig(frame_skip=3, fast_interval=3).fast_interval == 3
