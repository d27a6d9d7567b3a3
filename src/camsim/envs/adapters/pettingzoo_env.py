"""PettingZoo's view of the world: every camera, every target or all of them are agents."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, overload

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec

from camsim.arrays import Floats, Ints
from camsim.bounds import shortened
from camsim.envs.adapters.agent_group import ActionSpace, AgentGroup, state_space
from camsim.envs.adapters.construction import ScenarioLike, resolve_settings, start_episodes
from camsim.envs.adapters.infos import group_information
from camsim.envs.adapters.renderer import RENDER_FPS, RENDER_MODES, Screen
from camsim.envs.message_board import CAMERA, TARGET, Mail, Message, MessageBoard
from camsim.envs.team_env import TeamEnv, TeamOptions, TeamOutput

__all__ = ["MateParallelEnv", "env", "parallel_env"]

Obs = NDArray[np.floating]
_TEAMS = {"camera": CAMERA, "target": TARGET}
Infos = dict[str, dict[str, Any]]  # values: numbers, arrays and lists of messages
Step = tuple[dict[str, Obs], dict[str, float], dict[str, bool], dict[str, bool], Infos]


class MateParallelEnv(ParallelEnv[str, Obs, ArrayLike]):  # type: ignore[misc, unused-ignore]
    """One world whose cameras, targets or both are agents: `camera_0`, ..., `target_0`, ...

    The order of agents is the order of entities in observations. Actions are arrays [2] (cameras:
    turn and zoom in degrees; targets: displacement), or integers if the options set action levels.
    """

    metadata = {  # noqa: RUF012 (PettingZoo declares it so)
        "name": "mate_v0",
        "render_modes": list(RENDER_MODES),
        "render_fps": RENDER_FPS,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        scenario: ScenarioLike = "MATE-4v4-9",
        team: str = "camera",
        options: TeamOptions | None = None,
        *,
        render_mode: str | None = None,
        more_information: bool = False,
        **keywords: Any,  # checked by resolve_settings
    ) -> None:
        """Build the world; call `reset` before the first step.

        Args:
            scenario: a scenario, a preset's name or a file's path.
            team: camera, target or both; a rule plays the other team.
            options: see `TeamOptions`; which team is driven follows from `team`.
            render_mode: None, rgb_array or human.
            more_information: fill infos with the true state as well (world 9.3).
            keywords: fields of `TeamOptions` and keys of the scenario to change. With
                `max_episode_steps=k` step number k truncates the episode.

        Raises:
            ValueError: a setting is unknown or not allowed.
        """
        settings = resolve_settings(scenario, team, options, keywords)
        self.team_env = TeamEnv(settings.scenario, replace(settings.options, auto_reset=False), 1)
        self._groups = [AgentGroup(self.team_env, name) for name in settings.groups]
        self.possible_agents = [agent for group in self._groups for agent in group.agents]
        self.agents: list[str] = []
        self.observation_spaces = {
            agent: group.observation_space() for group in self._groups for agent in group.agents
        }
        self.action_spaces = {
            agent: group.action_space() for group in self._groups for agent in group.agents
        }
        self.state_space = state_space(self.team_env)
        self.more_information = more_information
        self.render_mode = render_mode
        self._screen = Screen(render_mode, settings.scenario.name or "MATE")
        self._started = False
        options = settings.options
        self.board = MessageBoard(
            settings.scenario.n_cameras,
            settings.scenario.n_targets,
            links=(options.camera_link, options.target_link),
        )

    def observation_space(self, agent: str) -> spaces.Box:
        """Return the agent's observation space, the same object at each call."""
        space: spaces.Box = self.observation_spaces[agent]
        return space

    def action_space(self, agent: str) -> ActionSpace:
        """Return the agent's action space, the same object at each call."""
        space: ActionSpace = self.action_spaces[agent]
        return space

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Obs], Infos]:
        """Start an episode; return observations and infos of all agents.

        Args:
            seed: fixes this episode and those that follow without a seed. Without any seed the
                first episode is random.
            options: accepted for PettingZoo's sake, without effect.

        Raises:
            ValueError: the seed is negative, no integer or above 64 bits.
        """
        if seed is None and not self._started:
            seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
        out = start_episodes(self.team_env, [seed])
        if seed is not None:
            self.board.rng = np.random.default_rng(seed)
        self.board.reset()
        self._started = True
        self.agents = list(self.possible_agents)
        self._screen.start(self.team_env)
        self._place()
        return self._observations(out), self._infos(None)

    def step(self, actions: dict[str, ArrayLike]) -> Step:
        """Advance the world by one frame.

        Returns observations, rewards, terminations, truncations and infos of the agents that took
        part in the frame. Agents whose part is over leave `agents`; with
        `target_done_at_destination` a target leaves with its first delivery and stands still.

        Raises:
            ValueError: an agent's action is missing or not allowed, or `reset` was never called.
        """
        if not self._started:
            raise ValueError("step before the first reset")
        if not self.agents:
            return {}, {}, {}, {}, {}
        out = self.team_env.step(**{s.argument: self._joint(s, actions) for s in self._groups})
        mail = self.board.end_frame()
        self._screen.follow(self.team_env, mail.edges)
        self._place()
        live = set(self.agents)
        rewards = self._pick(live, [group.reward(out)[0].tolist() for group in self._groups])
        terminations = self._pick(live, [self._terminated(s, out) for s in self._groups])
        truncated = bool(out.truncated[0])
        truncations = {agent: truncated and not done for agent, done in terminations.items()}
        observations = {a: obs for a, obs in self._observations(out).items() if a in live}
        infos = {agent: info for agent, info in self._infos(mail).items() if agent in live}
        self.agents = [a for a in self.agents if not (terminations[a] or truncations[a])]
        return observations, rewards, terminations, truncations, infos

    def send_messages(self, messages: Message | Iterable[Message]) -> None:
        """Send messages to teammates, who can receive them at once and until the next step.

        Every message also stands in its recipient's `infos[...]["messages"]` after that step. The
        options' `camera_link` and `target_link` limit what arrives.

        Raises:
            ValueError: messages of different teams, of a scripted team, or to nobody.
        """
        given = [messages] if isinstance(messages, Message) else list(messages)
        driven = [_TEAMS[group.name] for group in self._groups]
        for message in given:
            if message.team not in driven:
                raise ValueError(f"message of team {message.team}; expected one of {driven}")
        self.board.send(given)

    @overload
    def receive_messages(self, agent: str) -> list[Message]: ...
    @overload
    def receive_messages(self, agent: None = None) -> dict[str, list[Message]]: ...
    def receive_messages(
        self, agent: str | None = None
    ) -> list[Message] | dict[str, list[Message]]:
        """Return what an agent has not received yet, in sending order.

        Args:
            agent: whose; None: everybody's, as a dictionary.

        Raises:
            ValueError: there is no such agent.
        """
        if agent is None:
            return {name: self.receive_messages(name) for name in self.possible_agents}
        return self.board.receive(*self._team_of(agent))

    def state(self) -> Obs:
        """Return a copy of the global state [S] (world 7.4)."""
        state: Obs = self.team_env.output.state[0].copy()
        return state

    def render(self) -> NDArray[np.uint8] | None:
        """Return a picture [H, W, 3] in mode rgb_array; show it in mode human."""
        return self._screen.render()

    def close(self) -> None:
        """Close the window if there is one."""
        self._screen.close()

    def _joint(self, group: AgentGroup, actions: dict[str, ArrayLike]) -> Floats | Ints:
        """Return the joint action of a team; members that are not in play stand still."""
        joint = group.idle_actions()
        for k, agent in enumerate(group.agents):
            if agent not in self.agents:
                continue
            if actions.get(agent) is None:
                raise ValueError(f"actions lack {agent}; expected one for each of agents")
            joint[0, k] = group.checked_action(agent, actions[agent])
        return joint

    def _terminated(self, group: AgentGroup, out: TeamOutput) -> list[bool]:
        over = np.full(group.count, out.terminated[0])
        if group.name == "target" and self.team_env.options.target_done_at_destination:
            over |= out.target_done[0]
        done: list[bool] = over.tolist()
        return done

    def _pick(self, live: set[str], parts: list[list[Any]]) -> dict[str, Any]:
        """Return values of the agents in `live`; parts: one list per team."""
        values = [value for part in parts for value in part]
        return {a: v for a, v in zip(self.possible_agents, values, strict=True) if a in live}

    def _observations(self, out: TeamOutput) -> dict[str, Obs]:
        rows = [row for group in self._groups for row in group.obs(out)[0].copy()]
        return dict(zip(self.possible_agents, rows, strict=True))

    def _infos(self, mail: Mail | None) -> Infos:
        return {
            agent: info
            for group in self._groups
            for agent, info in zip(group.agents, self._team_infos(group, mail), strict=True)
        }

    def _team_infos(self, group: AgentGroup, mail: Mail | None) -> list[dict[str, Any]]:
        """Return one info dictionary for each member; no two of them share an array or a list."""
        shared, own = group_information(self.team_env, group.name, self.more_information)
        numbers = {key: value.item() for key, value in shared.items() if value.ndim == 1}
        arrays = {key: value[0] for key, value in shared.items() if value.ndim > 1}
        mails = _mails(mail, _TEAMS[group.name], group.count)
        return [
            numbers
            | {key: value.copy() for key, value in arrays.items()}
            | {key: _plain(value[0, k]) for key, value in own.items()}
            | mails[k]
            for k in range(group.count)
        ]

    def _place(self) -> None:
        """Tell the board where everybody is."""
        view = self.team_env.sim.view
        self.board.place(view.cameras.xy[0], view.targets.xy[0])

    def _team_of(self, agent: str) -> tuple[int, int]:
        if agent not in self.possible_agents:
            raise ValueError(f"agent = {shortened(agent)}; expected one of possible_agents")
        name, _, index = agent.rpartition("_")
        return _TEAMS[name], int(index)


