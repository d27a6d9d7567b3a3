"""The joint maximiser against all joint plans, on small random tables."""

from __future__ import annotations

from itertools import product

import numpy as np
from compiled import from_python
from hypothesis import given
from hypothesis import strategies as st

from camcontrol.planning import joint_plan as joint
from camcontrol.planning.rollouts import count_bits

choose_jointly = from_python(joint.choose_jointly)
count = from_python(count_bits)
value_actions = from_python(joint.value_actions)


def value_of(cover: np.ndarray, choice: tuple[int, ...]) -> int:
    """What the cameras cover together, summed over frames."""
    union = np.bitwise_or.reduce([cover[c, s] for c, s in enumerate(choice)])
    return sum(int(word).bit_count() for word in union.ravel())


def chosen(cover: np.ndarray, n_options: int = 1) -> tuple[int, tuple[int, ...]]:
    """The value that the maximiser reports, and its plans."""
    n_cameras, n_plans, n_frames, n_words = cover.shape
    first = np.full((n_cameras, n_plans // n_options), 0, np.int64)
    choice, trial = np.zeros((2, n_cameras), np.int64)
    others_coverage = np.zeros((n_frames, n_words), np.uint64)
    value = choose_jointly(cover, first, (0, n_cameras), choice, trial, others_coverage)
    return value, tuple(choice.tolist())


@given(
    n_cameras=st.integers(1, 3),
    n_plans=st.integers(1, 5),
    n_words=st.integers(1, 2),
    share=st.sampled_from([0.05, 0.3, 0.7]),
    seed=st.integers(0, 2**32 - 1),
)
def test_against_all_joint_plans(
    n_cameras: int, n_plans: int, n_words: int, share: float, seed: int
) -> None:
    bits = np.random.default_rng(seed).random((n_cameras, n_plans, 4, n_words, 64)) < share
    cover = np.packbits(bits, axis=-1).view(np.uint64)[..., 0]
    value, choice = chosen(cover)
    assert value == value_of(cover, choice)
    best = max(value_of(cover, plans) for plans in product(range(n_plans), repeat=n_cameras))
    assert best / 2 <= value <= best  # best responses in turn are never worse than half
    alone = [value_of(cover[c : c + 1], (s,)) for c in range(n_cameras) for s in range(n_plans)]
    assert value >= max(alone)
    if n_cameras == 1:
        assert value == best
    for c, s in product(range(n_cameras), range(n_plans)):
        other = (*choice[:c], s, *choice[c + 1 :])
        assert value_of(cover, other) <= value, "no camera does better alone"


def test_the_camera_with_an_alternative_gives_way() -> None:
    """Both would rather take target 0; only camera 1 can cover target 1, a little shorter."""
    cover = np.zeros((2, 2, 10, 1), np.uint64)
    cover[:, 0, :, 0] = 0b01
    cover[1, 1, 2:, 0] = 0b10
    assert chosen(cover) == (18, (0, 1))


def test_equal_plans_leave_the_first() -> None:
    cover = np.ones((3, 4, 2, 1), np.uint64)
    assert chosen(cover, n_options=2) == (2, (0, 0, 0))


def test_bits_are_counted() -> None:
    rng = np.random.default_rng(1)
    words = [0, 1, 2**63, 2**64 - 1, *rng.integers(0, 2**64, 50, np.uint64).tolist()]
    assert [count(np.uint64(word)) for word in words] == [word.bit_count() for word in words]


def test_a_camera_without_plans_leaves_the_others_theirs() -> None:
    cover = np.zeros((2, 2, 10, 1), np.uint64)
    cover[0, 1, :6, 0] = 0b11
    cover[1, :, :, 0] = 0b01
    first = np.array([[0, 1], [-1, -1]])
    choice, trial = np.zeros((2, 2), np.int64)
    others_coverage = np.zeros((10, 1), np.uint64)
    assert choose_jointly(cover, first, (0, 2), choice, trial, others_coverage) == 12
    assert choice.tolist() == [1, -1]
    features = np.zeros((2, 3, 4), np.float32)
    value_actions(cover, first, (0, 2), choice, others_coverage, 1, 0.1, features)
    np.testing.assert_allclose(features[0], [[1, 0, -1.2, 0], [1, 1, 0, 1.2], [0, 0, -1, 0]])
    np.testing.assert_allclose(features[1], [[0, 0, -1, 0]] * 3)


@given(
    n_cameras=st.integers(1, 3),
    n_actions=st.integers(1, 4),
    n_then=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_values_of_actions(n_cameras: int, n_actions: int, n_then: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.random((n_cameras, n_actions * n_then, 4, 1, 64)) < 0.1
    cover = np.packbits(bits, axis=-1).view(np.uint64)[..., 0]
    first = np.stack([rng.permutation(n_actions + 1)[:n_actions] for _ in range(n_cameras)])
    choice, trial = np.zeros((2, n_cameras), np.int64)
    others_coverage = np.zeros((4, 1), np.uint64)
    value = choose_jointly(cover, first, (0, n_cameras), choice, trial, others_coverage)
    features = np.zeros((n_cameras, n_actions + 1, 4), np.float32)
    value_actions(cover, first, (0, n_cameras), choice, others_coverage, 16, 1.0, features)
    assert (features[..., 0].sum(-1) == n_actions).all()
    assert (features[..., 1].sum(-1) == 1).all()
    for c, a in product(range(n_cameras), range(n_actions)):
        plans = range(a * n_then, (a + 1) * n_then)
        tried, is_chosen, advantage, alone = features[c, first[c, a]]
        others = [(*choice[:c], s, *choice[c + 1 :]) for s in plans]
        assert tried == 1
        assert is_chosen == (choice[c] in plans)
        assert advantage == max(value_of(cover, plan) for plan in others) - value
        assert alone == max(value_of(cover[c : c + 1], (s,)) for s in plans)


@given(
    n_targets=st.integers(1, 9),
    n_trajectories=st.integers(1, 70),
    n_actions=st.integers(1, 4),
    n_then=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_coverage_per_target_is_that_of_the_best_plan(
    n_targets: int, n_trajectories: int, n_actions: int, n_then: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    n_frames, n_bits = 3, n_targets * n_trajectories
    n_words = (n_bits + 63) // 64
    bits = np.zeros((1, n_actions * n_then, n_frames, n_words * 64), np.bool_)
    bits[..., :n_bits] = rng.random((*bits.shape[:-1], n_bits)) < 0.3
    cover = np.packbits(bits, axis=-1, bitorder="little").view(np.uint64)
    first = rng.permutation(n_actions + 1)[None, :n_actions]
    choice, trial = np.zeros((2, 1), np.int64)
    others_coverage = np.zeros((n_frames, n_words), np.uint64)
    choose_jointly(cover, first, (0, 1), choice, trial, others_coverage)
    features = np.ones((1, n_actions + 1, 4 + n_targets), np.float32)
    scale = 1.0 / (n_frames * n_trajectories)
    value_actions(cover, first, (0, 1), choice, others_coverage, n_trajectories, scale, features)
    by_target = bits[0, :, :, :n_bits].reshape(-1, n_frames, n_targets, n_trajectories)
    coverages = by_target.mean((1, 3))  # [S, T]
    for a in range(n_actions):
        plans = coverages[a * n_then : (a + 1) * n_then]
        row = features[0, first[0, a]]
        np.testing.assert_allclose(row[4:].sum(), row[3], rtol=1e-5)
        assert any(np.allclose(row[4:], plan, rtol=1e-5) for plan in plans)
    untried = (set(range(n_actions + 1)) - set(first[0].tolist())).pop()
    np.testing.assert_array_equal(features[0, untried], [0, 0, -1, 0] + [0] * n_targets)
