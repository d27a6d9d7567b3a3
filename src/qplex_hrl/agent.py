"""The acting side of a model: epsilon-greedy cameras of N environments, their memory and clocks."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from camcontrol.selection_env import React
from qplex_hrl.model import CameraNetwork
from qplex_hrl.networks.reaction import HeldPlan
from qplex_hrl.sharding import Shard, draw_shard
from qplex_hrl.storage.stored_values import NotFiniteError, check_tensor
from qplex_hrl.types import AgentOutput


class Agent:
    """Chooses actions for the cameras of N environments with its own copy of the network.

    Everything an environment's cameras remember is a row here: recurrent state [N, C, R] and the
    index of the next decision in the episode [N]. A decision takes the same amount of numbers from
    the generator for any epsilon, so a schedule does not shift the random stream.

    ``act`` decides on the slow clock. Within a decision ``reaction`` may replace actions on the
    fast one. A deviation by exploration is one more action in force: it lasts until the end, or
    until replaced.
    """

    def __init__(
        self,
        network: CameraNetwork,
        *,
        n_envs: int,
        n_agents: int,
        rng: np.random.Generator,
        device: torch.device,
        shard: Shard | None = None,
        decision_frames: int | None = None,
    ) -> None:
        """Copy the network and start every environment at an episode's first decision.

        Args:
            network: the acting part of a model.
            n_envs: environments N acted for at once.
            n_agents: cameras C.
            rng: explores; never touched by ``load_weights``.
            device: where the copy acts.
            shard: of a larger team of environments that these N are: what they draw from ``rng`` is
                then what they would draw among all; the N are all if None.
            decision_frames: frames of a decision, within which cameras with a fast level react;
                None: they hold their actions.
        """
        self._shard = Shard(0, n_envs, n_envs) if shard is None else shard
        self._network = copy.deepcopy(network).to(device).eval().requires_grad_(False)
        self._rng = rng
        self._device = device
        self._hidden_state = torch.zeros((n_envs, n_agents, network.recurrent_size), device=device)
        self._decision_frames = decision_frames
        self._reaction = None if decision_frames is None else self._network.reaction
        self._held: HeldPlan | None = None
        self._output: AgentOutput | None = None
        self._actions = np.zeros((n_envs, n_agents), np.int64)
        self._decision_index = np.zeros(n_envs, np.int64)

    @property
    def decision_index(self) -> NDArray[np.int64]:
        """[N] int64: index in the episode of the decision that comes next."""
        return self._decision_index.copy()

    @property
    def recurrent_state(self) -> torch.Tensor:
        """[N, C, R] float32: the memory before the next decision."""
        return self._hidden_state

    @property
    def last_output(self) -> AgentOutput:
        """What the network said at the last decision, without the axis L; there must be one."""
        assert self._output is not None, "act first"
        return self._output

    @property
    def reaction(self) -> React | None:
        """Replaces actions within a decision, for ``SelectionEnv.step``; None: nobody does."""
        return None if self._reaction is None else self._react

    def load_weights(self, network: nn.Module | Mapping[str, torch.Tensor]) -> None:
        """Copy the parameters of ``network``, which has the same architecture, or its state."""
        state = network.state_dict() if isinstance(network, nn.Module) else network
        self._network.load_state_dict(state)

    @torch.no_grad()
    def act(
        self, obs: NDArray[np.float32], avail_actions: NDArray[np.bool_], epsilon: float = 0.0
    ) -> NDArray[np.int64]:
        """Return the actions [N, C] int64 of this decision and advance memory and clock.

        Args:
            obs: [N, C, D] float32.
            avail_actions: [N, C, U] bool, at least one true per camera.
            epsilon: probability with which a camera takes a uniformly drawn available action.

        Raises:
            NotFiniteError: the network's values are not: NaN would seem to be the best.
        """
        inputs = torch.from_numpy(obs).to(self._device)
        output = self._network.step(
            inputs, torch.from_numpy(avail_actions).to(self._device), self._hidden_state
        )
        self._output = output
        self._hidden_state = output.hidden_state
        self._decision_index += 1
        if self._reaction is not None:
            self._held = self._reaction.hold(inputs.flatten(0, 1), output.q_values.flatten(0, 1))
        best = output.q_values.argmax(dim=-1)
        values = output.q_values.gather(-1, best.unsqueeze(-1)).cpu().numpy()
        if not np.isfinite(values).all():
            raise NotFiniteError("the cameras' values of their actions are not finite")
        greedy = best.cpu().numpy()
        self._actions = self._explore(greedy, avail_actions, epsilon)
        return self._actions

    @torch.no_grad()
    def _react(
        self, glance: NDArray[np.float32], avail_actions: NDArray[np.bool_], frame: int
    ) -> NDArray[np.int64]:
        """Return the actions [N, C] int64 from `frame` of the decision on; see ``React``."""
        network = self._reaction
        assert network is not None, "cameras that do not react"
        assert self._decision_frames is not None
        assert self._held is not None, "act first"
        actions = torch.from_numpy(self._actions).flatten().to(self._device)
        available = torch.from_numpy(avail_actions).flatten(0, 1).to(self._device)
        advantages = network(
            torch.from_numpy(glance).flatten(0, 1).to(self._device),
            self._held,
            actions,
            frame / self._decision_frames,
        ).masked_fill_(~available, -torch.inf)
        best, better = advantages.max(dim=-1)  # keeping is worth 0, available or not
        replaced = torch.where(best > network.margin, better, actions)
        self._actions = replaced.view(self._actions.shape).cpu().numpy()
        return self._actions

    def _explore(
        self, greedy: NDArray[np.int64], avail_actions: NDArray[np.bool_], epsilon: float
    ) -> NDArray[np.int64]:
        """Return ``greedy`` [N, C] with uniformly drawn available actions at a rate of epsilon."""
        gamble, choice = draw_shard(self._rng, (2, greedy.shape[1]), self._shard)
        explores = gamble < epsilon
        order = avail_actions[explores].cumsum(axis=-1)  # the k-th available action is the first k
        wanted = (choice[explores] * order[:, -1]).astype(np.int64) + 1
        actions = greedy.copy()
        actions[explores] = (order >= wanted[:, None]).argmax(axis=-1)
        return actions

    def reset_rows(self, ended: NDArray[np.bool_]) -> None:
        """Forget everything in the environments where ``ended`` [N] is true: a new episode."""
        if ended.any():
            self._hidden_state[torch.from_numpy(ended).to(self._device)] = 0.0
            self._decision_index[ended] = 0

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return memory and clock; weights and random state belong to who passed them in."""
        return {
            "hidden_state": self._hidden_state.clone(),
            "decision_index": torch.from_numpy(self._decision_index.copy()),
        }

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Restore what ``state_dict`` gave.

        Raises:
            ValueError: it was written with another number of environments, cameras or units.
        """
        hidden_state, clock = state.get("hidden_state"), state.get("decision_index")
        if not isinstance(hidden_state, torch.Tensor) or not isinstance(clock, torch.Tensor):
            raise ValueError("saved agent memory lacks hidden_state or decision_index")
        if hidden_state.shape != self._hidden_state.shape:
            msg = (
                f"saved agent memory has shape {tuple(hidden_state.shape)}, "
                f"this configuration needs {tuple(self._hidden_state.shape)}"
            )
            raise ValueError(msg)
        check_tensor(hidden_state, self._hidden_state, "agent.hidden_state")
        check_tensor(clock, torch.from_numpy(self._decision_index), "agent.decision_index")
        if bool((clock < 0).any()):
            raise ValueError("agent.decision_index holds a negative number")
        self._hidden_state = hidden_state.to(self._device).clone()
        self._decision_index = clock.numpy().copy()
