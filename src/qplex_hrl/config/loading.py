"""Configurations from files and the command line, and back to files."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from camsim.scenario.parsing import DocumentError, parse_yaml, read_mapping, validate_mapping
from camsim.scenario.schema import ScenarioError, load_scenario
from qplex_hrl.config.schema import RunConfig


class ConfigError(ValueError):
    """A configuration that cannot be read or is not valid; the text is one line."""


class Override(NamedTuple):
    """One value from the command line that replaces the file's."""

    key: str  # dotted path, such as training.seed
    value: object
    origin: str  # what the user typed, for messages


def load_config(path: str | Path, overrides: Iterable[Override] = ()) -> RunConfig:
    """Return the validated configuration of a training run.

    Args:
        path: YAML file.
        overrides: replace the file's values, the last one wins; see `parse_override`.

    Raises:
        ConfigError: one line with file (or command-line flag), key path, value and what is
            allowed; also if the scenario is not valid or has no cameras.
    """
    try:
        content = read_mapping(path)
    except DocumentError as error:
        raise ConfigError(str(error)) from error
    origins = {}
    for override in overrides:
        _put(content, override)
        origins[override.key] = override.origin
    config = config_from_mapping(content, str(path), origins)
    source = origins.get("env.scenario", str(path))
    try:
        scenario = load_scenario(config.env.scenario)
    except ScenarioError as error:
        raise ConfigError(f"{source}: env.scenario: {error}") from error
    if scenario.n_cameras == 0:
        raise ConfigError(
            f"{source}: env.scenario = '{config.env.scenario}' has no cameras; "
            "training needs at least one"
        )
    return config


def config_from_mapping(
    content: Mapping[str, Any], source: str, origins: Mapping[str, str] | None = None
) -> RunConfig:
    """Return the validated configuration in a mapping, without a look at the scenario.

    Args:
        content: sections and values, as in a YAML file or a checkpoint.
        source: where it comes from, for messages.
        origins: other origins of single values, by dotted key path.

    Raises:
        ConfigError: one line, as for `load_config`.
    """
    try:
        return validate_mapping(RunConfig, content, source, origins)
    except DocumentError as error:
        raise ConfigError(str(error)) from error


def parse_override(text: str) -> Override:
    """Return what `--set section.key=value` means; the value is read as YAML.

    Raises:
        ConfigError: the text has another form.
    """
    origin = f"--set {text}"
    key, separator, value = text.partition("=")
    if not separator or not all(part.isidentifier() for part in key.split(".")):
        raise ConfigError(f"{origin}: expected section.key=value, e.g. training.seed=1")
    try:
        return Override(key, parse_yaml(value), origin)
    except DocumentError as error:
        raise ConfigError(f"{origin}: {error}") from error


def dump_config(config: RunConfig) -> str:
    """Return the configuration as YAML that `load_config` reads back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def config_hash(config: RunConfig) -> str:
    """Return 16 hexadecimal digits that depend on all that can change results.

    Folders, intervals and trackers of the section `logging` are left out, and `ray`: how the
    environments are shared out among workers changes nothing but the last bits.
    """
    content = config.model_dump(mode="json", exclude={"logging", "ray"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _put(content: dict[str, Any], override: Override) -> None:
    *sections, key = override.key.split(".")
    section = content
    for depth, name in enumerate(sections, start=1):
        section = section.setdefault(name, {})
        if not isinstance(section, dict):
            place = ".".join(sections[:depth])
            raise ConfigError(f"{override.origin}: {place} = {section!r} is not a section")
    section[key] = override.value
