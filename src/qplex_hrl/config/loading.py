"""Configurations from files, their bases and the command line, and back to files."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from camsim.errors import OneLineError
from camsim.scenario.parsing import (
    DocumentError,
    parse_yaml,
    read_mapping,
    suggestion,
    validate_mapping,
)
from camsim.scenario.schema import ScenarioError, load_scenario
from qplex_hrl.config.migration import migrate_mapping, old_keys
from qplex_hrl.config.schema import RunConfig

_MOST_BASES = 20
_COMMUNICATION = {"none": False, "shared": True}
"""Other names of the values of `env.shared_field_of_view`."""


class ConfigError(OneLineError):
    """A configuration that cannot be read or is not valid; the text is one line."""


class Override(NamedTuple):
    """One value from the command line that replaces the file's."""

    key: str  # dotted path, such as training.seed
    value: object
    origin: str  # what the user typed, for messages


def load_config(path: str | Path | None, overrides: Iterable[Override] = ()) -> RunConfig:
    """Return the validated configuration of a training run.

    Args:
        path: YAML file; `base: other.yaml` in it names a file that it changes. None: every value is
            at its default.
        overrides: replace the file's values, the last one wins; see `parse_override`.

    Raises:
        ConfigError: one line with file (or command-line flag), key path, value and what is
            allowed; also if the scenario is not valid or has no cameras.
    """
    content: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if path is not None:
        content, origins = _read_with_bases(Path(path), ())
    place = "defaults" if path is None else str(path)
    for override in map(_spelled_out, overrides):
        _put(content, override)
        _forget(origins, override.key)
        origins[override.key] = override.origin
    config = config_from_mapping(content, place, origins)
    source = origins.get("env.scenario", place)
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
    for key, told in old_keys(content):
        raise ConfigError(f"{_origin_of(key, origins or {}, source)}: {told}")
    content = _with_regime(content, source)
    try:
        return validate_mapping(RunConfig, content, source, origins)
    except DocumentError as error:
        raise ConfigError(str(error)) from error


def config_from_stored(content: object, source: str) -> RunConfig:
    """Return the configuration of a checkpoint or of a run's folder, of this version or 0.1.

    Raises:
        ConfigError: one line, as for `load_config`.
    """
    if not isinstance(content, Mapping):
        raise ConfigError(f"{source}: its configuration is no mapping; expected sections and keys")
    return config_from_mapping(migrate_mapping(content), source)


def load_stored_config(path: str | Path) -> RunConfig:
    """Return the resolved configuration that a run wrote, of this version or 0.1.

    Raises:
        ConfigError: one line, as for `load_config`.
    """
    try:
        content = read_mapping(path)
    except DocumentError as error:
        raise ConfigError(str(error)) from error
    return config_from_stored(content, str(path))


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


# Any: what YAML held.
def _read_with_bases(path: Path, above: tuple[Path, ...]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what a file and its bases say together, and the file of every value.

    Args:
        path: the file.
        above: the files whose base it is, the first one first.
    """
    try:
        content = _with_regime(read_mapping(path), str(path))
    except DocumentError as error:
        raise ConfigError(str(error)) from error
    below: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if "base" in content:
        base = content.pop("base")
        below, origins = _read_with_bases(_base_file(path, base, above), (*above, path))
    for key in _values(content):
        _forget(origins, key)
        origins[key] = str(path)
    return _merged(below, content), origins


def _base_file(path: Path, base: object, above: tuple[Path, ...]) -> Path:
    """Return the file that `path` names as its base."""
    place = f"{path}: base = {base!r}"
    if not isinstance(base, str) or not base:
        raise ConfigError(f"{place}; expected the path of another file, beside this one")
    file = path.parent / base
    if not file.is_file():
        raise ConfigError(f"{place}; expected a file, but there is no {file}")
    if len(above) >= _MOST_BASES:
        raise ConfigError(f"{place}; expected at most {_MOST_BASES} files that name each other")
    if file.resolve() in [each.resolve() for each in (*above, path)]:
        raise ConfigError(f"{place} leads back to {file}; expected files without a cycle")
    return file


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes`: sections key by key, all other values as a whole."""
    result = dict(base)
    for key, value in changes.items():
        known = result.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            value = _merged(known, value)
        result[key] = value
    return result


def _values(content: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the dotted path of every value."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _values(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _forget(origins: dict[str, str], key: str) -> None:
    """Drop the origins of a value, or section, that is replaced."""
    for known in [known for known in origins if known == key or known.startswith(f"{key}.")]:
        del origins[known]


def _origin_of(key: str, origins: Mapping[str, str], source: str) -> str:
    """Return where a value comes from: it may have been given with its whole section."""
    while key not in origins and "." in key:
        key = key.rpartition(".")[0]
    return origins.get(key, source)


def _with_regime(content: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the content with `env.communication` told as `env.shared_field_of_view`."""
    env = content.get("env")
    if not isinstance(env, dict) or "communication" not in env:
        return dict(content)
    env = dict(env)
    value = env.pop("communication")
    shared = _shared(value, source)
    if env.setdefault("shared_field_of_view", shared) != shared:
        raise ConfigError(
            f"{source}: env.communication = {value!r} with env.shared_field_of_view = "
            f"{env['shared_field_of_view']!r}; expected one of them, or both alike"
        )
    return {**content, "env": env}


def _spelled_out(override: Override) -> Override:
    """Return the override with `env.communication` told as `env.shared_field_of_view`."""
    if override.key != "env.communication":
        return override
    shared = _shared(override.value, override.origin)
    return override._replace(key="env.shared_field_of_view", value=shared)


def _shared(value: object, source: str) -> bool:
    """Return whether cameras share their views, as `env.communication` says."""
    place = f"{source}: env.communication = {value!r}"
    if value == "messages":
        raise ConfigError(f"{place} is not there yet; expected none or shared")
    if not isinstance(value, str) or value not in _COMMUNICATION:
        hint = suggestion(str(value), _COMMUNICATION)
        raise ConfigError(f"{place}; expected none or shared{hint}")
    return _COMMUNICATION[value]


def _put(content: dict[str, Any], override: Override) -> None:
    *sections, key = override.key.split(".")
    section = content
    for depth, name in enumerate(sections, start=1):
        section = section.setdefault(name, {})
        if not isinstance(section, dict):
            place = ".".join(sections[:depth])
            raise ConfigError(f"{override.origin}: {place} = {section!r} is not a section")
    section[key] = override.value
