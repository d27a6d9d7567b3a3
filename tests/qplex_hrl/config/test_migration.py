"""Keys of version 0.1: told by their new names where a person writes, read where a run wrote."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from paths import ROOT

from qplex_hrl.config import (
    ConfigError,
    RunConfig,
    config_from_mapping,
    config_from_stored,
    load_config,
    load_stored_config,
    parse_override,
)
from qplex_hrl.config.migration import MOVED, REMOVED, migrate_mapping
from qplex_hrl.storage.checkpoint import load_checkpoint

PRETRAINED = sorted((ROOT / "pretrained").glob("*.pth"))
VALUES = {
    "network.hrl.belief": "last_seen",
    "network.hrl.n_particles": 7,
    "network.hrl.wandering": 0.25,
    "network.hrl.memory_frames": 9,
    "network.hrl.executor": "upstream",
    "network.hrl.max_selected": 3,
    "network.hrl.look_options": 5,
    "network.hrl.lookahead": False,
    "network.hrl.lookahead_by_target": False,
    "network.q_network.plan_weight": 2.0,
    "algorithm.weight_average": 0.5,
    "algorithm.credit_weight": 4.0,
}
"""Of every old key, another than today's default."""


def nested(values: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in values.items():
        *sections, name = key.split(".")
        section = content
        for each in sections:
            section = section.setdefault(each, {})
        section[name] = value
    return content


def value_of(content: Any, key: str) -> Any:
    for name in key.split("."):
        content = content[name]
    return content


def test_every_old_key_moves_with_its_value() -> None:
    assert set(VALUES) == set(MOVED)
    content = nested(VALUES | dict.fromkeys(REMOVED, "anything"))
    before = copy.deepcopy(content)
    new = migrate_mapping(content)
    assert content == before
    config = config_from_stored(content, "old").model_dump()
    for old, key in MOVED.items():
        assert value_of(config, key) == value_of(new, key) == VALUES[old]
        assert value_of(RunConfig().model_dump(), key) != VALUES[old]


def test_a_new_configuration_stays_as_it_is() -> None:
    content = RunConfig().model_dump(mode="json")
    assert migrate_mapping(content) == content
    assert config_from_stored({"control": {}}, "new") == RunConfig()
    both = {"algorithm": {"weight_average": 0.5, "ema_decay": 0.25}}
    assert migrate_mapping(both)["algorithm"]["ema_decay"] == 0.25


def test_what_an_old_configuration_leaves_out_means_what_it_meant() -> None:
    config = config_from_stored({}, "old")
    assert (config.control.belief, config.control.lookahead) == ("last_seen", False)
    assert not config.control.coverage_per_target
    assert config.network.q_network.type == "hierarchical_rnn"
    assert config.algorithm.ema_decay == config.algorithm.difference_reward_weight == 0.0
    assert config.training.batch_size == 24


def test_what_is_no_section_is_told() -> None:
    with pytest.raises(ConfigError, match=r"^old: .*expected a section"):
        config_from_stored({"network": 3, "algorithm": None}, "old")


@pytest.mark.parametrize("path", PRETRAINED, ids=lambda path: path.stem)
def test_shipped_checkpoints_keep_their_meaning(path: Path) -> None:
    stored = load_checkpoint(path)["config"]
    config = config_from_stored(stored, str(path))
    is_old = "control" not in stored
    for old, new in MOVED.items():
        try:
            wanted = value_of(stored, old if is_old else new)
        except KeyError:  # a key that is younger than the checkpoint
            assert old in {
                "network.hrl.wandering",
                "network.hrl.lookahead_by_target",
                "algorithm.credit_weight",
            }
            wanted = 0
        assert value_of(config.model_dump(), new) == wanted, new


@pytest.mark.parametrize("key", [*MOVED, *REMOVED])
def test_an_old_key_is_told_by_its_new_name(tmp_path: Path, key: str) -> None:
    told = f"{key} is now {MOVED[key]}" if key in MOVED else f"{key} is no longer a key: "
    path, empty, high = (tmp_path / name for name in ("run.yaml", "empty.yaml", "high.yaml"))
    path.write_text(yaml.safe_dump(nested({key: VALUES.get(key, "anything")})))
    empty.write_text("{}")
    high.write_text("base: run.yaml")
    for file in (path, high):
        with pytest.raises(ConfigError) as caught:
            load_config(file)
        assert str(caught.value).startswith(f"{path}: {told}")
    with pytest.raises(ConfigError) as caught:
        load_config(empty, [parse_override(f"{key}=1")])
    assert str(caught.value).startswith(f"--set {key}=1: {told}")
    section, _, name = key.rpartition(".")
    with pytest.raises(ConfigError) as caught:
        load_config(empty, [parse_override(f"{section}={{{name}: 1}}")])
    assert str(caught.value).startswith(f"--set {section}={{{name}: 1}}: {told}")
    with pytest.raises(ConfigError, match=f"^here: {key} is "):
        config_from_mapping(nested({key: 1}), "here")


def test_the_configuration_of_an_old_runs_folder_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(nested(VALUES | {"logging.model_dir": "there"})))
    config = load_stored_config(path)
    assert config.logging.model_dir == "there"
    assert config.control.search_actions == 5
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        load_stored_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("odd", ["text", None, 3, [1]])
def test_a_stored_configuration_is_a_mapping(odd: object) -> None:
    with pytest.raises(ConfigError, match=r"^old: its configuration is no mapping"):
        config_from_stored(odd, "old")
