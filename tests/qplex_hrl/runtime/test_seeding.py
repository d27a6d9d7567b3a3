import numpy as np
import pytest

from qplex_hrl.runtime.seeding import episode_seeds, make_generators


def test_equal_seeds_give_equal_streams() -> None:
    one, two = make_generators(5), make_generators(5)
    assert [g.random() for g in one] == [g.random() for g in two]


def test_streams_and_seeds_differ() -> None:
    draws = [g.random() for seed in (5, 6) for g in make_generators(seed)]
    assert len(set(draws)) == 2 * len(make_generators(5))


@pytest.mark.parametrize(
    ("seed", "first"),
    [
        (0, [8697063857760222071, 6246038554070098266, 7731686665370224177, 3361305138638366626]),
        (5, [3718111675614000522, 2334931900447824383, 5845122854297483245, 6642632773074372740]),
    ],
)
def test_streams_are_those_of_all_trainings_so_far(seed: int, first: list[int]) -> None:
    """Recorded when there was a fifth stream, without a use: same seed, same results."""
    generators = make_generators(seed)
    assert generators._fields == ("env", "explore", "replay", "init")
    assert [int(generator.integers(2**63)) for generator in generators] == first


def test_streams_do_not_influence_each_other() -> None:
    one, two = make_generators(5), make_generators(5)
    one.explore.random(1000)
    assert one.replay.random() == two.replay.random()


def test_episode_seeds() -> None:
    seeds = episode_seeds(3, 64)
    assert seeds.dtype == np.uint64
    assert np.unique(seeds).size == 64
    assert seeds.max() < 2**53
    np.testing.assert_array_equal(episode_seeds(3, 8), seeds[:8])
    assert not np.isin(episode_seeds(4, 64), seeds).any()


def test_evaluation_never_plays_training_episodes() -> None:
    training = make_generators(3).env.integers(2**64, size=10_000, dtype=np.uint64)
    assert not np.isin(training, episode_seeds(3, 10_000)).any()


def test_negative_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        make_generators(-1)
    with pytest.raises(ValueError, match="non-negative"):
        episode_seeds(-1, 2)
