"""The rules of the ledger, one by one, on virtual time; ``test_playout_on_a_line`` has them together on a line."""

from __future__ import annotations

import pytest

from flowengine.audio.playout import (
    Chunk,
    ClearOut,
    Command,
    Fact,
    ItemFinished,
    ItemStarted,
    MarkOut,
    Playout,
    Position,
    PositionCorrected,
)
from flowengine.errors import Bug

CLEAR = ClearOut()


class Desk:
    """A playout with a wheel of 20 ms, and all it wrote and said."""

    def __init__(self, *, clear_ack: bool = False, marks_on_clear: str = "returned", lead: float = 0.2) -> None:
        self.playout = Playout(clear_ack=clear_ack, marks_on_clear=marks_on_clear, prefix="s", lead=lead)
        self.tick = 0
        self.written: list[tuple[float, Command]] = []
        self.facts: list[Fact] = []

    @property
    def now(self) -> float:
        return self.tick / 50

    def run(self, until: float) -> None:
        while self.now < until:
            self.pull()
            self.tick += 1

    def pull(self) -> list[Command]:
        commands, facts = self.playout.pull(self.now)
        self.written += [(self.now, command) for command in commands]
        self.facts += facts
        return commands

    def say(self, item: str, seconds: float) -> None:
        self.playout.begin(item)
        self.playout.append(item, bytes(round(seconds * 8000)))
        self.playout.finish(item)

    def mark(self, name: str, carrier_time: float | None = None) -> None:
        self.facts += self.playout.mark_returned(name, self.now, carrier_time)

    def samples(self) -> int:
        return sum(len(command.data) for _, command in self.written if isinstance(command, Chunk))

    def marks(self) -> list[tuple[str, int]]:
        """Each mark and the samples written before it; asserts that audio is right in front of it."""
        found, before = [], 0
        for (_, former), (_, command) in zip(self.written, self.written[1:], strict=False):
            before += len(former.data) if isinstance(former, Chunk) else 0
            if isinstance(command, MarkOut):
                assert isinstance(former, Chunk)
                found.append((command.name, before))
        return found


@pytest.mark.parametrize(
    ("seconds", "places"),
    [
        (0.1, [800]),
        (0.3, [2400]),
        (0.32, [2400, 2560]),
        (1.3, [2400, 10400]),
        (2.5, [2400, 10400, 18400, 20000]),
    ],
)
def test_marks_lie_at_300_ms_then_every_second_then_at_the_end(seconds: float, places: list[int]) -> None:
    desk = Desk()
    desk.say("a", seconds)
    desk.run(4.0)
    assert desk.marks() == [(f"s.{number + 1}", place) for number, place in enumerate(places)]


def test_marks_count_from_each_items_own_begin() -> None:
    desk = Desk()
    desk.say("a", 0.5)
    desk.say("b", 0.5)
    desk.run(2.0)
    assert [place for _, place in desk.marks()] == [2400, 4000, 6400, 8000]


def test_the_lead_is_kept_and_never_exceeded() -> None:
    desk = Desk()
    desk.say("a", 3.0)
    for _ in range(100):
        desk.run(desk.now + 0.02)
        ahead = desk.samples() / 8000 - (desk.now - 0.02)
        assert ahead + 1e-9 >= 0.16
        assert ahead <= 0.2 + 1e-9
    assert max(len(command.data) for _, command in desk.written if isinstance(command, Chunk)) == 320


def test_after_a_stall_within_the_lead_it_catches_up() -> None:
    desk = Desk()
    desk.say("a", 3.0)
    desk.run(1.0)
    desk.tick += 8
    desk.pull()
    assert desk.samples() == pytest.approx((desk.now + 0.2) * 8000, abs=320)
    assert desk.playout.gaps == 0


def test_after_a_longer_stall_it_anchors_anew_and_counts_a_gap() -> None:
    desk = Desk()
    desk.say("a", 3.0)
    desk.run(1.0)
    before = desk.samples()
    desk.tick += 50
    desk.pull()
    assert desk.samples() - before == 1600  # the lead, not the second that was missed
    assert desk.playout.gaps == 1


def test_a_pause_between_items_is_no_gap() -> None:
    desk = Desk()
    desk.say("a", 0.5)
    desk.run(2.0)
    desk.say("b", 0.5)
    desk.run(4.0)
    assert desk.playout.gaps == 0


def test_a_stall_between_queued_items_is_a_gap() -> None:
    desk = Desk()
    desk.say("a", 0.5)
    desk.say("b", 0.5)
    desk.run(0.4)
    desk.tick += 50
    desk.run(3.0)
    assert desk.playout.gaps == 1


