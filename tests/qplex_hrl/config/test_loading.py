"""Files, their bases and the command line: what they come to, and what is refused."""

from pathlib import Path

import pytest
import yaml
from paths import CONFIGS
from shipped_values import DIFFERENCES, SHIPPED, flat

from qplex_hrl.config import (
    ConfigError,
    RunConfig,
    config_from_mapping,
    config_hash,
    dump_config,
    load_config,
    parse_override,
)


def load(*settings: str, path: Path = CONFIGS / "smoke.yaml") -> RunConfig:
    return load_config(path, [parse_override(text) for text in settings])


def write(folder: Path, **files: object) -> Path:
    """Write YAML files; return the path of the last one."""
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return folder / f"{name}.yaml"


def test_there_is_no_other_shipped_configuration() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == set(DIFFERENCES)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("qplex_hrl_*.yaml")), ids=lambda p: p.stem)
def test_both_clocks_of_qplex_hrl_run(path: Path) -> None:
    """The fast level is asked more often than the slow one, in every shipped file of the system."""
    hrl = load_config(path).network.hrl
    assert hrl.fast_interval == 1
    assert hrl.frame_skip > hrl.fast_interval


@pytest.mark.parametrize("name", DIFFERENCES)
def test_every_shipped_configuration_is_short_and_has_its_values(name: str) -> None:
    path = CONFIGS / f"{name}.yaml"
    assert len(path.read_text().splitlines()) <= 25
    values = dict(flat(load(path=path).model_dump()))
    wanted = SHIPPED | DIFFERENCES[name]
    for folder in ("logging.log_dir", "logging.model_dir"):
        wanted[folder] = values[folder]
    assert values == wanted


def test_the_shared_configuration_differs_in_regime_plans_rewards_and_rates_only() -> None:
    own = load(path=CONFIGS / "qplex_hrl_4v4_9.yaml").model_dump(exclude={"logging"})
    shared = load(path=CONFIGS / "qplex_hrl_4v4_9_shared.yaml").model_dump(exclude={"logging"})
    assert shared["env"].pop("shared_field_of_view")
    assert not own["env"].pop("shared_field_of_view")
    assert shared["network"]["q_network"].pop("plan_prior") > 0
    assert own["network"]["q_network"].pop("plan_prior") == 0
    assert own["control"].pop("coverage_per_target")
    assert not shared["control"].pop("coverage_per_target")
    assert own["network"]["hrl"].pop("reaction_margin") > 0
    assert shared["network"]["hrl"].pop("reaction_margin") == 0
    assert own["algorithm"].pop("difference_reward_weight") > 0
    assert shared["algorithm"].pop("difference_reward_weight") == 0
    for key in ("learning_rate", "learning_rate_end"):
        assert shared["algorithm"].pop(key) > own["algorithm"].pop(key)
    assert own == shared


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


def test_without_a_file_every_value_is_at_its_default_or_replaced() -> None:
    assert load_config(None) == RunConfig()
    config = load_config(None, [parse_override("training.seed=3")])
    assert config.training.seed == 3
    with pytest.raises(ConfigError, match="did you mean 'seed'"):
        load_config(None, [parse_override("training.sed=3")])


def test_a_dump_loads_to_an_equal_configuration(tmp_path: Path) -> None:
    config = load("network.hrl.frame_skip=10", "network.hrl.exploration_bonus=1e-7")
    (tmp_path / "dump.yaml").write_text(dump_config(config))
    assert load(path=tmp_path / "dump.yaml") == config
    assert config_from_mapping(config.model_dump(mode="json"), "checkpoint") == config


def test_the_hash_depends_on_what_can_change_results() -> None:
    plain = config_hash(load())
    assert plain == config_hash(load())
    assert plain == config_hash(load("logging.log_dir=elsewhere"))
    assert plain != config_hash(load("training.seed=1"))
    assert len(plain) == 16


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


def test_a_file_says_only_what_differs_from_its_base(tmp_path: Path) -> None:
    coefficients = {"reward_coefficients": {"raw_reward": 2.0}}
    path = write(
        tmp_path,
        first={"env": {"num_envs": 8}, "network": {"hrl": coefficients | {"frame_skip": 15}}},
        second={"base": "first.yaml", "env": {"opponent": "random"}},
        third={
            "base": "second.yaml",
            "network": {"hrl": {"frame_skip": 10}},
            "env": {"num_envs": 2},
        },
    )
    config = load("training.seed=3", path=path)
    values = {key: value for key, value in flat(config.model_dump()) if SHIPPED[key] != value}
    assert values == {
        "env.num_envs": 2,
        "env.opponent": "random",
        "network.hrl.frame_skip": 10,
        "network.hrl.reward_coefficients.raw_reward": 2.0,
        "training.seed": 3,
    }
    assert "base" not in yaml.safe_load(dump_config(config))


