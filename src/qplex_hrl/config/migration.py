"""Keys of version 0.1 that have other names now; old configurations with the new names."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["MOVED", "REMOVED", "migrate_mapping", "old_keys"]

MOVED = {
    "network.hrl.belief": "control.belief",
    "network.hrl.n_particles": "control.n_particles",
    "network.hrl.wandering": "control.random_walk_share",
    "network.hrl.memory_frames": "control.memory_frames",
    "network.hrl.executor": "control.executor",
    "network.hrl.max_selected": "control.max_selected",
    "network.hrl.look_options": "control.search_actions",
    "network.hrl.lookahead": "control.lookahead",
    "network.hrl.lookahead_by_target": "control.coverage_per_target",
    "network.q_network.plan_weight": "network.q_network.plan_prior",
    "algorithm.weight_average": "algorithm.ema_decay",
    "algorithm.credit_weight": "algorithm.difference_reward_weight",
}
"""Old key to new key; the values mean the same, but for the last one's."""

_NOTES = {
    "algorithm.credit_weight": ", per camera: 2.0 in a team of four is what 8.0 was",
}
"""What else is to be said of an old key."""

_FIXED = "it is always {}; only the didactic games had another"

REMOVED = {
    "algorithm.optimizer": _FIXED.format("adam"),
    "algorithm.optimizer_eps": _FIXED.format("1e-5"),
    "algorithm.rmsprop_alpha": "the optimiser is always adam, which has none",
    "algorithm.mixer_weight_decay": _FIXED.format("0"),
    "algorithm.mixer_learning_rate_scale": _FIXED.format("1"),
    "algorithm.loss": _FIXED.format("huber"),
}
"""Keys without a successor, and what holds instead."""

_OLD_DEFAULTS: dict[str, object] = {
    "control.belief": "last_seen",
    "control.lookahead": False,
    "control.coverage_per_target": False,
    "network.q_network.type": "hierarchical_rnn",
    "algorithm.ema_decay": 0.0,
    "algorithm.difference_reward_weight": 0.0,
    "training.batch_size": 24,
}
"""What a key meant that a configuration of version 0.1 left out, by its new name."""


def old_keys(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every old key in a configuration, and a sentence that says what to write instead."""
    for old, new in MOVED.items():
        if _holds(content, old):
            yield old, f"{old} is now {new}{_NOTES.get(old, '')}"
    for old, instead in REMOVED.items():
        if _holds(content, old):
            yield old, f"{old} is no longer a key: {instead}"


# Any: what YAML or a checkpoint held.
def migrate_mapping(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored configuration, of this version or an older one, with the keys of this one.

    A configuration of version 0.1 has no section `control`. A key that it lacks was added to 0.1
    after it was written: such a key keeps the default of then, so that cameras play as trained.
    """
    result = _copied(content)
    is_old = "control" not in content
    for old, new in MOVED.items():
        if _holds(result, old):
            value = _take(result, old)
            if not _holds(result, new):
                _put(result, new, value)
    for old in REMOVED:
        if _holds(result, old):
            _take(result, old)
    for key, value in _OLD_DEFAULTS.items():
        if is_old and not _holds(result, key):
            _put(result, key, value)
    return result


def _copied(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _copied(value) if isinstance(value, Mapping) else value
        for key, value in content.items()
    }


def _section(content: Mapping[str, Any], names: list[str]) -> Any:
    section: Any = content
    for name in names:
        section = section.get(name) if isinstance(section, Mapping) else None
    return section


def _holds(content: Mapping[str, Any], key: str) -> bool:
    *sections, name = key.split(".")
    section = _section(content, sections)
    return isinstance(section, Mapping) and name in section


def _take(content: dict[str, Any], key: str) -> Any:
    *sections, name = key.split(".")
    return _section(content, sections).pop(name)


def _put(content: dict[str, Any], key: str, value: object) -> None:
    *sections, name = key.split(".")
    section = content
    for each in sections:
        section = section.setdefault(each, {})
        if not isinstance(section, dict):
            return  # not a section: validation says so
    section[name] = value
