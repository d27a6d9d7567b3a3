"""Configurations from files and the command line, and back."""

from pathlib import Path

import pytest
from paths import CONFIGS

from qplex_hrl.config import load_config, parse_override
from qplex_hrl.config.loading import ConfigError, config_hash, dump_config

SMOKE = CONFIGS / "smoke.yaml"


def test_the_last_override_wins() -> None:
    overrides = [parse_override(f"training.seed={seed}") for seed in (3, 5)]
    assert load_config(SMOKE, overrides).training.seed == 5


def test_values_of_overrides_are_yaml() -> None:
    values = [parse_override(f"a.b={text}").value for text in ("1e-3", "true", "[1, 2]", "x=y", "")]
    assert values == [1e-3, True, [1, 2], "x=y", None]


@pytest.mark.parametrize("text", ["training.seed", "=1", "training..seed=1", "1a.b=2"])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--set .*: expected section\.key=value"):
        parse_override(text)


def test_an_override_below_a_value_is_refused() -> None:
    overrides = [parse_override(text) for text in ("training=3", "training.seed=1")]
    with pytest.raises(ConfigError, match=r"--set training\.seed=1: training = 3 is not a section"):
        load_config(SMOKE, overrides)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    config = load_config(SMOKE)
    path = tmp_path / "again.yaml"
    path.write_text(dump_config(config), encoding="utf-8")
    assert load_config(path) == config


def test_the_hash_depends_on_what_can_change_results() -> None:
    def of(*settings: str) -> str:
        return config_hash(load_config(SMOKE, [parse_override(text) for text in settings]))

    assert len(of()) == 16
    assert of("logging.log_dir=elsewhere") == of("ray.num_workers=2") == of()
    assert len({of(), of("training.seed=7"), of("algorithm.gamma=0.9")}) == 3
