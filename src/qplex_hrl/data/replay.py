"""Sequence replay: a preallocated ring of decisions that gives training windows.

Shape letters as in ``types``. A row is one decision in time of all N environments: n rows of a
chunk, K rows of the ring. W = burn_in + sequence_length is the number of decisions of a window.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from qplex_hrl.storage.stored_values import NotFiniteError
from qplex_hrl.types import SequenceBatch

_MOST_WRITTEN = 10**15  # rows; more than any training has
_Scalar = TypeVar("_Scalar", bound=np.generic)


class ReplaySizes(NamedTuple):
    """Sizes of everything that is stored for one decision of one environment."""

    n_envs: int
    n_agents: int
    n_actions: int
    obs_size: int
    state_size: int
    recurrent_size: int


_FLOATS = ("obs", "state", "reward", "difference_reward", "recurrent_state")


class DecisionChunk(NamedTuple):
    """Consecutive decisions of all environments, in the storage formats of the replay.

    ``obs``, ``state``, ``avail_actions`` and ``recurrent_state`` are what the cameras had *before*
    the decision; ``reward``, ``difference_reward`` and the flags are what came of it.
    """

    obs: NDArray[np.float16]  # [n, N, C, D]
    state: NDArray[np.float16]  # [n, N, S]
    avail_actions: NDArray[np.bool_]  # [n, N, C, U]
    actions: NDArray[np.int64]  # [n, N, C]
    reward: NDArray[np.float32]  # [n, N]
    difference_reward: NDArray[np.float32]  # [n, N, C]
    terminated: NDArray[np.bool_]  # [n, N]
    truncated: NDArray[np.bool_]  # [n, N]
    decision_index: NDArray[np.int64]  # [n, N], 0 at an episode's first decision
    recurrent_state: NDArray[np.float16]  # [n, N, C, R]


def allocate_chunk(n_decisions: int, sizes: ReplaySizes) -> DecisionChunk:
    """Return a zeroed chunk of ``n_decisions`` rows."""
    shape = (n_decisions, sizes.n_envs)
    per_camera = (*shape, sizes.n_agents)
    return DecisionChunk(
        obs=np.zeros((*per_camera, sizes.obs_size), np.float16),
        state=np.zeros((*shape, sizes.state_size), np.float16),
        avail_actions=np.zeros((*per_camera, sizes.n_actions), np.bool_),
        actions=np.zeros(per_camera, np.int64),
        reward=np.zeros(shape, np.float32),
        difference_reward=np.zeros(per_camera, np.float32),
        terminated=np.zeros(shape, np.bool_),
        truncated=np.zeros(shape, np.bool_),
        decision_index=np.zeros(shape, np.int64),
        recurrent_state=np.zeros((*per_camera, sizes.recurrent_size), np.float16),
    )


def decision_bytes(sizes: ReplaySizes) -> int:
    """Return the memory that one stored decision of one environment takes."""
    one = allocate_chunk(1, sizes._replace(n_envs=1))
    return sum(array.nbytes for array in one)


class ReplayBuffer:
    """Ring over [time, environment] that samples windows of W decisions and a bootstrap frame.

    A window lies in consecutive rows of one environment and never spans the write head. What
    follows an episode's end inside a window is padding: zeros, ``filled`` false, only action 0
    available.

    The environments reset by themselves, so the frame after a truncated episode is not stored. The
    last decision of such an episode is therefore not filled. Its observation is the bootstrap frame
    of the decision before it.

    A window may also start up to ``burn_in`` decisions before its episode, so that an episode's
    first decisions are trained on like all others. The frames before the episode are padding as
    well, whatever their rows hold, and the recurrent state of such a window is zero.
    """

    def __init__(
        self,
        sizes: ReplaySizes,
        *,
        capacity: int,
        sequence_length: int,
        burn_in: int,
        rng: np.random.Generator,
    ) -> None:
        """Allocate the ring.

        Args:
            sizes: sizes of one decision.
            capacity: decisions kept, all environments together.
            sequence_length: decisions of a window that are trained on.
            burn_in: decisions before them that only warm the recurrent state.
            rng: draws the windows.

        Raises:
            ValueError: the ring could not hold a single window per environment.
        """
        self.window = burn_in + sequence_length
        self._burn_in = burn_in
        self._sizes = sizes
        self._rng = rng
        self._rows = capacity // sizes.n_envs
        if self._rows <= self.window:
            smallest = (self.window + 1) * sizes.n_envs
            msg = (
                f"training.buffer_size = {capacity} is too small: {sizes.n_envs} environments and "
                f"windows of {self.window} decisions need at least {smallest}"
            )
            raise ValueError(msg)
        self._ring = allocate_chunk(self._rows, sizes)
        self._paddings = range(min(burn_in, self.window - 1) + 1)  # frames before a start
        self._startable = np.zeros((len(self._paddings), self._rows, sizes.n_envs), np.bool_)
        self._starts = np.zeros(0, np.int64)
        self._written = 0

    def __len__(self) -> int:
        """Return the number of decisions held, all environments together."""
        return min(self._written, self._rows) * self._sizes.n_envs

    @property
    def n_windows(self) -> int:
        """Number of different windows that can be drawn now."""
        return int(self._starts.size)

    def make_room(self, n_decisions: int) -> None:
        """Get the memory of the rows that come next, if the ring has never been full.

        The system hands out memory when it is first written, which can take longer than the writing
        does. Nothing that ``sample`` reads is touched, so another thread may do this.

        Args:
            n_decisions: rows of the chunk that comes next.
        """
        for array in self._ring:
            array[self._written : self._written + n_decisions] = 0

    def add(self, chunk: DecisionChunk) -> None:
        """Append a chunk, over the oldest rows once the ring is full.

        Raises:
            ValueError: the chunk has more rows than the ring, or other shapes.
            NotFiniteError: the environments gave numbers that are not finite; nothing is stored.
        """
        n = chunk.reward.shape[0]
        if n > self._rows:
            msg = f"a chunk of {n} decisions does not fit into a ring of {self._rows}"
            raise ValueError(msg)
        for name in _FLOATS:
            if not _is_finite(getattr(chunk, name)):
                raise NotFiniteError(f"the environments give {name} that is not finite")
        rows = (self._written + np.arange(n)) % self._rows
        for name, kept in self._ring._asdict().items():
            new = getattr(chunk, name)
            if new.shape[1:] != kept.shape[1:]:
                msg = f"chunk.{name} has shape {new.shape}, expected [n, {kept.shape[1:]}]"
                raise ValueError(msg)
            kept[rows] = new
        before = self._written
        self._written += n
        self._update_starts(before)

    def sample(self, batch_size: int, device: torch.device) -> SequenceBatch:
        """Return ``batch_size`` windows drawn uniformly, with replacement, on ``device``.

        Raises:
            ValueError: there is no complete window yet (see ``n_windows``).
        """
        if self._starts.size == 0:
            msg = "the replay holds no complete window yet"
            raise ValueError(msg)
        starts = self._starts[self._rng.integers(self._starts.size, size=batch_size)]
        return self._windows(starts, device)

    def _windows(self, starts: NDArray[np.int64], device: torch.device) -> SequenceBatch:
        """Return the windows ``starts`` [B], flat positions in ``_startable``."""
        which, row, env = np.unravel_index(starts, self._startable.shape)
        padding = which[:, None]  # [B, 1]
        frames = np.arange(self.window + 1)
        rows = (row[:, None] - padding + frames) % self._rows
        flat = rows * self._sizes.n_envs + env[:, None]  # [B, W+1]
        decisions = flat[:, :-1]

        inside = frames >= padding  # frame belongs to the window's episode
        terminated = _take(self._ring.terminated, decisions) & inside[:, :-1]
        truncated = _take(self._ring.truncated, decisions) & inside[:, :-1] & ~terminated
        inside[:, 1:] &= ~np.logical_or.accumulate(terminated | truncated, axis=1)
        outside = ~inside

        obs = _take(self._ring.obs, flat.T)  # time first, as the networks want it
        obs[outside.T] = 0
        state = _take(self._ring.state, flat)
        state[outside] = 0
        avail_actions = _take(self._ring.avail_actions, flat)
        avail_actions[outside] = False
        avail_actions[outside, :, 0] = True
        actions = _take(self._ring.actions, decisions)
        actions[outside[:, :-1]] = 0
        reward = np.where(inside[:, :-1], _take(self._ring.reward, decisions), np.float32(0))
        difference_reward = _take(self._ring.difference_reward, decisions)
        difference_reward[outside[:, :-1]] = 0
        recurrent_state = _take(self._ring.recurrent_state, flat[:, 0])
        recurrent_state[outside[:, 0]] = 0

        def tensor(array: NDArray[np.generic]) -> torch.Tensor:
            return torch.from_numpy(array).to(device)

        return SequenceBatch(
            obs=tensor(obs).transpose(0, 1),
            state=tensor(state).to(torch.float32),
            avail_actions=tensor(avail_actions),
            actions=tensor(actions),
            reward=tensor(reward),
            difference_reward=tensor(difference_reward),
            terminated=tensor(terminated & inside[:, :-1]),
            truncated=tensor(truncated & inside[:, :-1]),
            filled=tensor(inside[:, :-1] & ~truncated),
            hidden_state=tensor(recurrent_state).to(torch.float32),
        )

    def _update_starts(self, before: int) -> None:
        """Find the rows at which windows start, after the row count rose from ``before``."""
        head = self._written
        for padding, startable in zip(self._paddings, self._startable, strict=True):
            needed = self.window - padding  # rows of the window that are read
            # Rows whose window has just become complete.
            first = max(0, before - needed, head - self._rows)
            complete = np.arange(first, max(first, head - needed))
            if complete.size:
                startable[complete % self._rows] = self._is_start(complete, padding)
            # The newest rows have no complete window yet: it would run over the write head.
            open_rows = np.arange(max(0, head - needed), head)
            startable[open_rows % self._rows] = False
        self._starts = np.flatnonzero(self._startable)

    def _is_start(self, rows: NDArray[np.int64], padding: int) -> NDArray[np.bool_]:
        """Tell [n, N] which ``rows`` may be the first after ``padding`` frames of a window.

        With padding such a row is an episode's first decision. The burn-in must not end the
        episode, and the first decision after it must be filled.
        """
        ring = self._ring
        index = ring.decision_index[rows % self._rows]
        good: NDArray[np.bool_] = (index == 0) | (padding == 0)
        warm = max(self._burn_in - padding, 0)
        first_trained = (rows + warm) % self._rows
        good &= ring.terminated[first_trained] | ~ring.truncated[first_trained]
        for offset in range(warm):
            row = (rows + offset) % self._rows
            good &= ~(ring.terminated[row] | ring.truncated[row])
        return good

    def state_dict(self) -> dict[str, NDArray[np.generic]]:
        """Return plain arrays that continue the buffer exactly (views, not copies)."""
        used = min(self._written, self._rows)
        arrays: dict[str, NDArray[np.generic]] = {
            name: array[:used] for name, array in self._ring._asdict().items()
        }
        arrays["written"] = np.array(self._written, np.int64)
        return arrays

    def load_state_dict(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore what ``state_dict`` gave.

        Raises:
            ValueError: an array is missing, or was written with other sizes.
        """
        missing = {*self._ring._fields, "written"} - set(arrays)
        if missing:
            msg = f"saved replay lacks {', '.join(sorted(missing))}"
            raise ValueError(msg)
        if arrays["written"].shape != () or arrays["written"].dtype != np.int64:
            raise ValueError("saved replay: written is no single count")
        written = int(arrays["written"])
        if not 0 <= written <= _MOST_WRITTEN:
            raise ValueError(f"saved replay: written is {written}; expected 0 to {_MOST_WRITTEN}")
        used = min(written, self._rows)
        for name, kept in self._ring._asdict().items():
            if arrays[name].shape != (used, *kept.shape[1:]):
                msg = (
                    f"saved replay: {name} has shape {arrays[name].shape}, "
                    f"this configuration needs {(used, *kept.shape[1:])}"
                )
                raise ValueError(msg)
            if arrays[name].dtype != kept.dtype:
                raise ValueError(
                    f"saved replay: {name} is of {arrays[name].dtype}; expected {kept.dtype}"
                )
        _check_rows(arrays)
        for name, kept in self._ring._asdict().items():
            kept[:used] = arrays[name]
        self._written = written
        self._startable[:] = False
        self._update_starts(max(0, written - self._rows))


