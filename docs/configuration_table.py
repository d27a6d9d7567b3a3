"""Write the tables of keys in configuration.md: `python docs/configuration_table.py`.

Each table stands between `<!-- keys of SECTION -->` and `<!-- end -->` and is replaced as a whole.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qplex_hrl.config import RunConfig

PAGE = Path(__file__).with_name("configuration.md")
_TABLE = re.compile(r"(<!-- keys of (\S+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_HEAD = "| key | default | allowed | meaning |\n|---|---|---|---|\n"
_BOUNDS = {"minimum": "≥ ", "exclusiveMinimum": "> ", "maximum": "≤ ", "exclusiveMaximum": "< "}

Node = dict[str, Any]  # Any: of a JSON schema


def all_keys() -> dict[str, Node]:
    """Return the schema of every key that holds a value, by its dotted path."""
    schema = RunConfig.model_json_schema()
    return dict(_keys(schema, schema["$defs"], ""))


def _keys(section: Node, definitions: Node, path: str) -> Iterator[tuple[str, Node]]:
    for name, node in section["properties"].items():
        if "$ref" in node:
            inner = definitions[node["$ref"].rpartition("/")[2]]
            yield from _keys(inner, definitions, f"{path}{name}.")
        else:
            yield f"{path}{name}", node


def updated(page: str) -> str:
    """Return the page with every table made anew.

    Raises:
        ValueError: a key stands in no table.
    """
    rest = all_keys()

    def table(match: re.Match[str]) -> str:
        start, section, _, end = match.groups()
        names = [key for key in rest if key.rpartition(".")[0] == section]
        return start + _HEAD + "".join(_row(key, rest.pop(key)) for key in names) + end

    page = _TABLE.sub(table, page)
    if rest:
        raise ValueError(f"{PAGE.name} has no table for {', '.join(rest)}")
    return page


def _row(key: str, node: Node) -> str:
    default = node["default"]
    default = default if isinstance(default, str) else json.dumps(default)
    meaning = node["description"].replace("<", "&lt;")
    return f"| `{key}` | `{default}` | {_allowed(node)} | {meaning} |\n"


def _allowed(node: Node) -> str:
    if "anyOf" in node:
        return " or ".join(_allowed(choice) for choice in node["anyOf"])
    if "const" in node or "enum" in node:
        return ", ".join(f"`{value}`" for value in node.get("enum", [node.get("const")]))
    if node["type"] == "boolean":
        return "`true`, `false`"
    kind = "text" if node["type"] == "string" else str(node["type"])
    limits = [sign + _number(node[name]) for name, sign in _BOUNDS.items() if name in node]
    return f"{kind} {', '.join(limits)}".strip()


def _number(value: float) -> str:
    if value == 2**63 - 1:
        return "2^63 - 1"
    return f"{int(value):,}" if abs(value) >= 10_000 else f"{value:g}"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
