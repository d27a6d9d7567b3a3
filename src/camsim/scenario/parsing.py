"""Mappings from YAML or JSON files and their validation, every fault told in one line."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

__all__ = ["DocumentError", "parse_yaml", "read_mapping", "suggestion", "validate_mapping"]

Model = TypeVar("Model", bound=BaseModel)

_LONGEST_VALUE = 80
_PLAIN = {
    "model_type": "expected a section of keys and values",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "invalid_key": "expected keys that are text",
}
"""What is expected, in words of YAML and JSON, by kind of error."""


class DocumentError(ValueError):
    """A file that cannot be read, is not well formed or fails validation; the text is one line."""


class _Loader(yaml.SafeLoader):
    """YAML loader that refuses duplicate keys and reads `1e-3` as a number, as YAML 1.2 does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.value in seen and key_node.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    problem=f"key '{key_node.value}' appears twice",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def parse_yaml(text: str) -> object:
    """Return the value of one YAML document.

    Raises:
        DocumentError: the text is not YAML; says the line, column and problem.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - the loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise DocumentError(f"YAML syntax error: {place}{error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise DocumentError(f"YAML syntax error: {_one_line(error)}") from error


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Return the mapping stored in a JSON file (by its suffix) or YAML file (any other).

    Raises:
        DocumentError: the file is missing, unreadable, not well formed or no mapping.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DocumentError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise DocumentError(f"{path}: not a text file in UTF-8") from None
    except OSError as error:
        raise DocumentError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    try:
        value = _parse_json(text) if path.suffix.lower() == ".json" else parse_yaml(text)
    except json.JSONDecodeError as error:
        raise DocumentError(
            f"{path}: JSON syntax error: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except DocumentError as error:
        raise DocumentError(f"{path}: {error}") from error
    except RecursionError:
        raise DocumentError(f"{path}: sections are nested too deeply") from None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise DocumentError(f"{path}: expected a mapping of keys to values at the top level")
    return value


def _parse_json(text: str) -> object:
    return json.loads(text, object_pairs_hook=_unique_keys)


# Any: a JSON value.
def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DocumentError(f"JSON syntax error: key '{twice}' appears twice in one section")
    return mapping


def validate_mapping(
    model: type[Model],
    value: Mapping[str, Any],
    source: str,
    origins: Mapping[str, str] | None = None,
) -> Model:
    """Return `value` as a validated `model`.

    Args:
        model: the class to build; unknown keys fail if it forbids them.
        value: what a file held.
        source: what the message names as the origin, usually the file's path.
        origins: other origins of single values, by dotted key path.

    Raises:
        DocumentError: one line with source, full key path, value, what is allowed and, for an
            unknown key or name, the nearest known one.
    """
    try:
        return model.model_validate(dict(value))
    except ValidationError as error:
        # An unknown key explains a missing one, so it is told first.
        details = sorted(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
        origin = (origins or {}).get(_dotted(details[0]["loc"]), source)
        more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
        raise DocumentError(f"{origin}: {_describe(model, details[0])}{more}") from error


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean '...'?)` for the nearest known name, or an empty string."""
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean '{nearest[0]}'?)" if nearest else ""


def _describe(model: type[BaseModel], detail: ErrorDetails) -> str:
    location = detail["loc"]
    path = _dotted(location)
    if detail["type"] == "extra_forbidden":
        known = _known_keys(model, location[:-1])
        section = f"section {_dotted(location[:-1])}" if len(location) > 1 else "the top level"
        hint = suggestion(str(location[-1]), known)
        return f"unknown key {path} in {section}; expected one of {', '.join(known)}{hint}"
    if detail["type"] == "missing":
        return f"{path} is missing; it has no default"
    message = detail["msg"].removeprefix("Value error, ")
    expected = message.replace("Input should be ", "expected ").replace(
        "String should", "expected to"
    )
    expected = _PLAIN.get(detail["type"], expected)
    if detail["type"] in ("too_long", "too_short"):
        expected = f"expected a list of {detail['ctx'].get('max_length', 'more')} values"
    if not location:
        return _one_line(expected)
    if isinstance(detail["input"], dict) and detail["type"] == "value_error" and len(location) == 1:
        return _one_line(f"{path}: {expected}")  # about several keys of a section
    hint = ""
    if detail["type"] == "literal_error" and isinstance(detail["input"], str):
        hint = suggestion(detail["input"], re.findall(r"'([^']*)'", message))
    shown = _one_line(repr(detail["input"]))
    shown = shown if len(shown) <= _LONGEST_VALUE else shown[: _LONGEST_VALUE - 3] + "..."
    return _one_line(f"{path} = {shown}; {expected}{hint}")


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the section at `location`, following nested models only."""
    for part in location:
        field = model.model_fields.get(str(part))
        if field is None:
            break
        for candidate in (field.annotation, *get_args(field.annotation)):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                model = candidate
                break
    return list(model.model_fields)


def _dotted(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _one_line(value: object) -> str:
    return " ".join(str(value).split())
