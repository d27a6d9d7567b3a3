import numpy as np
import pytest

import camsim.tables as col
from camsim.stored_state import check_stored


def arrays() -> dict[str, np.ndarray]:
    return {
        "sim.cameras": np.zeros((1, 2, col.CAMERA_COLUMNS)),
        "sim.targets": np.zeros((1, 3, col.TARGET_COLUMNS)),
        "sim.obstacles": np.zeros((1, 4, col.OBSTACLE_COLUMNS)),
        "sim.world": np.zeros((1, col.WORLD_COLUMNS)),
        "sim.camera_obs": np.zeros((1, 2, 30)),
        "sim.camera_target": np.zeros((1, 2, 3), np.bool_),
        "out.episode": np.full((1, 9), np.nan),
    }


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("sim.targets", col.T_GOAL, 1e9),
        ("sim.targets", col.T_GOAL, -2.0),
        ("sim.targets", col.T_X, 1e9),
        ("sim.targets", col.T_FREIGHT, np.inf),
        ("sim.cameras", col.C_Y, -1e9),
        ("sim.cameras", col.C_PHI, np.nan),
        ("sim.world", col.W_REMAINING, -1.0),
        ("sim.world", col.W_STEP, 1e30),
        ("sim.camera_obs", 0, 3.0),
        ("sim.camera_obs", 1, 1e9),
        ("sim.camera_obs", 2, -1.0),
        ("out.episode", 0, np.inf),
    ],
)
def test_what_kernels_trust_is_checked(name: str, column: int, value: float) -> None:
    stored = arrays()
    check_stored(arrays(), stored)
    stored[name][..., column] = value
    with pytest.raises(ValueError, match=f"{name} holds"):
        check_stored(arrays(), stored)


def test_types_and_shapes_are_ours() -> None:
    for odd in (np.zeros((1, 9, 9)), arrays()["sim.targets"].astype(np.float32), "text"):
        with pytest.raises(ValueError, match=r"sim\.targets"):
            check_stored(arrays(), arrays() | {"sim.targets": odd})  # type: ignore[dict-item]
    flags = np.full((1, 2, 3), 7, np.uint8).view(np.bool_)
    with pytest.raises(ValueError, match="other than true and false"):
        check_stored(arrays(), arrays() | {"sim.camera_target": flags})
    with pytest.raises(ValueError, match="stored state lacks"):
        check_stored(arrays(), {})
