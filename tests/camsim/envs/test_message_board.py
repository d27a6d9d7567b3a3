"""MessageBoard: every sentence of the communication protocol, and the five restrictions."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from camsim.envs.message_board import CAMERA, TARGET, Message, MessageBoard
from camsim.scripted.spec import Link


def board(**limits: object) -> MessageBoard:
    """Three cameras and two targets; `limits` belong to the cameras' link."""
    link = Link(**limits)  # type: ignore[arg-type]
    return MessageBoard(3, 2, links=(link, Link()))


def note(
    content: object, sender: int = 0, recipient: int | None = 1, team: int = CAMERA
) -> Message:
    return Message(sender, recipient, content, team)


def contents(messages: list[Message]) -> list[object]:
    return [message.content for message in messages]


def test_message_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        note("a").content = "b"  # type: ignore[misc]
    assert not note("a").broadcasting


def test_broadcast_reaches_everybody_and_the_sender() -> None:
    content = {"places": [1, 2]}
    mail = board()
    mail.send(note(content, sender=1, recipient=None))
    received = [mail.receive(CAMERA, c) for c in range(3)]
    for c, messages in enumerate(received):
        assert messages == [Message(1, c, content, CAMERA, broadcasting=True)]
    copies = [messages[0].content for messages in received]
    copies[0]["places"].append(3)  # deep copies: nobody else notices
    assert content == copies[1] == copies[2] == {"places": [1, 2]}
    np.testing.assert_array_equal(mail.edges[CAMERA], [[0, 0, 0], [1, 1, 1], [0, 0, 0]])


def test_point_to_point_passes_unchanged() -> None:
    content = [1]
    mail = board()
    sent = note(content, sender=2, recipient=0)
    mail.send(sent)
    (received,) = mail.receive(CAMERA, 0)
    assert received is sent
    assert received.content is content
    assert mail.receive(CAMERA, 1) == mail.receive(CAMERA, 2) == []


def test_message_to_itself_is_an_edge() -> None:
    mail = board()
    mail.send(note("a", sender=1, recipient=1, team=TARGET))
    np.testing.assert_array_equal(mail.edges[TARGET], [[0, 0], [0, 1]])
    assert contents(mail.receive(TARGET, 1)) == ["a"]


