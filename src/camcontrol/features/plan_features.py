"""Plan features: what planning adds to the learner's observation of every action."""

import numpy as np

from camcontrol.control.action_set import Catalogue
from camcontrol.features.layout import FeatureLayout
from camcontrol.planning.common_view import TeamViews, allocate_team_views, view_teams
from camcontrol.planning.planner import BeliefState, Lookahead, PlannerOptions
from camsim.arrays import Bools, Float32s, Floats, Ints

FEATURE_OPTIONS = PlannerOptions(horizon=25, n_trajectories=3, second_actions=8)
"""The planner of learned cameras' features, which must be cheap."""


class FeatureLookahead:
    """The learner's observations with plan features in every action's row.

    Cameras with a view of their own plan alone. Where all know the same, they plan together, once.
    Else each plans for the whole team by what it knows itself (camcontrol.planning.common_view).
    """

    def __init__(
        self,
        catalogue: Catalogue,
        sizes: tuple[int, int, int],
        layout: FeatureLayout,
        *,
        joint: bool,
        viewers: Ints | None = None,
        min_baseline_deg: float | None = None,
    ) -> None:
        """Allocate tables and observations.

        Args:
            catalogue: the U actions of a camera.
            sizes: numbers of environments N, cameras C and targets T.
            layout: of the whole observation.
            joint: cameras plan together.
            viewers: [V, 2] environment and camera of each that plans for its whole team by itself,
                if joint; None: all know the same.
            min_baseline_deg: of plans for stereo coverage; None: for coverage.
        """
        n, c, t = sizes
        self._catalogue = catalogue
        self._viewers = viewers if joint else None
        n_teams = n if self._viewers is None else len(self._viewers)
        self._lookahead = Lookahead(
            catalogue,
            (n_teams, c, t),
            FEATURE_OPTIONS,
            joint=joint,
            by_target=layout.n_target_coverages > 0,
            min_baseline_deg=min_baseline_deg,
        )
        self._views: TeamViews | None = None
        self.base_layout = layout._replace(
            action_size=layout.action_size - layout.plan_size,
            plan_advantage=-1,
            n_target_coverages=0,
            plan_size=0,
        )
        self.obs = np.zeros((n, c, layout.size), np.float32)
        """[N, C, D]"""

        self._start = layout.size - layout.n_actions * layout.action_size
        self._rows = self.obs[..., self._start :].reshape(n, c, layout.n_actions, -1)

    def write(
        self,
        beliefs: BeliefState,
        camera_obs: Floats,
        base: Float32s,
        avail_actions: Bools,
        rows: Bools | None = None,
    ) -> None:
        """Write `obs` from observations without plan features, `base` [N, C, D'].

        Args:
            beliefs: belief states of the cameras.
            camera_obs: flat buffer of their raw observations.
            base: in `base_layout`.
            avail_actions: [N, C, U].
            rows: [N] environments where anything has changed since the last call; None: all.
        """
        self.obs[..., : self._start] = base[..., : self._start]
        actions = base[..., self._start :].reshape(*self._rows.shape[:3], -1)
        self._rows[..., : actions.shape[-1]] = actions
        added = self._rows[..., actions.shape[-1] :]
        if self._viewers is None:
            added[...] = self._lookahead.features(beliefs, camera_obs, avail_actions, rows)
        else:
            environment, camera = self._viewers.T
            of_viewers = None if rows is None else rows[environment]
            of_teams = self._of_teams(beliefs, camera_obs, of_viewers)
            added[environment, camera] = of_teams[np.arange(len(camera)), camera]

    def _of_teams(self, beliefs: BeliefState, camera_obs: Floats, which: Bools | None) -> Float32s:
        """Return the features [V, C, U, .] of the viewers' teams, computed for `which` [V] only."""
        assert self._viewers is not None
        if self._views is None:
            n_cameras = len(beliefs.pose) * beliefs.pose.shape[1]
            self._views = allocate_team_views(
                len(self._viewers),
                beliefs.pose,
                beliefs.particles,
                len(camera_obs) // n_cameras,
                len(self._catalogue.search),
            )
        views = self._views
        memory = (beliefs.pose, beliefs.belief, beliefs.particles, beliefs.origins)
        view_teams(self._catalogue, memory, camera_obs, self._viewers, views)
        team = BeliefState(views.pose, views.belief, views.particles, views.origins)
        return self._lookahead.features(team, views.obs, views.avail_actions, which)
