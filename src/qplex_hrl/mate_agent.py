"""Trained cameras in upstream MATE's own environment: the agent class for its evaluation script.

`python -m mate.evaluate --camera-agent qplex_hrl.mate_agent:QPLEXHRLCameraAgent ...`; see
docs/upstream.md. Only that class needs upstream; `TrainedCamera` does the same without it.
"""

from typing import Any

from qplex_hrl.team_controller import TrainedCamera

__all__ = ["TrainedCamera"]  # and QPLEXHRLCameraAgent, made when it is first used


def _make_agent_class() -> type:
    """Return the agent class that upstream's evaluation script accepts.

    Raises:
        ImportError: upstream MATE is not installed, or lacks something itself.
    """
    try:
        from mate import CameraAgentBase
    except ImportError as error:
        msg = f"QPLEXHRLCameraAgent needs upstream MATE ({error}); docs/upstream.md says how"
        raise ImportError(msg) from error

    # Any, in this class: the types are those of upstream, which is not there when types are checked
    class QPLEXHRLCameraAgent(CameraAgentBase):  # type: ignore[misc, unused-ignore]
        """A camera of upstream MATE that plays a checkpoint of ours; sends no messages."""

        def __init__(self, checkpoint_path: str, seed: int | None = None) -> None:
            """Read a checkpoint; `seed` is upstream's and changes nothing: play is greedy."""
            super().__init__(seed=seed)
            self._camera = TrainedCamera(checkpoint_path)

        def reset(self, observation: Any) -> None:
            """Start an episode."""
            super().reset(observation)
            self._camera.reset(observation)

        def observe(self, observation: Any, info: dict[str, Any] | None = None) -> None:
            """Take in one frame."""
            super().observe(observation, info)
            self._camera.observe(observation)

        def act(
            self,
            observation: Any,
            info: dict[str, Any] | None = None,
            deterministic: bool | None = None,
        ) -> Any:
            """Return turn and zoom in degrees; always greedy, whatever `deterministic` is."""
            self.state, observation, _, _ = self.check_inputs(observation, info)
            return self._camera.act(observation)

    QPLEXHRLCameraAgent.__qualname__ = "QPLEXHRLCameraAgent"  # so that it can be pickled
    return QPLEXHRLCameraAgent


def __getattr__(name: str) -> Any:
    """Make the agent class when it is first used: importing this module needs no upstream."""
    if name != "QPLEXHRLCameraAgent":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    globals()[name] = _make_agent_class()
    return globals()[name]
