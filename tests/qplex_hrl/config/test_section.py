"""What all sections share; every number has both bounds."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from camsim.scenario.schema import Scenario
from qplex_hrl.config import RunConfig
from qplex_hrl.config.optimizer import OptimizerConfig
from qplex_hrl.config.section import FilePath, Section


def numbers(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path and the JSON schema of every number in a JSON schema."""
    if isinstance(schema, dict):
        if schema.get("type") in ("integer", "number"):
            yield path, schema
        for key, value in schema.items():
            yield from numbers(value, f"{path}.{key}")
    elif isinstance(schema, list):
        for value in schema:
            yield from numbers(value, path)


@pytest.mark.parametrize("model", [RunConfig, OptimizerConfig, Scenario])
def test_every_number_has_both_bounds(model: type[BaseModel]) -> None:
    found = list(numbers(model.model_json_schema()))
    assert len(found) > 3
    for path, schema in found:
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        assert low is not None, path
        assert high is not None, path
        assert math.isfinite(low), path
        assert abs(high) < 2**64, path


def test_paths_are_paths() -> None:
    class Files(Section):
        file: FilePath

    assert Files(file="a/b").file == "a/b"
    for bad in ("", "a\0b", "x" * 5000):
        with pytest.raises(ValidationError):
            Files(file=bad)