def test_one_or_many_of_one_team() -> None:
    mail = board()
    mail.send(note("a"))
    mail.send([note("b"), note("c", sender=2)])
    mail.send(note(k) for k in range(2))
    mail.send([])
    assert contents(mail.receive(CAMERA, 1)) == ["a", "b", "c", 0, 1]
    with pytest.raises(ValueError, match="is of type str; expected Message"):
        mail.send(["a"])  # type: ignore[list-item]
    for index in (True, 0.0, "0"):
        with pytest.raises(ValueError, match=r"agent = .*; expected a target: 0 to 1"):
            mail.receive(TARGET, index)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="messages of both teams in one call"):
        mail.send([note("a"), note("b", team=TARGET)])
    assert mail.receive(CAMERA, 1) == []


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (note("a", sender=3), "sender = 3; expected a camera: 0 to 2"),
        (note("a", sender=-1), "sender = -1; expected a camera: 0 to 2"),
        (note("a", recipient=2, team=TARGET), "recipient = 2; expected a target: 0 to 1"),
        (note("a", team=2), r"team = 2; expected 0 \(camera\) or 1 \(target\)"),
    ],
)
def test_unknown_agents(message: Message, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        board().send(message)


def test_receive_empties_the_queue_but_not_the_buffer() -> None:
    mail = board()
    mail.send(note("a"))
    assert contents(mail.receive(CAMERA, 1)) == ["a"]
    assert mail.receive(CAMERA, 1) == []
    mail.send(note("b"))
    assert contents(mail.receive(CAMERA, 1)) == ["b"]
    assert contents(mail.buffered(CAMERA)[1]) == ["a", "b"]
    assert contents(mail.end_frame().messages[CAMERA][1]) == ["a", "b"]


def test_receive_all_empties_the_queues_of_both_teams() -> None:
    mail = board()
    mail.send(note("a"))
    mail.send(note("b", team=TARGET))
    cameras, targets = mail.receive_all()
    assert [contents(inbox) for inbox in cameras] == [[], ["a"], []]
    assert [contents(inbox) for inbox in targets] == [[], ["b"]]
    assert mail.receive_all() == ([[], [], []], [[], []])
    assert contents(mail.buffered(TARGET)[1]) == ["b"]
    with pytest.raises(ValueError, match="agent = 2; expected a target: 0 to 1"):
        mail.receive(TARGET, 2)


def test_end_of_frame_forgets_but_returns_what_was_sent() -> None:
    """Unread messages are lost, and stand in the frame's mail, in sending order."""
    mail = board()
    mail.send([note("request"), note("other", recipient=2)])
    mail.send(note("response", sender=2))
    sent = mail.end_frame()
    assert [contents(inbox) for inbox in sent.messages[CAMERA]] == [
        [],
        ["request", "response"],
        ["other"],
    ]
    np.testing.assert_array_equal(sent.edges[CAMERA], [[0, 1, 1], [0, 0, 0], [0, 1, 0]])
    assert mail.receive(CAMERA, 1) == []
    assert mail.buffered(CAMERA) == [[], [], []]
    assert not mail.edges[CAMERA].any()


def test_edges_add_up_to_totals_until_the_reset() -> None:
    mail = board()
    for _ in range(3):
        mail.send(note("a"))
        assert mail.edges[CAMERA][0, 1] == 1
        mail.end_frame()
    assert mail.total_edges[CAMERA].sum() == mail.total_edges[CAMERA][0, 1] == 3
    mail.send(note("b"))
    mail.reset()
    assert not mail.total_edges[CAMERA].any()
    assert not mail.edges[CAMERA].any()
    assert mail.receive_all() == ([[], [], []], [[], []])
    assert mail.buffered(CAMERA) == [[], [], []]


# The five restrictions.


def test_filter_sees_expanded_messages_and_may_change_them() -> None:
    seen = []

    def only_upwards(message: Message) -> Message | None:
        seen.append((message.sender, message.recipient))
        assert message.recipient is not None
        if message.recipient <= message.sender:
            return None
        return replace(message, content=message.content * 2)

    mail = MessageBoard(3, 2, message_filter=only_upwards)
    mail.send(note("ab", sender=1, recipient=None))
    assert seen == [(1, 0), (1, 1), (1, 2)]
    assert mail.receive(CAMERA, 0) == mail.receive(CAMERA, 1) == []
    assert contents(mail.receive(CAMERA, 2)) == ["abab"]
    assert mail.edges[CAMERA].sum() == 1


def test_filter_must_return_messages_of_the_team_to_one_agent() -> None:
    mail = MessageBoard(3, 2, message_filter=lambda message: replace(message, recipient=None))
    with pytest.raises(ValueError, match="the filter returned a broadcast"):
        mail.send(note("a"))
    mail = MessageBoard(3, 2, message_filter=lambda message: replace(message, team=TARGET))
    with pytest.raises(ValueError, match="messages of both teams"):
        mail.send(note("a"))


def test_silence_drops_everything_of_one_team() -> None:
    mail = board(silent=True)
    mail.send(note("a", recipient=None))
    mail.send(note("b", team=TARGET))
    assert mail.receive_all()[CAMERA] == [[], [], []]
    assert not mail.edges[CAMERA].any()
    assert mail.edges[TARGET].sum() == 1


def test_dropout_is_independent_per_expanded_message() -> None:
    link = Link(dropout=0.3)
    mail = MessageBoard(3, 2, links=(link, link), rng=np.random.default_rng(1))
    patterns = set()
    n_sent = 2000
    for _ in range(n_sent):
        mail.send(note("a", recipient=None))
        patterns.add(tuple(mail.edges[CAMERA][0]))
        mail.end_frame()
    share = mail.total_edges[CAMERA][0] / n_sent
    np.testing.assert_allclose(share, 0.7, atol=5 * np.sqrt(0.21 / n_sent))
    assert len(patterns) == 8  # all combinations of three recipients occur


@pytest.mark.parametrize(("dropout", "arrived"), [(0.0, 100), (1.0, 0)])
def test_certain_dropout(dropout: float, arrived: int) -> None:
    mail = board(dropout=dropout)
    for _ in range(100):
        mail.send(note("a"))
    assert len(mail.receive(CAMERA, 1)) == arrived


def test_reach_is_inclusive_and_needs_positions() -> None:
    mail = board(reach=5.0)
    with pytest.raises(ValueError, match=r"reach = 5.0, but positions are unknown; call place"):
        mail.send(note("a"))
    mail.place([[0.0, 0.0], [3.0, 4.0], [3.0, 4.1]], np.zeros((2, 2)))
    mail.send(note("a", recipient=None))
    assert [len(mail.receive(CAMERA, c)) for c in range(3)] == [1, 1, 0]
    mail.place([[0.0, 0.0], [9.0, 9.0], [1.0, 0.0]], np.zeros((2, 2)))
    mail.send(note("b", recipient=None))
    assert [len(mail.receive(CAMERA, c)) for c in range(3)] == [1, 0, 1]
    with pytest.raises(ValueError, match=r"camera_xy has shape \(2, 2\); expected \(3, 2\)"):
        mail.place(np.zeros((2, 2)), np.zeros((2, 2)))


def test_delay_counts_frames() -> None:
    """Sent before frame k with a delay of 2, a message is there before frame k+2, unasked."""
    mail = board(delay=2)
    mail.send(note("a"))
    assert mail.receive(CAMERA, 1) == []
    assert mail.end_frame().messages[CAMERA][1] == []
    assert mail.receive(CAMERA, 1) == []
    assert mail.end_frame().edges[CAMERA].sum() == 0
    assert contents(mail.receive(CAMERA, 1)) == ["a"]
    sent = mail.end_frame()
    assert contents(sent.messages[CAMERA][1]) == ["a"]
    assert sent.edges[CAMERA][0, 1] == 1


def test_equal_delays_keep_the_order_of_sending() -> None:
    """Contents that cannot be compared with each other do no harm."""
    mail = board(delay=1)
    mail.send([note({"k": 1}), note("x"), note(None)])
    mail.end_frame()
    assert contents(mail.receive(CAMERA, 1)) == [{"k": 1}, "x", None]


def test_delay_by_message_releases_by_due_time() -> None:
    mail = MessageBoard(3, 2, delay=lambda message: message.content)
    mail.send([note(3), note(1), note(0)])
    mail.send(note(2, team=TARGET))
    assert contents(mail.receive(CAMERA, 1)) == [0]
    mail.end_frame()
    mail.send(note(2))
    assert contents(mail.receive(CAMERA, 1)) == [1]
    mail.end_frame()
    assert contents(mail.receive(TARGET, 1)) == [2]  # teams wait apart
    mail.end_frame()
    assert contents(mail.receive(CAMERA, 1)) == [3, 2]  # both due now: the older first


def test_delayed_messages_do_not_survive_a_reset() -> None:
    mail = board(delay=1)
    mail.send(note("a"))
    mail.reset()
    mail.end_frame()
    assert mail.receive(CAMERA, 1) == []


@pytest.mark.parametrize(
    ("limits", "error"),
    [({"dropout": 1.5}, "dropout = 1.5"), ({"reach": -1.0}, "reach"), ({"delay": -1}, "delay")],
)
def test_bad_links(limits: dict[str, float], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        board(**limits)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"recipient": "x"}, "recipient = 'x'; expected a camera: 0 to 2"),
        ({"recipient": 1.0}, "recipient = 1.0; expected"),
        ({"sender": True}, "sender = True; expected"),
        ({"sender": []}, "sender = a value of type list; expected"),
        ({"team": 0.0}, "team = 0.0; expected"),
        ({"team": {}}, "team = a value of type dict; expected"),
    ],
)
def test_agents_are_integers(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=f"^{fault}"):
        board().send(replace(note("a"), **changes))  # type: ignore[arg-type]


def test_sizes_and_places_of_other_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"n_cameras = 1000000000; expected an integer from 0"):
        MessageBoard(10**9, 1)
    with pytest.raises(ValueError, match=r"n_targets = 2.0; expected an integer"):
        MessageBoard(1, 2.0)  # type: ignore[arg-type]
    for places in ({"x": 1}, np.full((3, 2), np.nan), "x"):
        with pytest.raises(ValueError, match=r"camera_xy: expected finite numbers"):
            board().place(places, np.zeros((2, 2)))  # type: ignore[arg-type]