def test_a_base_stands_beside_its_file_or_anywhere(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    write(tmp_path, low={"env": {"num_envs": 8}})
    near = write(tmp_path / "inner", near={"base": "../low.yaml"})
    far = write(tmp_path / "inner", far={"base": str(tmp_path / "low.yaml")})
    assert load(path=near).env.num_envs == load(path=far).env.num_envs == 8


@pytest.mark.parametrize(
    ("base", "words"),
    [
        (3, r"^\S+/run\.yaml: base = 3; expected the path of another file"),
        (None, r"^\S+/run\.yaml: base = None; expected the path of another file"),
        ("", r"^\S+/run\.yaml: base = ''; expected the path of another file"),
        ("none.yaml", r"^\S+/run\.yaml: base = 'none\.yaml'; .* there is no \S+/none\.yaml$"),
        ("run.yaml", r"^\S+/run\.yaml: base = 'run\.yaml' leads back to \S+/run\.yaml; expected"),
        ("back.yaml", r"^\S+/back\.yaml: base = 'run\.yaml' leads back to \S+/run\.yaml;"),
        ("list.yaml", r"^\S+/list\.yaml: expected a mapping"),
    ],
)
def test_what_cannot_be_a_base_is_told_in_one_line(
    tmp_path: Path, base: object, words: str
) -> None:
    path = write(tmp_path, back={"base": "run.yaml"}, list=[1], run={"base": base})
    with pytest.raises(ConfigError, match=words) as caught:
        load(path=path)
    assert "\n" not in str(caught.value)


def test_a_message_names_the_file_of_a_chain_that_holds_the_value(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        low={"training": {"seed": -1}, "algorithm": {"gama": 0.5}},
        high={"base": "low.yaml", "training": {"seed": 1}},
    )
    with pytest.raises(ConfigError, match=r"low\.yaml: unknown key algorithm\.gama"):
        load(path=path)
    path = write(tmp_path, low={"training": {"seed": 1}}, high={"base": "low.yaml"})
    with pytest.raises(ConfigError, match=r"^--set training\.seed=-1: training\.seed = -1"):
        load("training.seed=-1", path=path)
    path = write(
        tmp_path,
        low={"training": {"seed": 1}},
        high={"base": "low.yaml", "training": {"seed": -1}},
    )
    with pytest.raises(ConfigError, match=r"high\.yaml: training\.seed = -1"):
        load(path=path)


def test_a_base_is_a_matter_of_files_only() -> None:
    with pytest.raises(ConfigError, match=r"^--set base=x: unknown key base in the top level"):
        load("base=x")
    with pytest.raises(ConfigError, match=r"^checkpoint: unknown key base"):
        config_from_mapping({"base": "x"}, "checkpoint")


@pytest.mark.parametrize(("name", "shared"), [("none", False), ("shared", True)])
def test_communication_is_another_name_of_the_shared_field_of_view(
    tmp_path: Path, name: str, shared: bool
) -> None:
    env = {"communication": name}
    assert load(f"env.communication={name}").env.shared_field_of_view is shared
    assert config_from_mapping({"env": env}, "here").env.shared_field_of_view is shared
    path = write(
        tmp_path,
        low={"env": {"shared_field_of_view": not shared}},
        high={"base": "low.yaml", "env": env},
    )
    assert load(path=path).env.shared_field_of_view is shared
    both = {"communication": name, "shared_field_of_view": shared}
    assert config_from_mapping({"env": both}, "here").env.shared_field_of_view is shared
    contrary = both | {"shared_field_of_view": not shared}
    told = f"^here: env.communication = '{name}' with env.shared_field_of_view = {not shared};"
    with pytest.raises(ConfigError, match=told):
        config_from_mapping({"env": contrary}, "here")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("messages", "'messages' is not there yet; expected none or shared"),
        ("sharde", "'sharde'; expected none or shared (did you mean 'shared'?)"),
        ("null", "None; expected none or shared"),
        ("[]", "[]; expected none or shared"),
    ],
)
def test_other_communication_is_refused(value: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f"env.communication={value}")
    assert f"--set env.communication={value}: env.communication = {words}" in str(caught.value)