def test_a_slow_synthesizer_makes_a_gap() -> None:
    desk = Desk()
    desk.playout.begin("a")
    desk.playout.append("a", bytes(4000))
    desk.run(2.0)
    desk.playout.append("a", bytes(4000))
    desk.run(3.0)
    assert desk.playout.gaps == 1


@pytest.mark.parametrize(("size", "sent"), [(1, 160), (160, 160), (161, 320), (1000, 1120)])
def test_the_tail_is_padded_to_a_frame_of_silence(size: int, sent: int) -> None:
    desk = Desk()
    desk.playout.begin("a")
    assert desk.playout.append("a", bytes(size))
    desk.pull()
    assert desk.samples() == size - size % 160  # part of a frame waits
    desk.playout.finish("a")
    desk.run(1.0)
    data = b"".join(command.data for _, command in desk.written if isinstance(command, Chunk))
    pad = sent - size or 160  # all was sent when the end came: the last mark needs audio in front of it
    assert data == bytes(size) + b"\xff" * pad
    desk.mark(desk.marks()[-1][0])
    assert desk.facts[-1] == ItemFinished("a", desk.now, size, mark_lost=False)


def test_an_end_that_comes_late_writes_silence_and_the_mark() -> None:
    desk = Desk()
    desk.playout.begin("a")
    desk.playout.append("a", bytes(1600))
    desk.run(1.0)
    assert desk.marks() == []
    desk.playout.finish("a")
    assert desk.pull() == [Chunk(b"\xff" * 160), MarkOut("s.1")]
    assert desk.playout.gaps == 0


def test_finished_by_the_last_mark_only() -> None:
    desk = Desk()
    desk.say("a", 1.0)
    desk.run(1.02)
    desk.mark("s.1")
    assert desk.facts == [ItemStarted("a", 0.0)]
    desk.mark("s.2")
    assert desk.facts[1:] == [ItemFinished("a", desk.now, 8000, mark_lost=False)]
    assert desk.playout.idle
    assert desk.playout.deadline is None


def test_a_lost_mark_ends_the_item_a_second_after_its_end() -> None:
    desk = Desk()
    desk.say("a", 1.0)
    desk.say("b", 1.0)
    desk.run(1.0)
    assert desk.playout.deadline == pytest.approx(2.0)
    desk.run(5.0)
    finished = [fact for fact in desk.facts if isinstance(fact, ItemFinished)]
    assert [(fact.item, round(fact.at, 2), fact.mark_lost) for fact in finished] == [("a", 2.0, True), ("b", 3.0, True)]
    assert desk.playout.idle
    assert desk.playout.mark_returned("s.2", 5.0, None) == []


def test_a_later_mark_proves_the_earlier_items_played() -> None:
    desk = Desk()
    desk.say("a", 0.2)
    desk.say("b", 0.2)
    desk.run(0.5)
    desk.mark("s.2")
    assert desk.facts[-2:] == [
        ItemFinished("a", desk.now, 1600, mark_lost=True),
        ItemFinished("b", desk.now, 1600, mark_lost=False),
    ]


def test_an_item_without_audio_is_played_at_once_and_has_no_mark() -> None:
    desk = Desk()
    desk.playout.begin("a")
    desk.playout.finish("a")
    assert desk.pull() == []
    assert desk.facts == [ItemFinished("a", 0.0, 0, mark_lost=False)]
    assert desk.playout.idle


def test_an_empty_item_in_the_queue_waits_its_turn_and_holds_nobody_up() -> None:
    desk = Desk()
    desk.say("a", 0.2)
    desk.say("empty", 0.0)
    desk.say("b", 0.2)
    desk.run(0.5)
    assert desk.marks() == [("s.1", 1600), ("s.2", 3200)]
    assert [type(fact) for fact in desk.facts] == [ItemStarted, ItemStarted]
    desk.mark("s.1")
    assert [fact.item for fact in desk.facts[2:]] == ["a", "empty"]


@pytest.mark.parametrize("marks_on_clear", ["returned", "lost", "if_played"])
def test_marks_that_a_clear_returns_say_nothing(marks_on_clear: str) -> None:
    desk = Desk(marks_on_clear=marks_on_clear)
    desk.say("a", 3.0)
    desk.run(0.2)
    desk.mark("s.none")
    desk.run(1.0)
    heard = desk.playout.stop(desk.now, None)["a"]
    assert desk.pull() == [CLEAR]
    assert not any(isinstance(fact, ItemFinished) for fact in desk.facts)
    desk.mark("s.1")
    assert not any(isinstance(fact, ItemFinished) for fact in desk.facts)
    assert desk.playout.heard("a", desk.now, None) == heard
    corrected = [fact for fact in desk.facts if isinstance(fact, PositionCorrected)]
    assert corrected == []  # it had been taken as heard up to that mark


