"""Cameras from ONNX files: what is refused, and what it needs to play."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from trained_cameras import make_checkpoint, make_config

from camcontrol.onnx_policy import OnnxFileError, OnnxPolicy, reaction_beside
from camsim.layout import CameraObsLayout

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import onnx

from qplex_hrl.evaluation.onnx_export import export_onnx


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cameras with a fast level."""
    folder = tmp_path_factory.mktemp("onnx")
    output = folder / "cameras.onnx"
    export_onnx(make_checkpoint(folder, make_config(folder, fast_interval=1)), output)
    return output


def changed(source: Path, target: Path, **metadata: str | None) -> Path:
    """A copy with other metadata; None leaves them out."""
    model = onnx.load(source)
    kept = {each.key: each.value for each in model.metadata_props} | metadata
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {k: v for k, v in kept.items() if v is not None})
    onnx.save(model, target)
    return target


def test_a_file_says_what_it_is_for(exported: Path) -> None:
    policy = OnnxPolicy(exported)
    assert policy.sizes == CameraObsLayout(4, 4, 9)
    assert policy.options.fast_interval == 1
    assert policy.timestep == 0
    assert policy.decider(2).reaction is not None
    with pytest.raises(ValueError, match="for 4 targets; cannot play against 8: export it"):
        policy.check_sizes(CameraObsLayout(4, 8, 9))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"format": None}, "no cameras of qplex-hrl; expected format 'qplex-hrl cameras 1'"),
        ({"options": "{}"}, "damaged metadata: other options of control"),
        ({"options": "[" * 10**5}, "damaged metadata"),
        ({"options": None}, "damaged metadata: 'options'"),
        ({"sizes": "[4, 4]"}, "damaged metadata: sizes are no three integers"),
        ({"sizes": "[4, 4, 100000]"}, "damaged metadata: sizes are out of range"),
        ({"timestep": "soon"}, "damaged metadata"),
    ],
)
def test_other_metadata_are_refused_in_one_line(
    exported: Path, tmp_path: Path, metadata: dict[str, str | None], message: str
) -> None:
    path = changed(exported, tmp_path / "x.onnx", **metadata)
    with pytest.raises(OnnxFileError, match=message) as refused:
        OnnxPolicy(path)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(str(path))


@pytest.mark.parametrize("content", [b"", b"no network", bytes(1000)])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(OnnxFileError, match=str(path)):
        OnnxPolicy(path)
    with pytest.raises(OnnxFileError, match="no such file"):
        OnnxPolicy(tmp_path)


def test_a_missing_fast_level_is_named(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(exported.read_bytes())
    with pytest.raises(OnnxFileError, match=str(reaction_beside(path))):
        OnnxPolicy(path)


def test_values_that_are_not_finite_and_other_shapes_are_refused(exported: Path) -> None:
    decider = OnnxPolicy(exported).decider(1)
    shapes = {each.name: each.shape for each in decider._policy.network.get_inputs()}
    obs = np.zeros((1, 1, shapes["obs"][1]), np.float32)
    available = np.ones((1, 1, shapes["avail_actions"][1]), np.bool_)
    assert decider.act(obs, available).shape == (1, 1)
    with pytest.raises(OnnxFileError, match="its values of actions are not finite"):
        decider.act(obs * np.nan, available)
    with pytest.raises(OnnxFileError, match="cannot play this team"):
        decider.act(obs[..., :-1], available)


ALONE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ImportError(f"{name} is not here")

REFUSED = {"torch", "pydantic", "gymnasium", "pettingzoo", "rich", "onnx"}
sys.meta_path.insert(0, Refuse())
import numpy as np
from qplex_hrl import TeamController

team = TeamController(sys.argv[1])
pan, zoom = team.step(np.load(sys.argv[2]))
assert pan.shape == zoom.shape == (4,)
"""


def test_it_needs_numpy_numba_and_onnxruntime_only(exported: Path, tmp_path: Path) -> None:
    from camsim import TeamEnv, TeamOptions, load_scenario

    world = TeamEnv(load_scenario("MATE-4v4-9"), TeamOptions(), 1)
    np.save(tmp_path / "obs.npy", world.reset(np.array([1], np.uint64)).camera_obs[0])
    command = [sys.executable, "-c", ALONE, str(exported), str(tmp_path / "obs.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
