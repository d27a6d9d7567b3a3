"""Writes cameras as ONNX files, which `camcontrol.onnx_policy` plays without PyTorch."""

import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from camcontrol.onboard_camera import OnboardCamera
from camcontrol.onnx_policy import FORMAT, reaction_beside
from camcontrol.options import ControlOptions
from camsim.files import atomic_write_bytes
from camsim.layout import CameraObsLayout
from camsim.scenario.schema import Scenario
from qplex_hrl.data.make_env import dims_of, selection_options
from qplex_hrl.evaluation.policy_file import TrainedPolicy, load_policy
from qplex_hrl.model import CameraNetwork, camera_network
from qplex_hrl.networks.reaction import HeldPlan, ReactionNetwork

__all__ = ["TOLERANCE", "export_onnx"]

TOLERANCE = 1e-5
"""Largest difference between outputs of PyTorch and onnxruntime, relative for values above 1."""

_OPSET = 17
_BATCH = 3  # cameras of the example that is traced


def export_onnx(source: Path, output: Path, scenario: Scenario | None = None) -> TrainedPolicy:
    """Write a checkpoint's cameras as an ONNX file, and the fast level beside it; return them.

    Inputs of the network are `obs` [K, D] float32, `avail_actions` [K, U] bool and `hidden_state`
    [K, R] float32, zero at an episode's start; outputs `q_values` [K, U], minus infinity where an
    action is not available, and `next_hidden_state` [K, R]. K, the number of cameras, is free. With
    a fast level there are the outputs `advantages`, `plan` and `glance` of what cameras hold, which
    are inputs of the second network, beside `now` [K, G], the `actions` [K] in force and `passed`
    [1], the part of the decision that has; its output is `advantages` [K, U] of replacing them.

    Both are played by onnxruntime before they are written.

    Args:
        source: the checkpoint.
        output: the file; that of the fast level has the suffix `.reaction.onnx`.
        scenario: whose number of targets the network is for; None: the world of the training.

    Raises:
        CheckpointError: the source is missing, damaged or foreign.
        ValueError: the weights cannot play there or are bound to a camera's index; `onnx` or
            `onnxruntime` is not installed; what onnxruntime computes differs.
        OSError: a file cannot be written.
    """
    policy = load_policy(source)
    if policy.config.network.q_network.camera_identity == "index":
        msg = "network.q_network.camera_identity = 'index' is not exported; play the checkpoint"
        raise ValueError(f"{source}: {msg}")
    world = policy.world(source) if scenario is None else scenario
    sizes = CameraObsLayout(world.n_cameras, world.n_targets, world.n_obstacles)
    options = selection_options(policy.config)
    camera = OnboardCamera(options, sizes)
    dims = dims_of(camera.feature_layout, n_agents=1, state_size=0)
    policy.check_sizes(source, dims)
    bits = torch.from_numpy(camera.selection_bits.copy())
    network = camera_network(dims, bits, policy.config.network).eval()
    policy.load_into(network, source)
    margin = None if network.reaction is None else network.reaction.margin
    metadata = {
        "format": FORMAT,
        "options": json.dumps({f.name: asdict(options)[f.name] for f in fields(ControlOptions)}),
        "sizes": json.dumps([sizes.n_cameras, sizes.n_targets, sizes.n_obstacles]),
        "reaction_margin": json.dumps(margin),
        "timestep": str(policy.timestep),
        "scenario": json.dumps(world.to_mapping()),
    }
    files = {output: _exported(_Decision(network), _decision_inputs, metadata)}
    if network.reaction is not None:
        files[reaction_beside(output)] = _exported(
            _Reaction(network.reaction), _reaction_inputs, {"format": f"{FORMAT}: fast level"}
        )
    for path, content in reversed(files.items()):  # the file that names the other one comes last
        atomic_write_bytes(path, content)
    return policy