def test_a_mark_that_a_clear_cannot_return_corrects_the_trace() -> None:
    desk = Desk(marks_on_clear="lost")
    desk.say("a", 3.0)
    desk.run(0.3)
    was = desk.playout.stop(desk.now, None)["a"]
    assert was.estimated
    assert was.samples < 2000
    desk.mark("s.1")
    assert desk.facts[-1] == PositionCorrected("a", was.samples, 2400)
    assert desk.playout.heard("a", desk.now, None) == was


def test_a_position_is_never_beyond_a_mark_that_is_out() -> None:
    desk = Desk()
    desk.say("a", 3.0)
    desk.run(0.9)
    assert desk.playout.heard("a", desk.now, None) == Position(2400, estimated=True)
    desk.mark("s.1")
    assert desk.facts[-1] == ItemStarted("a", 0.0)
    assert not desk.playout.heard("a", desk.now, None).estimated


def test_a_mark_that_never_comes_does_not_hold_the_position() -> None:
    desk = Desk()
    desk.say("a", 6.0)
    desk.run(4.0)
    assert desk.playout.heard("a", desk.now, None).samples > 2 * 8000


def test_an_estimate_is_corrected_by_the_first_mark() -> None:
    desk = Desk()
    desk.say("a", 3.0)
    desk.run(0.3)
    was = desk.playout.heard("a", desk.now, 100.26)
    desk.run(0.32)
    desk.mark("s.1", 100.3)
    assert desk.facts[-1] == PositionCorrected("a", was.samples, 2080)


def test_positions_of_unknown_queued_and_ended_items() -> None:
    desk = Desk()
    desk.say("a", 0.2)
    desk.say("b", 5.0)
    desk.run(0.3)
    desk.mark("s.1")
    assert desk.playout.heard("a", desk.now, None) == Position(1600, estimated=False)
    assert desk.playout.heard("nobody", desk.now, None) == Position(0, estimated=False)
    desk.say("c", 1.0)
    assert desk.playout.heard("c", desk.now, None) == Position(0, estimated=False)


def test_the_gate_holds_everything_until_the_acknowledgement() -> None:
    desk = Desk(clear_ack=True, marks_on_clear="lost")
    desk.say("a", 3.0)
    desk.run(1.0)
    desk.playout.stop(desk.now, None)
    desk.say("b", 1.0)
    assert desk.playout.deadline == desk.now
    assert desk.pull() == [CLEAR]
    written = len(desk.written)
    desk.run(1.5)
    assert len(desk.written) == written
    desk.playout.cleared(desk.now)
    assert isinstance(desk.pull()[0], Chunk)
    assert desk.playout.gaps == 0


def test_the_gate_opens_by_itself_after_a_second() -> None:
    desk = Desk(clear_ack=True, marks_on_clear="lost")
    desk.say("a", 3.0)
    desk.run(1.0)
    desk.playout.stop(desk.now, None)
    desk.say("b", 1.0)
    desk.pull()
    assert desk.playout.deadline == pytest.approx(2.0)
    written = len(desk.written)
    desk.run(1.99)
    assert len(desk.written) == written
    assert isinstance(desk.pull()[0], Chunk)


def test_without_acknowledgements_new_audio_follows_the_clear() -> None:
    desk = Desk()
    desk.say("a", 3.0)
    desk.run(1.0)
    desk.playout.stop(desk.now, None)
    desk.say("b", 1.0)
    commands = desk.pull()
    assert commands[0] == CLEAR
    assert isinstance(commands[1], Chunk)


def test_no_clear_when_everything_was_played_or_nothing_sent() -> None:
    desk = Desk()
    desk.say("a", 0.2)
    assert desk.playout.stop(0.0, None) == {"a": Position(0, estimated=False)}
    assert desk.pull() == []
    desk.playout.begin("b")
    desk.playout.append("b", bytes(2400))
    desk.run(0.5)
    desk.mark("s.1")
    desk.playout.stop(desk.now, None)
    assert desk.pull() == []
    assert desk.playout.idle


def test_stopping_drops_what_was_not_sent_and_refuses_more() -> None:
    desk = Desk()
    desk.say("a", 3.0)
    desk.playout.begin("b")
    desk.run(0.5)
    assert set(desk.playout.stop(desk.now, None)) == {"a", "b"}
    assert desk.playout.backlog() == 0
    assert not desk.playout.append("b", bytes(160))
    desk.playout.finish("b")
    assert not desk.playout.append("nobody", bytes(160))
    assert desk.pull() == [CLEAR]
    assert desk.playout.idle


