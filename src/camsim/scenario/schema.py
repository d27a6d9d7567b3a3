"""Scenarios of the MATE world: presets, users' MATE-format YAML and JSON files, validation."""

import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from typing_extensions import Self

from camsim.bounds import MAX_EPISODE_STEPS
from camsim.errors import OneLineError
from camsim.scenario.parsing import DocumentError, read_mapping, suggestion, validate_mapping
from camsim.scenario.placement import Team, impossible_placement

__all__ = [
    "CameraSpec",
    "ObstacleSpec",
    "Scenario",
    "ScenarioError",
    "TargetSpec",
    "load_scenario",
    "preset_names",
]


class ScenarioError(OneLineError):
    """A scenario that does not exist or is not valid; the text is one line."""


def _as_box(value: object) -> object:
    """Return `{low: [x, y], high: [x, y]}` as `[x_low, x_high, y_low, y_high]`, lists as tuples."""
    if isinstance(value, dict):
        match value:
            case {"low": [x_low, y_low], "high": [x_high, y_high]} if len(value) == 2:
                value = [x_low, x_high, y_low, y_high]
            case _:
                raise ValueError("expected {low: [x, y], high: [x, y]}")
    if not isinstance(value, list | tuple) or len(value) != 4:
        raise ValueError("expected [x_low, x_high, y_low, y_high]")
    x_low, x_high, y_low, y_high = value
    numeric = all(isinstance(bound, int | float) for bound in value)
    if numeric and not (x_low <= x_high and y_low <= y_high):
        raise ValueError("expected low bounds that are at most the high bounds")
    return tuple(value)


def _as_flag(value: object) -> object:
    """Return 0 and 1 as booleans, as MATE does; text such as "no" would be true there."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    raise ValueError("expected true or false")


def _as_whole(value: object) -> object:
    """Return a number without a fraction, such as 1e4, as an integer."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


