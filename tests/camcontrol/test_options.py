"""What a camera may be told to choose from: checked in one line, turned into a catalogue."""

from dataclasses import replace

import pytest

from camcontrol.control.action_set import EXECUTORS, GRID
from camcontrol.options import (
    ControlOptions,
    catalogue_of,
    check_control,
    executor_of,
    n_particles_of,
)

PLAIN = ControlOptions(belief="last_seen", lookahead=False, coverage_per_target=False)
AHEAD = replace(PLAIN, belief="particles", lookahead=True)


@pytest.mark.parametrize("options", [PLAIN, AHEAD, replace(PLAIN, action_mode="discrete")])
def test_good_options(options: ControlOptions) -> None:
    check_control(options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (replace(PLAIN, belief="all"), "belief = 'all'; expected one of none, last_seen, part"),
        (replace(PLAIN, executor="x"), "executor = 'x'; expected one of upstream, "),
        (replace(PLAIN, decision_frames=0), "decision_frames = 0; expected an integer from 1 to"),
        (replace(PLAIN, n_particles=0), "n_particles = 0; expected an integer from 1 to"),
        (replace(PLAIN, fast_interval=1.5), "fast_interval = 1.5; expected an integer from"),
        (replace(PLAIN, memory_frames=-1), "memory_frames = -1; expected an integer from 0"),
        (replace(PLAIN, multi_selection="no"), "multi_selection = 'no'; expected True or Fal"),
        (replace(PLAIN, max_selected=10**9), "max_selected = 1000000000; expected an integ"),
        (replace(PLAIN, action_levels=4), "action_levels = 4; expected an odd number"),
        (replace(AHEAD, belief="last_seen"), "belief = 'last_seen'; looking ahead needs 'part"),
        (replace(AHEAD, executor="upstream"), "executor = 'upstream'; looking ahead needs '"),
    ],
)
def test_bad_options_are_one_line(options: ControlOptions, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_control(options)


def test_the_catalogue_is_of_sets_or_of_moves() -> None:
    assert len(catalogue_of(PLAIN, 4).search) == 4 + 6 + 16
    moves = catalogue_of(replace(PLAIN, action_mode="discrete", action_levels=3), 4)
    assert (len(moves.search), moves.move_frames) == (9, PLAIN.decision_frames)


def test_numbers_for_the_kernels() -> None:
    assert executor_of(replace(PLAIN, executor="upstream")) == EXECUTORS["upstream"]
    assert executor_of(replace(PLAIN, action_mode="discrete")) == GRID
    assert (n_particles_of(PLAIN), n_particles_of(AHEAD)) == (0, PLAIN.n_particles)