class _Traced(nn.Module):
    """A network with names for what goes in and comes out."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class _Decision(_Traced):
    """A decision of K cameras."""

    inputs = ("obs", "avail_actions", "hidden_state")

    def __init__(self, network: CameraNetwork) -> None:
        super().__init__()
        self.network = network
        self.outputs = ("q_values", "next_hidden_state")
        if network.reaction is not None:
            self.outputs += HeldPlan._fields

    def forward(self, obs: Tensor, avail_actions: Tensor, hidden: Tensor) -> tuple[Tensor, ...]:
        """Return what `outputs` names."""
        decided = self.network.step(obs[:, None], avail_actions[:, None], hidden[:, None])
        values = decided.q_values[:, 0]
        held: tuple[Tensor, ...] = ()
        if self.network.reaction is not None:
            held = self.network.reaction.hold(obs, values)
        # Without memory there is nothing to compute: what would is left out of the graph.
        memory = decided.hidden_state[:, 0] if self.network.recurrent_size else hidden
        return (values, memory, *held)


class _Reaction(_Traced):
    """A reaction of K cameras."""

    inputs = ("now", *HeldPlan._fields, "actions", "passed")
    outputs = ("replacing",)

    def __init__(self, network: ReactionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, now: Tensor, *rest: Tensor) -> Tensor:
        """Return the advantages of replacing the actions in force."""
        *held, actions, passed = rest
        replacing: Tensor = self.network(now, HeldPlan(*held), actions, passed)
        return replacing


def _decision_inputs(traced: _Decision, count: int, draw: torch.Generator) -> list[Tensor]:
    """Return made-up inputs of `count` cameras, with an available action for each."""
    network = traced.network
    available = torch.rand(count, network.dims.n_actions, generator=draw) > 0.5
    available[:, -1] = True
    hidden = torch.rand(count, network.recurrent_size, generator=draw) - 0.5
    return [torch.randn(count, network.dims.obs_size, generator=draw), available, hidden]


def _reaction_inputs(traced: _Reaction, count: int, draw: torch.Generator) -> list[Tensor]:
    """Return made-up inputs of `count` cameras."""
    network = traced.network
    n_actions = network.dims.n_actions
    obs = torch.randn(count, network.dims.obs_size, generator=draw)
    held = network.hold(obs, torch.randn(count, n_actions, generator=draw))
    now = torch.randn(held.glance.shape, generator=draw)
    actions = torch.randint(n_actions, (count,), generator=draw)
    return [now, *held, actions, torch.full((1,), 0.4)]


# Any: a function that makes the inputs of one kind of network.
def _exported(traced: _Traced, make_inputs: Any, metadata: Mapping[str, str]) -> bytes:
    """Return the file of a network, compared with onnxruntime's play.

    Raises:
        ValueError: `onnx` or `onnxruntime` is not installed, or its outputs differ.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        msg = f'{error.name} is not installed; expected pip install "qplex-hrl[onnx]"'
        raise ValueError(msg) from error
    draw = torch.Generator().manual_seed(0)
    free = [n for n in (*traced.inputs, *traced.outputs) if n != "passed"]
    with torch.no_grad(), warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # of sizes that a trace fixes, and of this exporter's age
        # The exporter by tracing: the other one needs another package, and other versions of it.
        torch.onnx.export(
            traced,
            tuple(make_inputs(traced, _BATCH, draw)),
            Path(folder, "network.onnx"),
            input_names=list(traced.inputs),
            output_names=list(traced.outputs),
            dynamic_axes={name: {0: "cameras"} for name in free},
            opset_version=_OPSET,
            dynamo=False,
        )
        model = onnx.load(Path(folder, "network.onnx"))
        onnx.helper.set_model_props(model, dict(metadata))
        content: bytes = model.SerializeToString()
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        for count in (1, _BATCH, 2 * _BATCH + 1):
            inputs = make_inputs(traced, count, draw)
            _compare(session, traced, inputs)
    return content


def _compare(session: Any, traced: _Traced, inputs: Sequence[Tensor]) -> None:
    """Compare outputs of PyTorch and onnxruntime.

    Raises:
        ValueError: they differ by more than `TOLERANCE`.
    """
    known = {each.name for each in session.get_inputs()}
    given = {n: x.numpy() for n, x in zip(traced.inputs, inputs, strict=True) if n in known}
    expected = traced(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for name, right, found in zip(traced.outputs, expected, session.run(None, given), strict=True):
        same = np.isclose(found, right.numpy(), rtol=TOLERANCE, atol=TOLERANCE)
        if found.shape != tuple(right.shape) or not same.all():
            raise ValueError(f"onnxruntime's {name} differ from PyTorch's by more than {TOLERANCE}")
