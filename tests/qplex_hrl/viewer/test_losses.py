"""When targets are lost, and which cameras could have seen them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from made_up_recording import SMALL, made_up

from camsim.arrays import Bools
from qplex_hrl.viewer.losses import Loss, find_losses, longest_loss, within_reach


@given(arrays(np.bool_, array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5)))
def test_losses_are_the_frames_in_which_no_camera_sees_a_target(camera_target: Bools) -> None:
    losses = find_losses(camera_target)
    told = {
        (f, loss.target) for loss in losses for f in range(loss.first_frame, loss.last_frame + 1)
    }
    assert told == {(f, t) for f, t in zip(*np.nonzero(~camera_target.any(axis=1)), strict=True)}
    assert sum(loss.frames for loss in losses) == len(told)  # none twice
    for loss in losses:  # and none in pieces
        assert not {(loss.first_frame - 1, loss.target), (loss.last_frame + 1, loss.target)} & told


def test_the_longest_loss_is_the_first_of_equals() -> None:
    seen = np.ones((9, 2, 2), np.bool_)
    seen[4:6, :, 0] = seen[1:3, :, 1] = seen[8, :, 1] = False
    seen[:, 1] &= seen[:, 0]
    assert longest_loss({"camera_target": seen}) == Loss(1, 1, 2)
    assert longest_loss({"camera_target": np.ones((3, 1, 2), np.bool_)}) is None


@pytest.mark.parametrize(
    ("target", "known", "transmittance", "expected"),
    [
        ((99.0, 0.0), True, 0.1, False),  # behind the obstacle
        ((99.0, 0.0), False, 0.1, True),  # which this camera does not know
        ((99.0, 0.0), True, 1.0, True),  # or which hides nothing
        ((39.0, 0.0), True, 0.1, True),  # before it
        ((50.0, 0.0), True, 0.1, False),  # inside
        ((90.0, 30.0), True, 0.1, True),  # beside it
        ((-99.0, 0.0), True, 0.1, True),  # on the other side
        ((0.0, 0.0), True, 0.1, True),  # on the camera
        ((0.0, 100.5), True, 0.1, False),  # too far away
    ],
)
def test_reach(
    target: tuple[float, float], known: bool, transmittance: float, expected: bool
) -> None:
    world = {
        "camera_xy": np.zeros((1, 2)),
        "camera_max_range": np.array([100.0]),
        "obstacle_xy": np.array([[50.0, 0.0]]),
        "obstacle_radius": np.array([10.0]),
        "camera_obstacle": np.full((1, 1, 1), known),
        "target_xy": np.array(target).reshape(1, 1, 2),
        "camera_target": np.zeros((1, 1, 1), np.bool_),
    }
    assert within_reach(world, transmittance).tolist() == [[[expected]]]
    seen = world | {"camera_target": np.ones((1, 1, 1), np.bool_)}  # by chance, or no matter how
    assert within_reach(seen, transmittance).all()


@given(st.integers(0, 3))
def test_reach_is_of_every_frame_camera_and_target(seed: int) -> None:
    arrays_ = made_up(SMALL, seed).arrays
    together = within_reach(arrays_, 0.1)
    alone = dict(
        arrays_,
        target_xy=arrays_["target_xy"][7:8],
        camera_target=arrays_["camera_target"][7:8],
        camera_obstacle=np.ones((1, 3, 2), bool),
    )
    np.testing.assert_array_equal(within_reach(alone, 0.1), together[7:8])