def test_stopping_one_that_waits_leaves_the_one_that_plays_alone() -> None:
    desk = Desk()
    desk.say("a", 3.0)
    desk.say("b", 3.0)
    desk.run(1.0)
    assert desk.playout.stop(desk.now, None, items={"b", "nobody"}) == {"b": Position(0, estimated=False)}
    desk.run(4.0)
    assert desk.samples() == 24000
    assert CLEAR not in [command for _, command in desk.written]


def test_stopping_the_one_that_plays_sends_the_next_one_again() -> None:
    desk = Desk()
    desk.say("a", 0.5)
    desk.say("b", 1.0)
    desk.run(0.4)  # the lead reaches into b
    desk.mark("s.1")
    assert desk.playout.backlog() < 8000
    desk.playout.stop(desk.now, None, items={"a"})
    assert desk.playout.backlog() == 8000
    desk.run(2.0)
    clear = next(index for index, (_, command) in enumerate(desk.written) if command == CLEAR)
    assert sum(len(command.data) for _, command in desk.written[clear:] if isinstance(command, Chunk)) == 8000
    assert [fact.item for fact in desk.facts if isinstance(fact, ItemStarted)] == ["a", "b"]
    desk.mark(desk.marks()[-1][0])
    assert desk.facts[-1] == ItemFinished("b", desk.now, 8000, mark_lost=False)


@pytest.mark.parametrize(
    ("cut", "back"), [(None, 1600), (lambda position: position - 4000, 4000), (lambda _: -5, None)]
)
def test_resume_sends_again_from_before_the_heard_position(cut: object, back: int | None) -> None:
    desk = Desk()
    desk.say("a", 3.0)
    desk.run(0.34)
    desk.mark("s.1")
    desk.run(1.0)
    heard = desk.playout.pause(desk.now, None)["a"].samples
    assert heard > 4000
    assert desk.pull() == [CLEAR]
    desk.run(3.0)
    assert desk.written[-1][1] == CLEAR
    assert desk.playout.deadline is None
    assert not desk.playout.idle
    assert desk.playout.pause(desk.now, None)["a"].samples == heard
    desk.playout.resume(desk.now, cut=cut)  # type: ignore[arg-type]
    start = 0 if back is None else (heard - back) // 160 * 160
    assert desk.playout.backlog() == 24000 - start
    assert desk.playout.heard("a", desk.now, None).samples == heard
    marks = len(desk.marks())
    desk.run(6.04)
    names = [name for name, _ in desk.marks()]
    assert len(names) == len(set(names)) > marks
    desk.mark(names[-1])
    assert desk.facts[-1] == ItemFinished("a", desk.now, 24000, mark_lost=False)
    assert desk.playout.gaps == 0


def test_stopping_ends_a_pause() -> None:
    desk = Desk()
    desk.say("a", 3.0)
    desk.run(1.0)
    desk.playout.pause(desk.now, None)
    desk.run(1.5)
    paused = desk.playout.heard("a", desk.now, None)
    assert desk.playout.stop(desk.now, None) == {"a": paused}
    desk.say("b", 0.2)
    assert isinstance(desk.pull()[0], Chunk)  # the pause was the clear


def test_what_is_begun_in_a_pause_waits_for_its_end() -> None:
    desk = Desk()
    desk.playout.pause(0.0, None)
    desk.say("a", 0.2)
    desk.say("empty", 0.0)
    desk.run(0.5)
    assert desk.written == []
    assert desk.facts == []
    desk.playout.resume(desk.now)
    desk.playout.resume(desk.now)
    desk.run(1.0)
    assert desk.samples() == 1600


def test_old_audio_is_forgotten() -> None:
    desk = Desk()
    desk.say("a", 60.0)
    desk.run(45.0)
    for name, place in desk.marks():
        if place <= 44 * 8000:
            desk.mark(name)
    desk.playout.pause(desk.now, None)
    desk.playout.resume(desk.now, cut=lambda _: 0)
    assert desk.playout.backlog() < 48 * 8000  # of 60 seconds, the first 13 are gone


def test_refuses_use_against_its_contract() -> None:
    desk = Desk()
    desk.say("a", 0.2)
    with pytest.raises(Bug):
        desk.playout.begin("a")
    with pytest.raises(Bug):
        desk.playout.append("a", bytes(160))
    with pytest.raises(Bug):
        Desk(marks_on_clear="perhaps")
    with pytest.raises(Bug):
        Desk(lead=0.01)
