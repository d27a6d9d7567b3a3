"""Messages between agents that Python code drives: one board per environment (world 10, 9.10)."""

import copy
import heapq
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camsim.bounds import NumberRange, is_whole, shortened
from camsim.scripted.spec import Link, target_rules

CAMERA, TARGET = 0, 1
"""Values of `Message.team`."""
_NAMES = ("camera", "target")
_TEAM_SIZE = NumberRange(0, 1000)  # agents; messages are counted for every two of them

Edges = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Numbers of messages from -> to: among cameras [C, C], among targets [T, T]."""


@dataclass(frozen=True)
class Message:
    """One message within a team."""

    sender: int
    recipient: int | None  # None: everybody in the team, the sender included
    content: Any  # whatever the agents agree on
    team: int  # CAMERA or TARGET
    broadcasting: bool = False  # it was sent to everybody


Inbox = list[list[Message]]
"""Messages of each member of a team."""
MessageFilter = Callable[[Message], Message | None]
"""Returns the message to deliver, perhaps another one, or None to drop it."""
MessageDelay = Callable[[Message], int]
"""Returns the frames until a message arrives."""


class Mail(NamedTuple):
    """What went through the board in one frame."""

    messages: tuple[Inbox, Inbox]  # by recipient: cameras', targets'
    edges: Edges


class MessageBoard:
    """Routes messages of both teams in one environment.

    Messages arrive at once: what is sent before a step can be received before its actions.
    A message passes, in this order: expansion of broadcasts, the filter, the team's link (silence,
    reach, dropout) and last the delay. All but the delay judge it when it is sent.
    """

    def __init__(
        self,
        n_cameras: int,
        n_targets: int,
        *,
        links: tuple[Link, Link] | None = None,
        message_filter: MessageFilter | None = None,
        delay: MessageDelay | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        """Make an empty board.

        Args:
            n_cameras: C.
            n_targets: T.
            links: limits of the cameras' and of the targets' communication; none if None.
            message_filter: sees every message after broadcasts are expanded.
            delay: frames until a message arrives, instead of the links' delays.
            rng: decides which messages get lost; a fresh generator with seed 0 if None.

        Raises:
            ValueError: a number of agents or of a link is out of range.
        """
        _TEAM_SIZE.check("n_cameras", n_cameras)
        _TEAM_SIZE.check("n_targets", n_targets)
        self.sizes = (n_cameras, n_targets)
        self.links = (Link(), Link()) if links is None else links
        for link in self.links:
            target_rules(link=link)  # checks the numbers
        self.message_filter, self.delay = message_filter, delay
        self.rng = rng or np.random.default_rng(0)
        self._places: list[NDArray[np.float64] | None] = [None, None]
        self.reset()

    def reset(self) -> None:
        """Forget everything, also messages under way and the totals, and start the clock at 0."""
        self.frame = 0
        self._order = 0  # of messages with equal due times
        self._queues: tuple[Inbox, Inbox] = self._empty()
        self._buffers: tuple[Inbox, Inbox] = self._empty()
        self._delayed: tuple[list[tuple[float, int, Message]], ...] = ([], [])
        self.edges: Edges = self._no_edges()
        """Messages of this frame, from -> to."""
        self.total_edges: Edges = self._no_edges()
        """Messages of the episode's finished frames, from -> to."""

    def place(self, camera_xy: ArrayLike, target_xy: ArrayLike) -> None:
        """Say where cameras [C, 2] and targets [T, 2] are: a limited reach needs it.

        Raises:
            ValueError: a shape is wrong, or something is no finite number.
        """
        for team, xy in enumerate((camera_xy, target_xy)):
            places, expected = _numbers(f"{_NAMES[team]}_xy", xy), (self.sizes[team], 2)
            if places.shape != expected:
                name = f"{_NAMES[team]}_xy"
                raise ValueError(f"{name} has shape {places.shape}; expected {expected}")
            self._places[team] = places.copy()

    def send(self, messages: Message | Iterable[Message]) -> None:
        """Send messages of one team; those without delay arrive at once.

        Raises:
            ValueError: one is no message, teams are mixed, an agent or positions are missing.
        """
        given = [messages] if isinstance(messages, Message) else list(messages)
        for message in given:
            if not isinstance(message, Message):
                raise ValueError(f"a message is of type {type(message).__name__}; expected Message")
            self._check(message, given[0].team)
        for message in given:
            for copied in self._expanded(message):
                self._route(copied)

    def receive(self, team: int, index: int) -> list[Message]:
        """Return what agent `index` of `team` has not received yet, in sending order.

        Raises:
            ValueError: there is no such agent.
        """
        self._check_agent("agent", team, index)
        found, self._queues[team][index] = self._queues[team][index], []
        return found

    def receive_all(self) -> tuple[Inbox, Inbox]:
        """Return what nobody has received yet: cameras' and targets'."""
        found, self._queues = self._queues, self._empty()
        return found

    def buffered(self, team: int) -> Inbox:
        """Return all messages of this frame to members of `team`, received or not."""
        return [list(messages) for messages in self._buffers[team]]

    def end_frame(self) -> Mail:
        """Finish a frame after the world's step: return its messages and edges, forget them.

        What was not received is lost, but stands in the result. Then delayed messages that are
        due arrive, for the next frame.
        """
        mail = Mail(self._buffers, self.edges)
        for total, edges in zip(self.total_edges, self.edges, strict=True):
            total += edges
        self._queues, self._buffers = self._empty(), self._empty()
        self.edges = self._no_edges()
        self.frame += 1
        for waiting in self._delayed:
            while waiting and waiting[0][0] <= self.frame:
                self._deliver(heapq.heappop(waiting)[2])
        return mail

    def _empty(self) -> tuple[Inbox, Inbox]:
        cameras, targets = self.sizes
        return [[] for _ in range(cameras)], [[] for _ in range(targets)]

    def _no_edges(self) -> Edges:
        cameras, targets = self.sizes
        return np.zeros((cameras, cameras), np.int64), np.zeros((targets, targets), np.int64)

    def _check_agent(self, role: str, team: int, index: int) -> None:
        if not is_whole(team) or team not in (CAMERA, TARGET):
            told = f"expected {CAMERA} (camera) or {TARGET} (target)"
            raise ValueError(f"team = {shortened(team)}; {told}")
        if not is_whole(index) or not 0 <= index < self.sizes[team]:
            allowed = f"0 to {self.sizes[team] - 1}"
            raise ValueError(f"{role} = {shortened(index)}; expected a {_NAMES[team]}: {allowed}")

    def _check(self, message: Message, team: int) -> None:
        self._check_agent("sender", message.team, message.sender)
        if message.recipient is not None:
            self._check_agent("recipient", message.team, message.recipient)
        if message.team != team:
            raise ValueError("messages of both teams in one call; expected messages of one team")

    def _expanded(self, message: Message) -> list[Message]:
        """Return one message per recipient; copies of a broadcast share nothing."""
        if message.recipient is not None:
            return [message]
        return [
            replace(
                message,
                recipient=index,
                content=copy.deepcopy(message.content),
                broadcasting=True,
            )
            for index in range(self.sizes[message.team])
        ]

    def _route(self, message: Message) -> None:
        """Deliver a message to one recipient, store it, or drop it."""
        if self.message_filter is not None:
            kept = self.message_filter(message)
            if kept is None:
                return
            self._check(kept, message.team)
            message = kept
        link = self.links[message.team]
        if link.silent or not self._within_reach(message, link):
            return
        if link.dropout > 0.0 and self.rng.random() < link.dropout:
            return
        delay = link.delay if self.delay is None else self.delay(message)
        if delay <= 0:
            self._deliver(message)
            return
        self._order += 1
        heapq.heappush(self._delayed[message.team], (self.frame + delay, self._order, message))

    def _within_reach(self, message: Message, link: Link) -> bool:
        if link.reach == math.inf:
            return True
        places = self._places[message.team]
        if places is None:
            raise ValueError(f"reach = {link.reach}, but positions are unknown; call place() first")
        offset = places[message.sender] - places[message.recipient]
        return bool(math.hypot(*offset) <= link.reach)

    def _deliver(self, message: Message) -> None:
        """Put a message into its recipient's queue and buffer, and count it."""
        recipient = message.recipient
        if recipient is None:
            raise ValueError("the filter returned a broadcast; expected a message to one agent")
        self._queues[message.team][recipient].append(message)
        self._buffers[message.team][recipient].append(message)
        self.edges[message.team][message.sender, recipient] += 1


def _numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return values as an array of finite numbers.

    Raises:
        ValueError: they are none.
    """
    given = np.asarray(values)
    if given.dtype.kind not in "iuf" or not np.isfinite(given).all():
        raise ValueError(f"{name}: expected finite numbers")
    return given.astype(np.float64)
