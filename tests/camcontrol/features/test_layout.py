"""Lengths of the observation with and without the particle belief and looking ahead."""

from camcontrol.features.layout import feature_layout


def test_rows_of_a_remembered_last_sighting() -> None:
    layout = feature_layout(4, 26, n_search=16, particles=False)
    assert (layout.context_size, layout.target_size, layout.action_size) == (18, 32, 12)
    assert layout.size == 18 + 4 * 32 + 26 * 12
    assert (layout.row_flag, layout.plan_advantage, layout.n_target_coverages) == (0, -1, 0)


def test_particles_make_rows_longer() -> None:
    layout = feature_layout(4, 26, n_search=16, particles=True)
    assert layout.size == (18 + 16) + 4 * (32 + 18) + 26 * (12 + 5)
    assert layout.row_flag == 32, "a row says something even of a target that is not known"


def test_looking_ahead_adds_to_actions_and_tells_of_targets_on_request() -> None:
    ahead = feature_layout(4, 26, n_search=16, particles=True, lookahead=True)
    assert (ahead.action_size, ahead.plan_advantage, ahead.n_target_coverages) == (
        17 + 4,
        17 + 2,
        0,
    )
    by_target = feature_layout(4, 26, n_search=16, particles=True, lookahead=True, by_target=True)
    assert (by_target.action_size, by_target.n_target_coverages) == (17 + 4 + 4, 4)
    assert (
        feature_layout(4, 26, n_search=16, particles=True, by_target=True).n_target_coverages == 0
    )


def test_a_glance_is_the_beginning_of_every_row_but_those_of_search_actions() -> None:
    layout = feature_layout(2, 19, n_search=16, particles=True, lookahead=True)
    rows = [(0, 10), (34, 27), (34 + 50, 27), *((134 + 21 * u, 11) for u in range(3))]
    assert layout.glance_columns == [start + n for start, size in rows for n in range(size)]


def test_looking_ahead_needs_particles() -> None:
    plain = feature_layout(4, 26, n_search=16, particles=False)
    assert feature_layout(4, 26, n_search=16, particles=False, lookahead=True) == plain
