"""Draw the pictures of how-it-works.md from the real code: `python docs/pictures.py`.

Needs the extra `viz`. The same code draws the same pictures; every one of them is smaller than
150 kB and has its own light ground, so that it can be read on a dark page, too.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle
from numpy.typing import NDArray

from camcontrol import Planner, SelectionEnv, planning_env
from camcontrol.tracking.motion_models import Q_GOAL, Q_X, Q_Y
from camcontrol.tracking.track import B_AGE
from camsim import load_scenario
from camsim.layout import TERRAIN, WAREHOUSE_HALF_WIDTH, WAREHOUSES
from camsim.render import FrameRecord, record_frame
from camsim.render.sectors import field_of_view
from qplex_bench.studies.matrix_games import GAMES, learn, updates_of
from qplex_hrl import EvaluationSetting, load_cameras

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
GROUND, INK, PALE = "#fbfaf7", "#222222", "#b9b4a9"
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
)  # Okabe and Ito: told apart by everybody
GOALS = (BLUE, ORANGE, GREEN, PURPLE)  # by warehouse


class Moment(NamedTuple):
    """A frame, and what a team believed in it."""

    record: FrameRecord
    particles: NDArray[np.float64]  # [M, T, K, P]
    belief: NDArray[np.float64]  # [C, T, .]


def draw_belief() -> Figure:
    """A target that one camera saw, lost, and searches: its particles at three moments."""
    moments = list(itertools.islice(_play("own", seed=3), 1200))
    camera, target, lost = _widest_search(moments)
    figure, axes = _panels(3)
    for panel, after in zip(axes, (0, 20, 80), strict=True):
        moment = moments[lost + after]
        _draw_world(panel, moment.record, cameras=[camera])
        particles = moment.particles[camera, target]
        for goal, colour in enumerate(GOALS):
            here = particles[Q_GOAL] == goal
            panel.scatter(*particles[[Q_X, Q_Y]][:, here], s=16, color=colour, zorder=4)
        _draw_targets(panel, moment.record.target_xy[[target]])
        title = "in view" if after == 0 else f"{after} frames later"
        panel.set_title(title, color=INK)
    axes[0].scatter([], [], s=120, marker="*", color=RED, label="the target")
    axes[0].scatter([], [], s=16, color=PURPLE, label="particles, in the colour of their warehouse")
    axes[0].scatter([], [], s=90, color=INK, label="the camera")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def draw_foresight() -> Figure:
    """What cameras expect of the next 30 frames, and what came of it."""
    env = planning_env(load_scenario("MATE-4v4-9"), 1, view="shared")
    planner = Planner(env)
    output = env.reset(np.array([3], np.uint64))
    for _ in range(20):
        output = env.step(planner.act(output.obs, output.avail_actions))
    actions = planner.act(output.obs, output.avail_actions)
    before = record_frame(env.sim, 0)
    horizon = 30
    n_lanes = env.n_targets * 4
    x, y = planner.trajectories.positions[0, :, : horizon + 1, :n_lanes].copy()
    for _ in range(horizon // env.options.decision_frames):
        output = env.step(actions)
        actions = planner.act(output.obs, output.avail_actions)
    figure, axes = _panels(2, height=3.75)
    titles = ("now, and what may come", "30 frames later")
    for panel, record, title in zip(axes, (before, record_frame(env.sim, 0)), titles, strict=True):
        _draw_world(panel, record, cameras=range(env.n_agents))
        panel.plot(x, y, color=RED, linewidth=0.9, alpha=0.8 if record is before else 0.35)
        _draw_targets(panel, record.target_xy)
        panel.set_title(title, color=INK)
    return figure


def draw_clocks() -> Figure:
    """Which action each camera has in force: slow decisions, and fast replacements within them."""
    path = ROOT / "pretrained" / "qplex_hrl_8v8_9_stereo.pth"
    cameras = load_cameras(path, EvaluationSetting(), num_envs=1, device=torch.device("cpu"))
    env, agent = cameras.env, cameras.agent
    length, interval = env.options.decision_frames, env.options.fast_interval
    output = env.reset(np.array([1], np.uint64))
    in_force = []
    for _ in range(12):
        actions = agent.act(output.obs, output.avail_actions)
        for frame in range(length):
            if agent.reaction is not None and frame and frame % interval == 0:
                actions = agent.reaction(*env.glance(), frame)
            env.run_frames(actions, 1)
            in_force.append(actions[0].copy())
        output = env.observe()
    return _clock_chart(np.array(in_force), length)


def _clock_chart(in_force: NDArray[np.int64], length: int) -> Figure:
    """Draw actions [frames, C] as bars; two shades tell neighbours apart."""
    n_frames, n_cameras = in_force.shape
    figure = Figure(figsize=(8, 3.4), layout="constrained", facecolor=GROUND)
    axes = figure.subplots()
    axes.set_facecolor(GROUND)
    colours = (BLUE, SKY)
    for c in range(n_cameras):
        changes = [f for f in range(n_frames) if f == 0 or in_force[f, c] != in_force[f - 1, c]]
        for number, (start, end) in enumerate(itertools.pairwise([*changes, n_frames])):
            colour = colours[number % len(colours)]
            axes.barh(c, end - start, left=start, height=0.7, color=colour, edgecolor=GROUND)
        fast = [f for f in changes if f % length]
        axes.scatter(fast, [c] * len(fast), marker="v", s=34, color=INK, zorder=3)
    for start in range(0, n_frames + 1, length):
        axes.axvline(start, color=INK, linewidth=0.6, alpha=0.5, zorder=0)
    axes.scatter([], [], marker="v", s=34, color=INK, label="replaced by the fast level")
    axes.plot([], [], color=INK, linewidth=0.6, label="the slow level decides")
    axes.set(xlabel="frame", ylabel="camera", xlim=(0, n_frames), yticks=range(n_cameras))
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=8)
    return figure


def draw_decomposition() -> Figure:
    """What VDN and QPLEX learn of a game where two cameras must choose the same."""
    game = GAMES["matrix 1"]
    figure, axes = _panels(3, height=3.4)
    tables = {"what the team earns": game.reward[0].numpy()}
    for mixer in ("vdn", "qplex"):
        found = learn(game, mixer, 0, updates_of("matrix 1", mixer))
        tables[f"learned by {mixer.upper()}"] = np.array(found.table[0])
    for panel, (title, values) in zip(axes, tables.items(), strict=True):
        panel.imshow(values, cmap="PuOr", vmin=-13, vmax=13)
        best = np.unravel_index(values.argmax(), values.shape)
        panel.add_patch(_square(best))
        for (row, column), value in np.ndenumerate(values):
            colour = "white" if abs(value) > 7 else INK
            panel.text(
                column, row, f"{value.round(1) + 0.0:.1f}", ha="center", va="center", color=colour
            )
        panel.set_title(title, color=INK)
        panel.set(xlabel="action of camera 2", ylabel="action of camera 1")
        panel.set(xticks=range(3), yticks=range(3))
    return figure


def _square(cell: Sequence[np.intp]) -> Polygon:
    row, column = (float(index) for index in cell)
    corners = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
    outline = [(column + x, row + y) for x, y in corners]
    return Polygon(outline, fill=False, edgecolor=INK, linewidth=3, zorder=3)


def _play(view: str, seed: int) -> Iterator[Moment]:
    """Yield every frame of an episode of planning cameras."""
    env: SelectionEnv = planning_env(load_scenario("MATE-4v4-9"), 1, view=view)
    planner = Planner(env)
    output = env.reset(np.array([seed], np.uint64))
    while True:
        actions = planner.act(output.obs, output.avail_actions)
        for _ in range(env.options.decision_frames):
            env.run_frames(actions, 1)
            state = env.agent_state
            record = record_frame(env.sim, 0)
            yield Moment(record, state.particles[0].copy(), state.belief[0].copy())
        output = env.observe()


def _widest_search(moments: Sequence[Moment]) -> tuple[int, int, int]:
    """Return a camera, a target and the last frame in which the one saw the other.

    It is the loss of 80 frames and more after which the particles are spread widest.
    """
    ages = np.array([moment.belief[:, :, B_AGE] for moment in moments])  # [F, C, T]
    seen = np.array([moment.record.camera_target for moment in moments])
    losses = [
        (int(c), int(t), int(f))
        for f, c, t in np.argwhere(seen[:-81] & ~seen[1:-80])
        if f > 9 and seen[f - 9 : f + 1, c, t].all() and 80 <= ages[f + 80, c, t] < 82
    ]

    def spread(loss: tuple[int, int, int]) -> float:
        camera, target, frame = loss
        places = moments[frame + 80].particles[camera, target][[Q_X, Q_Y]]
        return float(places.std(axis=1).sum())

    return max(losses, key=spread)


def _panels(n: int, height: float = 4.0) -> tuple[Figure, NDArray[np.object_]]:
    figure = Figure(figsize=(3.4 * n, height), layout="constrained", facecolor=GROUND)
    axes = np.atleast_1d(figure.subplots(1, n))
    return figure, axes


def _draw_world(axes: Axes, record: FrameRecord, cameras: Sequence[int]) -> None:
    """Draw terrain, obstacles, and the views of some cameras."""
    axes.set_facecolor("white")
    for (x, y), colour in zip(WAREHOUSES, GOALS, strict=True):
        corner = (x - WAREHOUSE_HALF_WIDTH, y - WAREHOUSE_HALF_WIDTH)
        size = 2 * WAREHOUSE_HALF_WIDTH
        axes.add_patch(Rectangle(corner, size, size, color=colour, alpha=0.5, zorder=2))
    for xy, radius in zip(record.obstacle_xy, record.obstacle_radius, strict=True):
        axes.add_patch(Circle((xy[0], xy[1]), radius, color=PALE, zorder=2))
    for c in cameras:
        known = np.where(record.camera_obstacle[c], record.obstacle_radius, 0.0)
        pose = record.camera_phi_deg[c], record.camera_theta_deg[c], record.camera_range[c]
        outline = field_of_view(record.camera_xy[c], *pose, record.obstacle_xy, known)
        axes.add_patch(Polygon(outline, color=SKY, alpha=0.45, zorder=1, linewidth=0))
        axes.scatter(*record.camera_xy[c], s=90, color=INK, zorder=3)
    axes.set(xlim=(-TERRAIN, TERRAIN), ylim=(-TERRAIN, TERRAIN), xticks=[], yticks=[])
    axes.set_aspect("equal")


def _draw_targets(axes: Axes, xy: NDArray[np.float64]) -> None:
    """Draw stars at places [T, 2]."""
    axes.scatter(xy[:, 0], xy[:, 1], s=120, marker="*", color=RED, edgecolor="white", zorder=5)


PICTURES: dict[str, Callable[[], Figure]] = {
    "belief": draw_belief,
    "foresight": draw_foresight,
    "clocks": draw_clocks,
    "decomposition": draw_decomposition,
}


def save(name: str, folder: Path) -> Path:
    """Draw a picture into a folder; return its file."""
    mpl.rcParams["svg.hashsalt"] = name  # the same names of parts in every run
    file = folder / f"{name}.svg"
    PICTURES[name]().savefig(file, metadata={"Date": None})
    return file


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(PICTURES), metavar="PICTURE")
    for one in parser.parse_args().names:
        save(one, IMAGES)
