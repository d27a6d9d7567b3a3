"""The ablation: QPLEX HRL without one of its parts, or with another in its place, as a table."""

from collections.abc import Sequence

from camsim.scenario.parsing import suggestion
from qplex_bench.tables.plan import TableSpec, Variant

WHOLE = "qplex_hrl"
"""The system whose parts are changed: its files are `qplex_hrl_<size>.yaml`."""

# A decision in every frame: returns, windows and batches hold as much time as before (docs).
_EVERY_FRAME = (
    "network.hrl.frame_skip=1",
    "algorithm.n_step=15",
    "algorithm.td_lambda=0.956",
    "training.sequence_length=40",
    "training.burn_in=10",
    "training.batch_size=5",
)

_NO_LOOKAHEAD = ("control.lookahead=false", "control.coverage_per_target=false")

PARTS: dict[str, tuple[str, ...]] = {
    "no_hierarchy_in_time": _EVERY_FRAME,
    "no_fast_level": ("network.hrl.fast_interval=5",),
    "slow_10_frames": ("network.hrl.frame_skip=10",),
    "slow_10_frames_held": ("network.hrl.frame_skip=10", "network.hrl.fast_interval=10"),
    "no_attention": ("network.q_network.type=rnn",),
    "hierarchical_rnn": ("network.q_network.type=hierarchical_rnn",),
    "mixer_none": ("network.mixing_network.type=none",),
    "mixer_vdn": ("network.mixing_network.type=vdn",),
    "mixer_qmix": ("network.mixing_network.type=qmix",),
    "mixer_qplex": ("network.mixing_network.type=qplex",),
    "mixer_qfix_vdn": ("network.mixing_network.type=qfix_vdn",),
    "mixer_qfix_qmix": ("network.mixing_network.type=qfix_qmix",),
    "no_entropy": ("network.hrl.selection_entropy_weight=0.0",),
    "no_coverage_reward": ("network.hrl.coverage_reward_weight=0.0",),
    "no_exploration_bonus": ("network.hrl.exploration_bonus=0.0",),
    "no_lookahead": _NO_LOOKAHEAD,
    # Looking ahead needs particles and the executor that leads: compare these with `no_lookahead`.
    "belief_last_seen": (*_NO_LOOKAHEAD, "control.belief=last_seen"),
    "belief_none": (*_NO_LOOKAHEAD, "control.belief=none"),
    "no_pairs": ("network.hrl.multi_selection=false",),
    "upstream_executor": (*_NO_LOOKAHEAD, "control.executor=upstream"),
    "one_step_returns": ("algorithm.n_step=1",),
    "no_ema": ("algorithm.ema_decay=0.0",),
}
"""What each variant changes, as `section.key=value`."""

REGIME_PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "own": {
        "no_coverage_per_target": ("control.coverage_per_target=false",),
        "no_difference_reward": ("algorithm.difference_reward_weight=0.0",),
    },
    "shared": {"no_plan_prior": ("network.q_network.plan_prior=0.0",)},
    "stereo": {"no_plan_prior": ("network.q_network.plan_prior=0.0",)},
}
"""The same, of parts that only the configurations for one regime have."""

_ALL_PARTS = PARTS | REGIME_PARTS["own"] | REGIME_PARTS["shared"]


def default_parts(regimes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of all parts that the configurations for these regimes have."""
    return (*PARTS, *(REGIME_PARTS[regimes[0]] if len(set(regimes)) == 1 else ()))


def as_ablation(spec: TableSpec, parts: Sequence[str]) -> TableSpec:
    """Return a table of the whole system and of one variant for each named part.

    Args:
        spec: of the table; its systems are replaced.
        parts: names in PARTS and REGIME_PARTS.

    Raises:
        ValueError: a part is unknown.
    """
    for name in parts:
        if name not in _ALL_PARTS:
            known = f"{', '.join(_ALL_PARTS)}{suggestion(name, _ALL_PARTS)}"
            raise ValueError(f"--parts {name}: expected some of {known}")
    variants = tuple(Variant(name, WHOLE, _ALL_PARTS[name]) for name in parts)
    systems = (WHOLE, *(variant.name for variant in variants))
    return spec._replace(systems=systems, variants=variants, reference=WHOLE)