Flag = Annotated[bool, BeforeValidator(_as_flag)]
Count = Annotated[int, BeforeValidator(_as_whole), Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
# Every number has both bounds: beyond them no world is meant, and sums and squares lose digits.
Length = Annotated[Number, Field(ge=1e-3, le=1e5)]  # fifty times the terrain's side
Turn = Annotated[Number, Field(ge=1e-3, le=360)]  # degrees
Coordinate = Annotated[Number, Field(ge=-1e4, le=1e4)]  # ten times as far as the terrain reaches
Radius = Annotated[Number, Field(ge=0, le=1e4)]
Location = tuple[Coordinate, Coordinate]
Box = Annotated[tuple[Coordinate, Coordinate, Coordinate, Coordinate], BeforeValidator(_as_box)]
MOST_ENTITIES = 1000
"""Of one kind, at fixed points and in boxes each: twenty times the largest preset's."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Placed(_Section):
    """Where the entities of one kind start: fixed points first, then boxes."""

    location: tuple[Location, ...] = Field(
        default=(), max_length=MOST_ENTITIES, description="fixed start points [x, y]"
    )
    location_random_range: tuple[Box, ...] = Field(
        default=(), max_length=MOST_ENTITIES, description="boxes of random start points"
    )

    @property
    def count(self) -> int:
        """Number of entities."""
        return len(self.location) + len(self.location_random_range)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """Start boxes [count, 4] as x_low, x_high, y_low, y_high; fixed points come first."""
        fixed = [(x, x, y, y) for x, y in self.location]
        return np.array([*fixed, *self.location_random_range], dtype=np.float64).reshape(-1, 4)


class TargetSpec(_Placed):
    """The target team."""

    step_size: Length = Field(default=10.0, description="length of one step with capacity 1")
    sight_range: Length = Field(default=500.0, description="radius of a target's round view")

    @model_validator(mode="after")
    def _has_targets(self) -> Self:
        if self.count == 0:
            raise ValueError("expected at least one location or location_random_range")
        return self


class CameraSpec(_Placed):
    """The camera team; angles in degrees."""

    radius: Length = Field(default=40.0, description="radius of the camera's body")
    min_viewing_angle: Number = Field(
        default=90.0, ge=1e-3, le=180, description="narrowest view, degrees"
    )
    max_sight_range: Length = Field(default=500.0, description="sight range at the narrowest view")
    rotation_step: Turn = Field(default=5.0, description="largest turn in a frame, degrees")
    zooming_step: Turn = Field(default=2.5, description="largest zoom in a frame, degrees")


class ObstacleSpec(_Placed):
    """The discs that block sight and movement; exactly one radius key is set if there are any."""

    radius: Length | None = Field(default=None, description="radius of every obstacle")
    radius_random_range: tuple[Radius, Radius] | None = Field(
        default=None, description="bounds [low, high] of the random radii"
    )
    transmittance: Number = Field(
        default=0.0, ge=0, le=1, description="chance to see through an obstacle"
    )

    @model_validator(mode="after")
    def _one_radius(self) -> Self:
        # As in MATE, a section without obstacles needs no radius.
        keys = (self.radius, self.radius_random_range)
        if keys.count(None) != 1 and not (self.count == 0 and keys.count(None) == 2):
            raise ValueError("expected exactly one of radius and radius_random_range")
        low, high = self.radius_bounds
        if not 0 <= low <= high:
            raise ValueError("expected radius_random_range [low, high] with 0 <= low <= high")
        return self

    @property
    def radius_bounds(self) -> tuple[float, float]:
        """Smallest and largest radius; 0 if a section without obstacles names none."""
        if self.radius_random_range is not None:
            return self.radius_random_range
        radius = self.radius or 0.0
        return radius, radius


class Scenario(_Section):
    """One world: teams, obstacles and rules, with MATE's key names."""

    name: str | None = Field(
        default=None, max_length=1000, description="title, e.g. MultiAgentTracking(4v4, 9)"
    )
    max_episode_steps: Count = Field(
        default=10000,
        ge=1,
        le=MAX_EPISODE_STEPS.high,
        description="frames after which an episode ends",
    )
    reward_type: Literal["dense", "sparse"] = Field(
        default="dense", description="when rewards are paid"
    )
    num_cargoes_per_target: Count = Field(
        ge=4, le=100_000, description="cargo units in the world, per target"
    )
    high_capacity_target_split: Number = Field(
        default=0.5,
        ge=0,
        le=1,
        description="share of the targets that carry two units at half speed",
    )
    targets_start_with_cargoes: Flag = Field(
        default=True, description="targets are loaded at the start"
    )
    bounty_factor: Number = Field(
        default=1.0, ge=0, le=1e6, description="a cargo's bounty relative to its freight"
    )
    shuffle_entities: Flag = Field(default=True, description="permute entities at every reset")
    camera: CameraSpec | None = None
    target: TargetSpec
    obstacle: ObstacleSpec | None = None

    @model_validator(mode="after")
    def _exact_rewards(self) -> Self:
        """Refuse rewards so large that they cannot be counted exactly."""
        pay = 2000.0 / self.target.step_size * (1.0 + self.bounty_factor)
        if pay * self.num_cargoes_per_target * self.n_targets >= 2.0**50:
            raise ValueError("expected a larger target.step_size or a smaller bounty_factor")
        return self

    @property
    def n_cameras(self) -> int:
        """Number of cameras, C."""
        return self.camera.count if self.camera else 0

    @property
    def n_targets(self) -> int:
        """Number of targets, T."""
        return self.target.count

    @property
    def n_obstacles(self) -> int:
        """Number of obstacles, O."""
        return self.obstacle.count if self.obstacle else 0

    @property
    def camera_boxes(self) -> NDArray[np.float64]:
        """Start boxes [C, 4] as x_low, x_high, y_low, y_high, in config order."""
        return self.camera.boxes if self.camera else np.zeros((0, 4))

    @property
    def target_boxes(self) -> NDArray[np.float64]:
        """Start boxes [T, 4] as x_low, x_high, y_low, y_high, in config order."""
        return self.target.boxes

    @property
    def obstacle_boxes(self) -> NDArray[np.float64]:
        """Start boxes [O, 4] as x_low, x_high, y_low, y_high, in config order."""
        return self.obstacle.boxes if self.obstacle else np.zeros((0, 4))

    def impossible_placement(self) -> str | None:
        """Return why no draw can place all entities (world 3.1 to 3.3), or None if some may."""
        step = self.target.step_size
        low, high = self.obstacle.radius_bounds if self.obstacle else (0.0, 0.0)
        radius = apart = 0.0
        if self.camera is not None:
            # Two cameras keep a tenth of the shorter sight range apart; it is shortest at 180.
            radius = self.camera.radius
            shortest = math.sqrt(self.camera.min_viewing_angle / 180.0)
            apart = 0.1 * self.camera.max_sight_range * shortest
        teams = (
            Team("camera", _n_fixed(self.camera), self.camera_boxes, radius, radius, step, apart),
            Team("obstacle", _n_fixed(self.obstacle), self.obstacle_boxes, low, high, step, 0.0),
            Team("target", _n_fixed(self.target), self.target_boxes, 0.0, 0.0, 0.0, 0.0),
        )
        return impossible_placement(*teams)

    def to_mapping(self) -> dict[str, Any]:
        """Return the scenario in MATE's format, made of JSON types only."""
        return self.model_dump(mode="json", exclude_none=True)

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that tell this world from others, whatever its title."""
        content = self.to_mapping() | {"name": None}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @classmethod
    def from_mapping(cls, value: dict[str, Any], source: str = "scenario") -> "Scenario":
        """Return the scenario that a MATE-format mapping describes.

        Whether its entities can be placed is not looked at; see `impossible_placement`.

        Raises:
            ScenarioError: one line with source, key path, value and what is allowed.
        """
        try:
            return validate_mapping(cls, value, source)
        except DocumentError as error:
            raise ScenarioError(str(error)) from error


def _n_fixed(team: _Placed | None) -> int:
    return len(team.location) if team else 0


def preset_names() -> tuple[str, ...]:
    """Return the names of the shipped scenarios, sorted."""
    return tuple(
        sorted(
            entry.name.removesuffix(".yaml")
            for entry in _presets().iterdir()
            if entry.name.endswith(".yaml")
        )
    )


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Return a preset (by name) or the scenario in a MATE-format YAML or JSON file (by path).

    An existing file wins over a preset. As in MATE, a preset's name may end in `.yaml`.

    Raises:
        ScenarioError: neither exists, the file is not a valid scenario, or its entities cannot be
            placed; one line.
    """
    path = Path(name_or_path)
    if not path.is_file():
        name = str(name_or_path).removesuffix(".yaml")
        if name not in preset_names():
            hint = suggestion(name, preset_names())
            raise ScenarioError(f"scenario '{name_or_path}': no such preset or file{hint}")
        path = _presets() / f"{name}.yaml"
    try:
        value = read_mapping(path)
    except DocumentError as error:
        raise ScenarioError(str(error)) from error
    scenario = Scenario.from_mapping(value, source=str(path))
    reason = scenario.impossible_placement()
    if reason is not None:
        raise ScenarioError(f"{path}: {reason}")
    return scenario


def _presets() -> Path:
    return Path(__file__).parent / "presets"
