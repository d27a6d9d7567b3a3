"""Mappings from YAML or JSON files and their validation, every fault told in one line."""

import difflib
import json
import re
import reprlib
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from camsim.bounds import shortened
from camsim.errors import OneLineError, one_line

__all__ = ["DocumentError", "parse_yaml", "read_mapping", "suggestion", "validate_mapping"]

Model = TypeVar("Model", bound=BaseModel)

_LONGEST_VALUE = 80
_LONGEST_TUPLE = 4  # of those that have a length of their own
_MOST_BYTES = 2**20  # the largest scenario of 1,000 entities per team has a tenth
_MOST_VALUES = 50_000  # likewise
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxlist, _SHORT.maxtuple = 3, 4, 6, 6
_SHORT.maxstring = _SHORT.maxother = _LONGEST_VALUE
_PLAIN = {
    "model_type": "expected a section of keys and values",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "invalid_key": "expected keys that are text",
}
"""What is expected, in words of YAML and JSON, by kind of error."""


class DocumentError(OneLineError):
    """A file that cannot be read, is not well formed or fails validation; the text is one line."""


class _Loader(yaml.SafeLoader):
    """YAML loader that refuses duplicate keys and reads `1e-3` as a number, as YAML 1.2 does.

    An alias stands for all that its anchor holds. Few bytes of them can stand for billions of
    values, so the values are counted as they would be written out.
    """

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _count(node, {})
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    problem="expected keys that are text", problem_mark=key_node.start_mark
                )
            if key_node.value in seen and key_node.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    problem=f"key '{key_node.value}' appears twice",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def _count(node: yaml.Node, counted: dict[int, int]) -> int:
    """Return the number of values in a node, written out.

    Args:
        node: of a document.
        counted: numbers by the identity of nodes, 0 while one is being counted.

    Raises:
        DocumentError: there are too many, or the node contains itself.
    """
    known = counted.get(id(node))
    if known == 0:
        raise DocumentError("a section contains itself")
    if known is not None:
        return known
    counted[id(node)] = 0
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        inner = [each for pair in node.value for each in pair]
    elif isinstance(node, yaml.SequenceNode):
        inner = node.value
    total = 1 + sum(_count(each, counted) for each in inner)
    if total > _MOST_VALUES:
        raise DocumentError(f"more than {_MOST_VALUES} values")
    counted[id(node)] = total
    return total


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
    except DocumentError:
        raise
    except RecursionError:
        raise DocumentError("sections are nested too deeply") from None
    except Exception as error:  # a tag on a value that it does not fit can raise anything
        raise DocumentError(f"YAML syntax error: {one_line(error)}") from error


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Return the mapping stored in a JSON file (by its suffix) or YAML file (any other).

    Raises:
        DocumentError: the file is missing, unreadable, not well formed or no mapping.
    """
    path = Path(path)
    try:
        text = _text_of(path)
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
    except ValueError as error:  # a number of thousands of digits
        raise DocumentError(f"{path}: JSON syntax error: {error}") from error
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise DocumentError(f"{path}: expected a mapping of keys to values at the top level")
    return value


def _text_of(path: Path) -> str:
    """Return the text of a file.

    Raises:
        DocumentError: it is no regular file, or larger than any document of ours.
        OSError, UnicodeDecodeError: it cannot be read as text.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe could wait for ever
        kind = "a folder" if path.is_dir() else "a device or a pipe"
        raise DocumentError(f"{path}: {kind}; expected a file")
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise DocumentError(
            f"{path}: more than {_MOST_BYTES >> 20} MiB; expected a small text file"
        )
    return data.decode("utf-8-sig")


def _parse_json(text: str) -> object:
    return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant)


def _no_constant(name: str) -> object:
    raise DocumentError(f"JSON syntax error: {name} is no number of JSON")


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
    nearest = difflib.get_close_matches(name[:_LONGEST_VALUE], list(known), n=1, cutoff=0.5)
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
        number = detail["ctx"].get("max_length", "more")
        is_bound = isinstance(number, int) and number > _LONGEST_TUPLE
        expected = f"expected a list of {'at most ' if is_bound else ''}{number} values"
    if not location:
        return one_line(expected)
    if isinstance(detail["input"], dict) and detail["type"] == "value_error" and len(location) == 1:
        return one_line(f"{path}: {expected}")  # about several keys of a section
    hint = ""
    if detail["type"] == "literal_error" and isinstance(detail["input"], str):
        hint = suggestion(detail["input"], re.findall(r"'([^']*)'", message))
    shown = _shown(detail["input"])
    return one_line(f"{path} = {shown}; {expected}{hint}")


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


def _shown(value: object) -> str:
    """Return a value in some words, without first writing all of it."""
    if isinstance(value, int):
        return shortened(value)
    text = " ".join(_SHORT.repr(value).split())
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def _dotted(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        word = f"[{part}]" if isinstance(part, int) else str(part)[:_LONGEST_VALUE]
        text += f".{word}" if text and isinstance(part, str) else word
    return text
