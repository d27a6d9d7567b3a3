"""The joint maximiser against all joint plans, on small random tables."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from compiled import from_python
from hypothesis import given
from hypothesis import strategies as st

from camcontrol.planning import joint_plan as joint
from camcontrol.planning import plan_tables, rollouts

choose_jointly = from_python(joint.choose_jointly)
count = from_python(rollouts.count_bits)
count_plans = from_python(rollouts.count_plans)
value_actions = from_python(joint.value_actions)


def value_of(cover: np.ndarray, choice: tuple[int, ...], apart: np.ndarray | None = None) -> int:
    """What cameras cover together; `cover` [C, S, X] by plan, `choice` one plan of each.

    Only what two cameras cover where they are `apart` [C, C, X], if that is given.
    """
    words = [cover[c, s] for c, s in enumerate(choice)]
    if apart is not None:
        pairs = combinations(range(len(words)), 2)
        words = [words[a] & words[b] & apart[a, b] for a, b in pairs]
    return sum(int(word).bit_count() for word in np.bitwise_or.reduce(words).ravel())


def random_apart(seed: int, n_cameras: int, n_words: int = 5) -> np.ndarray:
    """Where each two of the cameras differ [C, C, X], about two thirds of the bits."""
    apart = np.zeros((n_cameras, n_cameras, n_words), np.uint32)
    bits = random_plans(seed + 1, n_cameras, n_cameras, 0.65, n_words)
    for a, b in combinations(range(n_cameras), 2):
        apart[a, b] = apart[b, a] = bits[a, b]
    return apart


class Table:
    """Plans [C, S, X] of cameras, `n_options` beginning with each action, as planners hold them."""

    def __init__(
        self,
        plans: np.ndarray,
        n_options: int = 1,
        first: np.ndarray | None = None,
        apart: np.ndarray | None = None,
    ) -> None:
        n_cameras, n_plans, n_words = plans.shape
        n_actions = n_plans // n_options
        shape = (n_cameras, n_actions, n_options, n_words)
        in_lanes = plans.reshape(shape).transpose(0, 3, 2, 1)  # [C, X, options, actions]
        self.cover = np.ascontiguousarray(in_lanes).reshape(n_cameras, n_words, n_plans)
        self.first = np.zeros((n_cameras, n_actions), np.int64) if first is None else first
        self.alone = np.zeros((n_cameras, n_plans), np.int32)
        for c in range(n_cameras):
            nothing, everything = np.zeros((2, n_words), np.uint32)
            everything[:] = 0xFFFFFFFF
            count_plans(self.cover[c], nothing, everything, self.alone[c])
        self.choice, self.trial = np.zeros((2, n_cameras), np.int64)
        anywhere = np.zeros((0, 0, n_words), np.uint32)
        others = joint.Others(
            *np.zeros((2, n_words), np.uint32), apart=anywhere if apart is None else apart
        )
        self.scratch = others, np.zeros_like(self.alone[0])

    def choose(self) -> tuple[int, tuple[int, ...]]:
        """The value that the maximiser reports, and its plans."""
        value = choose_jointly(
            self.cover, self.alone, self.first, self.choice, self.trial, *self.scratch
        )
        option, action = np.divmod(self.choice, self.first.shape[1])
        n_options = self.cover.shape[2] // self.first.shape[1]
        plans = np.where(self.choice < 0, -1, action * n_options + option)
        return value, tuple(plans.tolist())

    def features(self, n_actions: int, target_bits: np.ndarray, scale: float) -> np.ndarray:
        """Plan features [C, U, .] of the actions; coverages if there are bits of targets."""
        n_cameras, n_words, _ = self.cover.shape
        n_lanes = self.first.shape[1]
        out = np.ones((n_cameras, n_actions, 4 + target_bits.shape[1]), np.float32)
        work = np.zeros((n_words, n_lanes), np.uint32), np.zeros(n_lanes, np.int32)
        tables = (self.cover, self.alone, self.first, self.choice, *self.scratch)
        value_actions(*tables, target_bits, work, scale, out)
        return out


def random_plans(
    seed: int, n_cameras: int, n_plans: int, share: float, n_words: int = 5
) -> np.ndarray:
    bits = np.random.default_rng(seed).random((n_cameras, n_plans, n_words, 32)) < share
    return np.packbits(bits, axis=-1).view(np.uint32)[..., 0]


@given(
    n_cameras=st.integers(1, 3),
    n_plans=st.integers(1, 5),
    share=st.sampled_from([0.05, 0.3, 0.7]),
    seed=st.integers(0, 2**32 - 1),
)
def test_against_all_joint_plans(n_cameras: int, n_plans: int, share: float, seed: int) -> None:
    plans = random_plans(seed, n_cameras, n_plans, share)
    value, choice = Table(plans).choose()
    assert value == value_of(plans, choice)
    best = max(value_of(plans, chosen) for chosen in product(range(n_plans), repeat=n_cameras))
    assert best / 2 <= value <= best  # best responses in turn are never worse than half
    alone = [value_of(plans[c : c + 1], (s,)) for c in range(n_cameras) for s in range(n_plans)]
    assert value >= max(alone)
    if n_cameras == 1:
        assert value == best
    for c, s in product(range(n_cameras), range(n_plans)):
        other = (*choice[:c], s, *choice[c + 1 :])
        assert value_of(plans, other) <= value, "no camera does better alone"


@given(
    n_cameras=st.integers(2, 4),
    n_plans=st.integers(1, 4),
    share=st.sampled_from([0.1, 0.3, 0.7]),
    seed=st.integers(0, 2**32 - 2),
)
def test_stereo_plans_against_all_joint_plans(
    n_cameras: int, n_plans: int, share: float, seed: int
) -> None:
    plans, apart = random_plans(seed, n_cameras, n_plans, share), random_apart(seed, n_cameras)
    table = Table(plans, first=np.tile(np.arange(n_plans), (n_cameras, 1)), apart=apart)
    value, choice = table.choose()
    assert value == value_of(plans, choice, apart)
    everything = product(range(n_plans), repeat=n_cameras)
    assert value <= max(value_of(plans, chosen, apart) for chosen in everything)
    advantages = table.features(n_plans, np.zeros((5, 0), np.uint32), 1.0)[..., 2]
    for c, s in product(range(n_cameras), range(n_plans)):
        other = (*choice[:c], s, *choice[c + 1 :])
        assert value_of(plans, other, apart) <= value, "no camera does better alone"
    assert (advantages.max(-1) == 0).all()


def test_a_second_view_is_worth_more_than_another_target() -> None:
    """Alone, camera 1 covers more of target 1; beside camera 0 only target 0 counts."""
    plans = np.zeros((2, 2, 10), np.uint32)
    plans[0, 0] = plans[1, 1, 2:] = 0b01
    plans[1, 0] = 0b10
    everywhere = np.full((2, 2, 10), 0xFFFFFFFF, np.uint32)
    assert Table(plans).choose() == (20, (0, 0))
    assert Table(plans, apart=everywhere).choose() == (8, (0, 1))


def test_the_camera_with_an_alternative_gives_way() -> None:
    """Both would rather take target 0; only camera 1 can cover target 1, a little shorter."""
    plans = np.zeros((2, 2, 10), np.uint32)
    plans[:, 0] = 0b01
    plans[1, 1, 2:] = 0b10
    assert Table(plans).choose() == (18, (0, 1))


def test_equal_plans_leave_the_first() -> None:
    assert Table(np.ones((3, 4, 2), np.uint32), n_options=2).choose() == (2, (0, 0, 0))


def test_bits_are_counted() -> None:
    rng = np.random.default_rng(1)
    words = [0, 1, 2**31, 2**32 - 1, *rng.integers(0, 2**32, 50, np.uint32).tolist()]
    assert [count(np.uint32(word)) for word in words] == [word.bit_count() for word in words]


def test_a_camera_without_plans_leaves_the_others_theirs() -> None:
    plans = np.zeros((2, 2, 10), np.uint32)
    plans[0, 1, :6] = 0b11
    plans[1] = 0b01
    table = Table(plans, first=np.array([[0, 1], [-1, -1]]))
    assert table.choose() == (12, (1, -1))
    features = table.features(3, np.zeros((10, 0), np.uint32), 0.1)
    np.testing.assert_allclose(features[0], [[1, 0, -1.2, 0], [1, 1, 0, 1.2], [0, 0, -1, 0]])
    np.testing.assert_allclose(features[1], [[0, 0, -1, 0]] * 3)


@given(
    n_cameras=st.integers(1, 3),
    n_actions=st.integers(1, 4),
    n_options=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_values_of_actions(n_cameras: int, n_actions: int, n_options: int, seed: int) -> None:
    plans = random_plans(seed, n_cameras, n_actions * n_options, 0.1, n_words=8)
    rng = np.random.default_rng(seed)
    first = np.stack([rng.permutation(n_actions + 1)[:n_actions] for _ in range(n_cameras)])
    table = Table(plans, n_options, first)
    value, choice = table.choose()
    features = table.features(n_actions + 1, np.zeros((8, 0), np.uint32), 1.0)
    assert (features[..., 0].sum(-1) == n_actions).all()
    assert (features[..., 1].sum(-1) == 1).all()
    for c, a in product(range(n_cameras), range(n_actions)):
        begun = range(a * n_options, (a + 1) * n_options)
        tried, is_chosen, advantage, alone = features[c, first[c, a]]
        others = [(*choice[:c], s, *choice[c + 1 :]) for s in begun]
        assert tried == 1
        assert is_chosen == (choice[c] in begun)
        assert advantage == max(value_of(plans, plan) for plan in others) - value
        assert alone == max(value_of(plans[c : c + 1], (s,)) for s in begun)


@given(
    n_targets=st.integers(1, 9),
    n_trajectories=st.integers(1, 32),
    n_actions=st.integers(1, 4),
    n_options=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_coverage_per_target_is_that_of_the_best_plan(
    n_targets: int, n_trajectories: int, n_actions: int, n_options: int, seed: int
) -> None:
    n_frames = 3
    allocated = plan_tables.allocate_plans(
        (1, 1, n_targets, n_actions + 1), n_trajectories, n_frames, (n_actions, n_options)
    )
    rng = np.random.default_rng(seed)
    shape = (n_actions * n_options, n_frames, n_targets, n_trajectories)
    covered = rng.random(shape) < 0.3
    plans = np.zeros((1, shape[0], len(allocated.target_bits)), np.uint32)
    per_word = 32 // n_trajectories
    for s, f, t, k in np.argwhere(covered):
        slot = f * n_targets + t
        bit = np.uint32(1 << (slot % per_word * n_trajectories + k))
        plans[0, s, slot // per_word] |= bit
    first = rng.permutation(n_actions + 1)[None, :n_actions]
    table = Table(plans, n_options, first)
    table.choose()
    scale = 1.0 / (n_frames * n_trajectories)
    features = table.features(n_actions + 1, allocated.target_bits, scale)
    coverages = covered.mean((1, 3))  # [S, T]
    for a in range(n_actions):
        row = features[0, first[0, a]]
        np.testing.assert_allclose(row[4:].sum(), row[3], rtol=1e-5)
        begun = coverages[a * n_options : (a + 1) * n_options]
        assert any(np.allclose(row[4:], plan, rtol=1e-5) for plan in begun)
    untried = (set(range(n_actions + 1)) - set(first[0].tolist())).pop()
    np.testing.assert_array_equal(features[0, untried], [0, 0, -1, 0] + [0] * n_targets)