def _mails(mail: Mail | None, team: int, count: int) -> list[dict[str, Any]]:
    """Return what the infos of a team say of messages; at a reset there are none yet."""
    if mail is None:
        boxes: list[list[Message]] = [[] for _ in range(count)]
        sent = received = [0] * count
    else:
        boxes = [list(messages) for messages in mail.messages[team]]
        sent, received = (mail.edges[team].sum(axis=axis).tolist() for axis in (1, 0))
    return [
        {
            "messages": boxes[k],
            "out_communication_edges": sent[k],
            "in_communication_edges": received[k],
        }
        for k in range(count)
    ]


def _plain(value: Any) -> Any:  # what indexing an array gives: a number or an array
    """Return numbers as Python's own, arrays as copies."""
    return value.copy() if isinstance(value, np.ndarray) else value.item()


def parallel_env(*, max_cycles: int | None = None, **keywords: Any) -> MateParallelEnv:
    """Return a `MateParallelEnv`; `max_cycles` is PettingZoo's word for `max_episode_steps`."""
    return MateParallelEnv(**keywords, max_episode_steps=max_cycles)


def env(*, max_cycles: int | None = None, **keywords: Any) -> AECEnv[str, Obs, ArrayLike | None]:
    """Return the same world with agents that act one after another within a frame."""
    return parallel_to_aec(parallel_env(max_cycles=max_cycles, **keywords))