def _check_rows(rows: Mapping[str, NDArray[Any]]) -> None:
    """Check stored decisions: the networks and the windows' positions trust them.

    Raises:
        ValueError: a number is not finite, or an action was not available; one line.
    """
    for name in DecisionChunk._fields:
        for block in rows[name]:  # one row at a time: a replay may be as large as memory
            if block.dtype.kind == "f" and not bool(np.isfinite(block).all()):
                raise ValueError(f"saved replay: {name} holds numbers that are not finite")
            if block.dtype.kind == "b" and bool((block.view(np.uint8) > 1).any()):
                raise ValueError(f"saved replay: {name} holds other than true and false")
    n_actions = rows["avail_actions"].shape[-1]
    if bool(((rows["actions"] < 0) | (rows["actions"] >= n_actions)).any()):
        raise ValueError(f"saved replay: actions are not all from 0 to {n_actions - 1}")
    chosen = np.take_along_axis(rows["avail_actions"], rows["actions"][..., None], axis=-1)
    if not bool(chosen.all()):
        raise ValueError("saved replay: actions hold one that was not available")
    if bool((rows["decision_index"] < 0).any()):
        raise ValueError("saved replay: decision_index holds a negative number")


def _is_finite(values: NDArray[np.floating[Any]]) -> bool:
    """Return whether all numbers are; by their exponents, ten times faster for float16."""
    if values.dtype == np.float16:
        return not bool(((values.view(np.uint16) & 0x7C00) == 0x7C00).any())
    return bool(np.isfinite(values).all())


def _take(ring: NDArray[_Scalar], flat: NDArray[np.int64]) -> NDArray[_Scalar]:
    """Return ``ring`` [K, N, ...] at flat positions [...]: a fresh array [..., rest of the shape].

    Rows are gathered as one-dimensional blocks, several times faster than indexing two axes.
    """
    blocks = ring.reshape(ring.shape[0] * ring.shape[1], -1)
    return blocks.take(flat.ravel(), axis=0).reshape(*flat.shape, *ring.shape[2:])
