"""Messages: boards with random links, and messages with random senders, recipients, contents."""

import random
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from values import any_scalar, any_value
from worker import Wrong

from camsim.envs.message_board import Message, MessageBoard
from camsim.scripted.spec import Link


class Made(NamedTuple):
    """What makes a board, and what is sent."""

    link: dict[str, Any]
    sizes: tuple[Any, Any]
    places: tuple[Any, Any]
    messages: list[dict[str, Any]]


def _index(rng: random.Random) -> Any:
    return any_scalar(rng) if rng.random() < 0.2 else rng.randrange(-1, 4)


class MessagesKind:
    """Sends messages over a board; whatever is refused, the board still delivers afterwards."""

    def make(self, rng: random.Random) -> Made:
        fields = ("dropout", "reach", "delay", "silent")
        link = {name: any_scalar(rng) for name in fields if rng.random() < 0.15}
        link |= {"dropout": 0.5} if rng.random() < 0.2 else {}
        link |= {"delay": rng.randrange(3)} if rng.random() < 0.2 else {}
        sizes = (_index(rng), 4) if rng.random() < 0.1 else (3, 2)
        places: Any = (np.zeros((3, 2)), np.zeros((2, 2)))
        if rng.random() < 0.2:
            places = (any_value(rng), np.full((2, 2), np.nan))
        messages = [
            {
                "sender": _index(rng),
                "recipient": rng.choice((None, _index(rng))),
                "content": any_value(rng),
                "team": rng.choice((0, 0, 1, any_scalar(rng))),
            }
            for _ in range(rng.randrange(1, 6))
        ]
        return Made(link, sizes, places, messages)

    def attempt(self, made: Made) -> bool:
        links = (Link(**made.link), Link(**made.link))
        board = MessageBoard(*made.sizes, links=links)
        board.place(*made.places)
        refusal = None
        for message in made.messages:
            try:
                board.send(Message(**message))
            except ValueError as error:
                refusal = error
        board.receive_all()
        for _ in range(3):
            board.end_frame()
        open_board = MessageBoard(3, 2)
        open_board.send(Message(0, 1, made.messages[0]["content"], 0))
        if len(open_board.receive(0, 1)) != 1:
            raise Wrong("a message got lost")
        if refusal is not None:
            raise refusal
        return False


def make_kind(_: Path) -> MessagesKind:
    """Return the kind."""
    return MessagesKind()
