"""A policy from an ONNX file, played by onnxruntime (extra `onnx`): neither PyTorch nor training.

`qplex-hrl export --onnx` writes it. The file's metadata say what cameras choose from, how they
remember and aim, and the sizes of the team. The fast level, where there is one, is in a second file
beside it.
"""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from camcontrol.options import ControlOptions, check_control
from camsim.arrays import Bools, Float32s, Ints
from camsim.bounds import is_whole
from camsim.layout import CameraObsLayout

__all__ = ["FORMAT", "OnnxDecider", "OnnxFileError", "OnnxPolicy", "reaction_beside"]

FORMAT = "qplex-hrl cameras 1"
_LARGEST = 1 << 30  # bytes: a hundred times the widest network that a configuration may ask for


class OnnxFileError(ValueError):
    """A file that is missing, damaged or foreign; the text is one line."""


class Held(NamedTuple):
    """What cameras hold since their last slow decision, for the fast level."""

    advantages: Float32s  # [K, U]
    plan: Float32s  # [K, U, W]
    glance: Float32s  # [K, G]


def reaction_beside(path: Path) -> Path:
    """Return the file of the fast level of the policy at `path`."""
    return path.with_suffix(f".reaction{path.suffix}")


class OnnxPolicy:
    """What a file says of its cameras, and the networks."""

    def __init__(self, path: str | Path) -> None:
        """Read the file, and the one of the fast level if it names one.

        Raises:
            OnnxFileError: a file is missing, damaged or foreign.
            ImportError: onnxruntime is not installed.
        """
        self.path = Path(path)
        self.network = _session(self.path)
        metadata = self.network.get_modelmeta().custom_metadata_map
        if metadata.get("format") != FORMAT:
            raise OnnxFileError(f"{path}: no cameras of qplex-hrl; expected format '{FORMAT}'")
        try:
            self.options = _options(json.loads(metadata["options"]))
            self.sizes = _sizes(json.loads(metadata["sizes"]))
            margin = json.loads(metadata["reaction_margin"])
            self.timestep = int(metadata["timestep"])
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise OnnxFileError(f"{path}: damaged metadata: {_line(error)}") from error
        self.margin = None if margin is None else float(margin)
        self.reaction = None if margin is None else _session(reaction_beside(self.path))

    def check_sizes(self, sizes: CameraObsLayout) -> None:
        """Check that the networks can play in a team of these sizes.

        Raises:
            ValueError: other numbers of targets, whose actions the file has.
        """
        if sizes.n_targets != self.sizes.n_targets:
            msg = f"{self.path}: for {self.sizes.n_targets} targets; cannot play against"
            raise ValueError(f"{msg} {sizes.n_targets}: export it for that scenario")

    def decider(self, count: int) -> "OnnxDecider":
        """Return what decides for `count` cameras, with fresh memory."""
        return OnnxDecider(self, count)


class OnnxDecider:
    """The acting side of a policy: greedy choices of K cameras, and their memory."""

    def __init__(self, policy: OnnxPolicy, count: int) -> None:
        """Start with the memory of an episode's first decision."""
        self._policy = policy
        shapes = {each.name: each.shape for each in policy.network.get_inputs()}
        size = shapes["hidden_state"][1] if "hidden_state" in shapes else 0  # without memory
        self._hidden_state = np.zeros((count, int(size)), np.float32)
        self._actions: Ints = np.zeros((1, count), np.int64)
        self._held: Held | None = None

    @property
    def reaction(self) -> Callable[[Float32s, Bools, int], Ints] | None:
        """Replaces actions within a decision; None: nobody does."""
        return None if self._policy.reaction is None else self._react

    def reset_rows(self, ended: Bools) -> None:
        """Forget everything where `ended` [1] is true: a new episode."""
        if ended[0]:
            self._hidden_state[:] = 0.0

    def act(self, obs: Float32s, avail_actions: Bools) -> Ints:
        """Return the best available actions [1, K].

        Raises:
            OnnxFileError: the network's values are not finite, or it takes other shapes.
        """
        inputs = {
            "obs": np.ascontiguousarray(obs[0], np.float32),
            "avail_actions": np.ascontiguousarray(avail_actions[0]),
            "hidden_state": self._hidden_state,
        }
        values, self._hidden_state, *held = _run(self._policy.path, self._policy.network, inputs)
        best = values.argmax(axis=-1)
        if not np.isfinite(values[np.arange(len(best)), best]).all():
            raise OnnxFileError(f"{self._policy.path}: its values of actions are not finite")
        self._held = Held(*held) if held else None
        self._actions = best.astype(np.int64)[None]
        return self._actions

    def _react(self, glance: Float32s, avail_actions: Bools, frame: int) -> Ints:
        """Return the actions [1, K] from `frame` of the decision on."""
        policy, held, actions = self._policy, self._held, self._actions[0]
        assert held is not None, "act first"
        assert policy.margin is not None
        passed = np.float32(frame / policy.options.decision_frames)
        inputs = {
            "now": np.ascontiguousarray(glance[0], np.float32),
            **held._asdict(),
            "actions": actions,
            "passed": np.full(1, passed, np.float32),
        }
        (advantages,) = _run(reaction_beside(policy.path), policy.reaction, inputs)
        advantages = np.where(avail_actions[0], advantages, -np.inf)
        best = advantages.argmax(axis=-1)
        worth = advantages[np.arange(len(best)), best]
        self._actions = np.where(worth > policy.margin, best, actions).astype(np.int64)[None]
        return self._actions


def _line(error: Exception) -> str:
    """Return what an error says as one short line."""
    return " ".join(str(error).split())[:100]


# Any, here and below: onnxruntime has no types.
def _session(path: Path) -> Any:
    """Return a network of a file on one thread.

    Raises:
        OnnxFileError: the file is missing, too large or no network.
        ImportError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        msg = f'{path}: onnxruntime is not installed; expected pip install "qplex-hrl[onnx]"'
        raise ImportError(msg) from error
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            raise OnnxFileError(f"{path}: no such file, or above 1 GB; expected an ONNX file")
        content = path.read_bytes()
    except OSError as error:
        raise OnnxFileError(f"{path}: cannot be read: {error.strerror}") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is told below
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise OnnxFileError(f"{path}: no ONNX network: {_line(error)}") from error


def _run(path: Path, network: Any, inputs: dict[str, Any]) -> list[Any]:
    names = {each.name for each in network.get_inputs()}
    try:
        return list(network.run(None, {k: v for k, v in inputs.items() if k in names}))
    except Exception as error:  # as above
        raise OnnxFileError(f"{path}: cannot play this team: {_line(error)}") from error


def _options(stored: dict[str, Any]) -> ControlOptions:
    names = {each.name for each in fields(ControlOptions)}
    if not isinstance(stored, dict) or stored.keys() != names:
        raise ValueError("other options of control than this version's")
    options = replace(ControlOptions(), **stored)
    check_control(options)
    return options


def _sizes(stored: object) -> CameraObsLayout:
    if not isinstance(stored, list) or len(stored) != 3 or not all(map(is_whole, stored)):
        raise ValueError("sizes are no three integers")
    if not all(0 <= size <= 1000 for size in stored):
        raise ValueError("sizes are out of range")
    return CameraObsLayout(*stored)
