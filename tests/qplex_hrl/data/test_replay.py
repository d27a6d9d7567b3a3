"""Windows drawn from the replay: what they hold, where they may start, exact continuation."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qplex_hrl.data.replay import DecisionChunk, ReplayBuffer, ReplaySizes, allocate_chunk
from qplex_hrl.types import SequenceBatch

CPU = torch.device("cpu")


def sizes(n_envs: int = 2) -> ReplaySizes:
    return ReplaySizes(
        n_envs=n_envs, n_agents=2, n_actions=3, obs_size=4, state_size=2, recurrent_size=5
    )


def buffer(
    n_envs: int = 2,
    rows: int = 20,
    sequence_length: int = 4,
    burn_in: int = 0,
    seed: int = 0,
) -> ReplayBuffer:
    return ReplayBuffer(
        sizes(n_envs),
        capacity=rows * n_envs,
        sequence_length=sequence_length,
        burn_in=burn_in,
        rng=np.random.default_rng(seed),
    )


class Stream:
    """A made-up stream of decisions; every number names its time and environment."""

    def __init__(self, n_envs: int, seed: int, p_end: float = 0.15) -> None:
        self.n_envs = n_envs
        self._rng = np.random.default_rng(seed)
        self._p_end = p_end
        self._index = np.zeros(n_envs, np.int64)
        self.terminated: list[np.ndarray] = []
        self.truncated: list[np.ndarray] = []
        self.decision_index: list[np.ndarray] = []

    def chunk(self, n: int) -> DecisionChunk:
        chunk = allocate_chunk(n, sizes(self.n_envs))
        for i in range(n):
            now = len(self.terminated)
            terminated = self._rng.random(self.n_envs) < self._p_end
            truncated = ~terminated & (self._rng.random(self.n_envs) < self._p_end)
            self.terminated.append(terminated)
            self.truncated.append(truncated)
            self.decision_index.append(self._index.copy())
            chunk.obs[i, ..., 0] = now
            chunk.obs[i, ..., 1] = np.arange(self.n_envs)[:, None]
            chunk.obs[i, ..., 2] = np.arange(2)
            chunk.state[i, :, 0] = now
            chunk.avail_actions[i, :, :, 1:] = True
            chunk.actions[i] = 1 + now % 2
            chunk.reward[i] = now + 0.5
            chunk.difference_reward[i] = now + np.array([0.25, 0.75])
            chunk.terminated[i], chunk.truncated[i] = terminated, truncated
            chunk.decision_index[i] = self._index
            chunk.recurrent_state[i] = now
            self._index = np.where(terminated | truncated, 0, self._index + 1)
        return chunk


Window = tuple[int, int, int]  # time of its first frame in the stream, frames before it, env


def check_window(batch: SequenceBatch, b: int, stream: Stream, oldest: int) -> Window:
    """Compare a window with the stream, the slow and obvious way; return which it is."""
    length = batch.reward.shape[1]
    padding = int(batch.obs[b, :, 1, 2].argmax())  # a frame of the stream has a one there
    start = int(batch.obs[b, padding, 0, 0]) - padding
    env = int(batch.obs[b, padding, 0, 1])
    assert oldest <= start + padding
    assert start + length < len(stream.terminated), "the window runs over the write head"
    assert (batch.hidden_state[b] == (0 if padding else start)).all()
    assert not padding or stream.decision_index[start + padding][env] == 0
    inside = over = False
    for j in range(length + 1):
        inside = j >= padding and not over
        if inside:
            assert (batch.obs[b, j, :, 0] == start + j).all()
            assert (batch.obs[b, j, :, 1] == env).all()
            assert batch.obs[b, j, :, 2].tolist() == [0, 1]
            assert batch.state[b, j, 0] == start + j
            assert batch.avail_actions[b, j].tolist() == [[False, True, True]] * 2
        else:
            assert (batch.obs[b, j] == 0).all()
            assert (batch.state[b, j] == 0).all()
            assert batch.avail_actions[b, j].tolist() == [[True, False, False]] * 2
        if j == length:
            break
        terminated = inside and bool(stream.terminated[start + j][env])
        truncated = inside and bool(stream.truncated[start + j][env])
        assert batch.filled[b, j] == (inside and not truncated)
        assert batch.terminated[b, j] == (inside and terminated)
        assert batch.truncated[b, j] == (inside and truncated)
        assert batch.reward[b, j] == (start + j + 0.5 if inside else 0.0)
        own = [start + j + 0.25, start + j + 0.75] if inside else [0.0, 0.0]
        assert batch.difference_reward[b, j].tolist() == own
        assert (batch.actions[b, j] == (1 + (start + j) % 2 if inside else 0)).all()
        over = over or terminated or truncated
    return start + padding, padding, env


def expected_starts(stream: Stream, replay: ReplayBuffer, rows: int, burn_in: int) -> set[Window]:
    """Return all windows, by looking at every time."""
    n, window = len(stream.terminated), replay.window
    starts = set()
    for e in range(stream.n_envs):
        index = [int(row[e]) for row in stream.decision_index]
        ended = (np.array(stream.terminated) | np.array(stream.truncated))[:, e]
        for first in range(max(0, n - rows), n):  # the first frame of the stream in a window
            paddings = [0]
            if index[first] == 0:
                paddings += list(range(1, min(burn_in, window - 1) + 1))
            for padding in paddings:
                trained = first + max(burn_in - padding, 0)
                if (
                    first - padding + window < n
                    and not ended[first:trained].any()
                    and not stream.truncated[trained][e]
                ):
                    starts.add((first, padding, e))
    return starts


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    n_envs=st.integers(1, 3),
    sequence_length=st.integers(1, 5),
    burn_in=st.integers(0, 3),
    chunks=st.lists(st.integers(1, 12), min_size=1, max_size=12),
)
def test_windows_equal_the_stream_and_never_cross_an_end_or_the_head(
    seed: int, n_envs: int, sequence_length: int, burn_in: int, chunks: list[int]
) -> None:
    rows = 14
    replay = buffer(n_envs, rows, sequence_length, burn_in, seed)
    stream = Stream(n_envs, seed)
    for n in chunks:
        replay.add(stream.chunk(n))
        starts = expected_starts(stream, replay, rows, burn_in)
        assert replay.n_windows == len(starts)
        assert len(replay) == min(rows, len(stream.terminated)) * n_envs
        if not starts:
            continue
        batch = replay.sample(8, CPU)
        oldest = max(0, len(stream.terminated) - rows)
        for b in range(8):
            assert check_window(batch, b, stream, oldest) in starts
            assert batch.filled[b, burn_in:].any()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    n_envs=st.integers(1, 2),
    burn_in=st.integers(0, 5),
    length=st.integers(1, 6),
    n_decisions=st.integers(1, 40),
)
def test_every_decision_with_a_frame_after_it_can_be_trained_on(
    seed: int,
    n_envs: int,
    burn_in: int,
    length: int,
    n_decisions: int,
) -> None:
    """Of episodes that begin in the ring, up to where windows would run over the head."""
    rows = 24
    replay = buffer(n_envs, rows, length, burn_in, seed)
    stream = Stream(n_envs, seed)
    for start in range(0, n_decisions, 8):
        replay.add(stream.chunk(min(8, n_decisions - start)))
    trained = set()
    batch = replay._windows(replay._starts, CPU) if replay.n_windows else None
    for b in range(replay.n_windows):
        for j in batch.filled[b, burn_in:].nonzero().flatten().tolist():
            seen = batch.obs[b, burn_in + j, 0]
            trained.add((int(seen[0]), int(seen[1])))
    expected = set()
    for e in range(n_envs):
        first = None
        for t in range(max(0, n_decisions - rows), n_decisions - length):
            first = t if stream.decision_index[t][e] == 0 else first
            if first is not None and not stream.truncated[t][e]:
                expected.add((t, e))
    assert expected <= trained


def test_every_window_is_drawn_equally_often() -> None:
    replay, stream = buffer(), Stream(2, seed=3)
    replay.add(stream.chunk(20))
    batch = replay.sample(20_000, CPU)
    _, counts = torch.unique(batch.obs[:, 0, 0, :2], dim=0, return_counts=True)  # no burn-in
    assert len(counts) == replay.n_windows
    mean = 20_000 / replay.n_windows
    assert (counts - mean).abs().max() < 5 * mean**0.5


def test_terminated_wins_over_truncated() -> None:
    replay, stream = buffer(n_envs=1, sequence_length=2), Stream(1, seed=0, p_end=0.0)
    chunk = stream.chunk(4)
    chunk.terminated[1] = chunk.truncated[1] = True
    replay.add(chunk)
    batch = replay.sample(20, CPU)
    first = batch.obs[:, 0, 0, 0] == 0
    assert batch.filled[first].all()
    assert not batch.truncated[first].any()


def test_the_batch_has_the_types_of_the_learner() -> None:
    replay, stream = buffer(), Stream(2, seed=1)
    replay.add(stream.chunk(12))
    batch = replay.sample(3, CPU)
    floats = (batch.state, batch.reward, batch.hidden_state)
    assert all(x.dtype == torch.float32 for x in floats)
    assert batch.obs.dtype == torch.float16  # the networks read it as they need it
    flags = (batch.avail_actions, batch.terminated, batch.truncated, batch.filled)
    assert all(x.dtype == torch.bool for x in flags)
    assert batch.actions.dtype == torch.int64
    assert batch.obs.shape == (3, 5, 2, 4)
    assert batch.state.shape == (3, 5, 2)
    assert batch.avail_actions.shape == (3, 5, 2, 3)
    assert batch.actions.shape == (3, 4, 2)
    assert batch.hidden_state.shape == (3, 2, 5)


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=10))
def test_room_made_for_what_comes_next_changes_nothing(lengths: list[int]) -> None:
    """Before the ring is full, at its end and after it."""
    replays, streams = (buffer(), buffer()), (Stream(2, seed=1), Stream(2, seed=1))
    for n in lengths:
        replays[0].make_room(n)
        for replay, stream in zip(replays, streams, strict=True):
            replay.add(stream.chunk(n))
        states = [replay.state_dict() for replay in replays]
        for name, array in states[0].items():
            np.testing.assert_array_equal(array, states[1][name])


def test_samples_do_not_alias_the_ring() -> None:
    replay, stream = buffer(), Stream(2, seed=1)
    replay.add(stream.chunk(12))
    batch = replay.sample(50, CPU)
    batch.reward.fill_(-1.0)
    batch.actions.fill_(-1)
    assert (replay.sample(50, CPU).reward >= 0).all()
    assert (replay.sample(50, CPU).actions >= 0).all()


@pytest.mark.parametrize("n_rows", [7, 20, 33], ids=["part", "exactly full", "wrapped"])
def test_a_restored_buffer_goes_on_as_the_old_one(n_rows: int) -> None:
    old, stream = buffer(seed=5, burn_in=1), Stream(2, seed=4)
    old.add(stream.chunk(n_rows % 20))
    old.add(stream.chunk(n_rows - n_rows % 20))
    saved = {name: array.copy() for name, array in old.state_dict().items()}
    new = buffer(seed=99, burn_in=1)
    new.load_state_dict(saved)
    new._rng.bit_generator.state = old._rng.bit_generator.state
    for _ in range(4):
        more = stream.chunk(3)
        old.add(more)
        new.add(more)
        assert old.n_windows == new.n_windows
        for left, right in zip(old.sample(6, CPU), new.sample(6, CPU), strict=True):
            assert torch.equal(left, right)


def test_too_small_a_ring_is_refused_with_the_number_needed() -> None:
    with pytest.raises(ValueError, match=r"buffer_size = 8 is too small.*at least 10"):
        buffer(n_envs=2, rows=4, sequence_length=4)


def test_an_empty_buffer_gives_no_sample() -> None:
    with pytest.raises(ValueError, match="no complete window"):
        buffer().sample(1, CPU)


def test_chunks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        buffer(rows=6).add(Stream(2, 0).chunk(7))
    with pytest.raises(ValueError, match=r"chunk\.obs has shape"):
        buffer(n_envs=3).add(Stream(2, 0).chunk(2))


def test_a_foreign_saved_buffer_is_refused_and_changes_nothing() -> None:
    replay, stream = buffer(n_envs=2), Stream(2, 0)
    replay.add(stream.chunk(12))
    before = replay.n_windows
    with pytest.raises(ValueError, match="lacks written"):
        replay.load_state_dict({k: v for k, v in replay.state_dict().items() if k != "written"})
    with pytest.raises(ValueError, match="saved replay: obs has shape"):
        replay.load_state_dict(buffer(n_envs=3).state_dict())
    assert replay.n_windows == before


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("actions", -1, "actions are not all from 0"),
        ("actions", 10**12, "actions are not all from 0"),
        ("avail_actions", False, "not available"),
        ("decision_index", -1, "decision_index holds"),
        ("decision_index", -(2**63), "decision_index holds"),
        ("obs", np.nan, "obs holds"),
        ("state", np.inf, "state holds"),
        ("reward", np.nan, "reward holds"),
        ("difference_reward", -np.inf, "difference_reward holds"),
        ("recurrent_state", np.nan, "recurrent_state holds"),
        ("written", -1, "written is -1"),
        ("written", 2**62, "written is"),
        ("written", 3, "shape"),
    ],
)
def test_crafted_numbers_are_refused_and_change_nothing(name: str, value: Any, words: str) -> None:
    replay = buffer(n_envs=2)
    replay.add(Stream(2, 0).chunk(12))
    before = {key: array.copy() for key, array in replay.state_dict().items()}
    crafted = {key: array.copy() for key, array in before.items()}
    crafted[name].reshape(-1)[-1:] = value
    if name == "avail_actions":
        crafted[name][...] = value
    with pytest.raises(ValueError, match=rf"^saved replay: .*{words}[^\n]*$"):
        replay.load_state_dict(crafted)
    for key, array in replay.state_dict().items():
        np.testing.assert_array_equal(array, before[key])


@pytest.mark.parametrize("name", [*DecisionChunk._fields, "written"])
def test_crafted_types_are_refused(name: str) -> None:
    replay = buffer(n_envs=2)
    replay.add(Stream(2, 0).chunk(12))
    saved = replay.state_dict()
    kept = np.asarray(saved[name])
    crafted = [kept.astype(np.complex64), kept.astype("U9"), kept[..., None]]
    if kept.itemsize > 1:
        crafted.append(kept.astype(kept.dtype.newbyteorder()))
    for odd in crafted:
        with pytest.raises(ValueError, match=rf"^saved replay: [^\n]*{name}[^\n]*$"):
            replay.load_state_dict(saved | {name: odd})
