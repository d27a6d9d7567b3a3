"""The sections `env` and `control`: the world, and what its cameras know and can do."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import Self

from camcontrol.options import (
    RANGES,
    ActionMode,
    Belief,
    ControlOptions,
    Executor,
    PlanGoal,
)
from camsim import bounds
from camsim.layout import MIN_BASELINE_DEG
from camsim.scripted.spec import TARGET_POLICIES, policy_weights
from qplex_hrl.config.section import FilePath, Section

__all__ = ["CAMERA", "ControlConfig", "EnvConfig"]

CAMERA = ControlOptions()
"""The one place of the defaults of a camera's side."""


def _target_policy(value: str) -> str:
    policy_weights(value, TARGET_POLICIES)  # raises what is expected instead
    return value


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("expected an odd number")
    return value


class EnvConfig(Section):
    """The world and how many of it run in parallel."""

    scenario: FilePath = Field(
        default="MATE-4v4-9", description="preset, or path of a MATE-format file"
    )
    opponent: Annotated[str, AfterValidator(_target_policy)] = Field(
        default="greedy",
        description="policy of the targets: random, naive, greedy, heuristic, evader, or a mixture "
        "such as greedy=0.5,random=0.5",
    )
    num_envs: int = Field(
        default=64, ge=1, le=bounds.NUM_ENVS.high, description="parallel environments, N"
    )
    max_episode_steps: Annotated[int, Field(ge=1, le=bounds.MAX_EPISODE_STEPS.high)] | None = Field(
        default=None,
        description="time limit; the frame after it ends the episode; null: the scenario's",
    )
    shared_field_of_view: bool = Field(
        default=False, description="every camera knows what any camera sees"
    )
    message_loss: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="chance that a camera gets nothing of a teammate's view in a frame; needs "
        "shared_field_of_view",
    )
    min_baseline_deg: float = Field(
        default=MIN_BASELINE_DEG,
        ge=0,
        le=180,
        description="stereo coverage: smallest angle between a target's lines of sight to two "
        "cameras that see it, in degrees",
    )
    enhanced_observation: Literal["none", "camera", "both", "target"] = Field(
        default="none", description="team that observes everything, seen or not"
    )
    action_mode: ActionMode = Field(
        default=CAMERA.action_mode,
        description="what an action is: the targets to track, or a turn and a zoom of MATE's grid",
    )
    action_levels: Annotated[int, AfterValidator(_odd)] = Field(
        default=CAMERA.action_levels,
        ge=3,
        le=255,
        description="turns and zooms of the grid (discrete), each; odd",
    )

    @model_validator(mode="after")
    def _lost_messages_are_of_a_shared_view(self) -> Self:
        told = self.shared_field_of_view and self.enhanced_observation in ("none", "target")
        if self.message_loss > 0 and not told:
            raise ValueError(
                f"message_loss = {self.message_loss}; expected 0 unless shared_field_of_view is "
                "true and the cameras do not observe everything"
            )
        return self


class ControlConfig(Section):
    """A camera's side: what it remembers and expects, what it may choose and how it aims."""

    belief: Belief = Field(
        default=CAMERA.belief, description="what a camera keeps of targets out of its view"
    )
    n_particles: int = Field(
        default=CAMERA.n_particles,
        ge=1,
        le=RANGES["n_particles"].high,
        description="particles of each target, for where it is while unseen (belief: particles)",
    )
    random_walk_share: float = Field(
        default=CAMERA.random_walk_share,
        ge=0,
        le=0.5,
        description="share of the particles that walk at random and to no warehouse, for targets "
        "that are not greedy",
    )
    memory_frames: int = Field(
        default=CAMERA.memory_frames,
        ge=0,
        le=RANGES["memory_frames"].high,
        description="frames after which an unseen target is lost",
    )
    executor: Executor = Field(
        default=CAMERA.executor,
        description="how a camera aims: MATE's rule, or ahead of its targets' movement",
    )
    max_selected: int = Field(
        default=CAMERA.max_selected,
        ge=1,
        le=RANGES["max_selected"].high,
        description="most targets selected at once (network.hrl.multi_selection)",
    )
    search_actions: int = Field(
        default=CAMERA.search_actions,
        ge=0,
        le=RANGES["search_actions"].high,
        description="directions to search in, as actions",
    )
    lookahead: bool = Field(
        default=CAMERA.lookahead,
        description="actions tell how many targets their best plan would cover (belief: particles)",
    )
    coverage_per_target: bool = Field(
        default=CAMERA.coverage_per_target,
        description="actions also tell how much of every target that plan would cover; the network "
        "learns a value per target (lookahead: true, encoding: entities)",
    )
    plan_goal: PlanGoal = Field(
        default=CAMERA.plan_goal,
        description="what these plans are for; stereo_coverage needs env.shared_field_of_view",
    )

    @model_validator(mode="after")
    def _looking_ahead_has_what_it_needs(self) -> Self:
        if self.coverage_per_target and not self.lookahead:
            raise ValueError("coverage_per_target = true; expected lookahead = true with it")
        if self.lookahead and not (
            self.belief == "particles" and self.executor == "lead" and self.search_actions > 0
        ):
            raise ValueError(
                f"lookahead = true with belief = '{self.belief}', executor = '{self.executor}', "
                f"search_actions = {self.search_actions}; "
                "expected belief 'particles', executor 'lead' and at least one search action"
            )
        return self
