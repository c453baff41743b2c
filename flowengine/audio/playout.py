"""The ledger of one stream's outgoing audio: what was queued, sent, marked, heard, paused and cleared.

Theory of operation. Audio comes in *items* (a prompt, a reply), open-ended streams of µ-law: one byte is one sample.
Items are played in the order of ``begin`` without a gap. ``pull``, called by the pacing wheel, sends so much that the
carrier holds ``lead`` seconds that were not played yet; after a stall it fills up to the lead again and never sends the
missed time's audio in addition. Whoever calls writes the commands to the socket in the order given, at once.

Three counts are kept apart: an item's own samples (``Position.samples``, what the outside sees), the stream's samples
(``position.CarrierLine``: everything ever sent), and between them each item's ``origin``, the stream sample at which
its sample 0 was or would have been sent. Between two clears an item lies in the stream in one piece.

What was heard is known by marks: one 300 ms after an item's first sample, one every second after that, one at its end.
A mark is written directly after audio, because on an empty queue Twilio returns it at once and Vobiz never. In between
the position is the carrier model's, but never beyond a mark that is still out: the socket is ordered, so what is not
yet returned was not yet played when the fact at hand happened.

``stop`` and ``pause`` are the same thing for the carrier: a clear. The positions are those of that moment; every mark
that is out is cancelled and whatever it does later proves nothing (Twilio returns all of them, Vobiz none). Items that
go on afterwards are sent again from where they were heard, under new marks: at once when another item was stopped,
after ``resume`` when they were paused.

Sans-I/O: no clock (``now`` is an argument, float seconds, never going back), no waiting; ``deadline`` says when time
alone changes something. Sources: Twilio, Vobiz, Plivo stream messages (design facts, telephony 1.3, 1.12, 2.3).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from flowengine.audio.clearing import ClearGate
from flowengine.audio.item import Item, Position
from flowengine.audio.marks import MarkLedger
from flowengine.audio.position import CarrierLine
from flowengine.errors import Bug

__all__ = [
    "Chunk",
    "ClearOut",
    "Command",
    "Fact",
    "ItemFinished",
    "ItemStarted",
    "MarkOut",
    "Playout",
    "Position",
    "PositionCorrected",
]

_FIRST_MARK = 0.3
_NEXT_MARK = 1.0
_MARK_LOST = 1.0  # seconds after the time at which a mark was due
_CUT_BACK = 0.2  # how much is heard twice when a paused item goes on
_REMEMBERED = 64  # ended items whose position may still be asked
_NOTABLE = 0.02  # a smaller correction of a position is the timestamps' grain


@dataclass(frozen=True, slots=True)
class Chunk:
    """Write this audio to the carrier."""

    data: bytes


@dataclass(frozen=True, slots=True)
class MarkOut:
    """Write a mark."""

    name: str


@dataclass(frozen=True, slots=True)
class ClearOut:
    """Write a clear."""


Command = Chunk | MarkOut | ClearOut


@dataclass(frozen=True, slots=True)
class ItemStarted:
    """The first audio of an item was sent."""

    item: str
    at: float


@dataclass(frozen=True, slots=True)
class ItemFinished:
    """All of an item was played; ``mark_lost``: so it should have been, but its last mark never came."""

    item: str
    at: float
    samples: int
    mark_lost: bool


@dataclass(frozen=True, slots=True)
class PositionCorrected:
    """A later mark showed that a position given out was wrong. For the trace: nothing is decided again."""

    item: str
    was: int
    now: int


Fact = ItemStarted | ItemFinished | PositionCorrected


class Playout:
    """One stream's playout.

    ``clear_ack``: the carrier acknowledges clears, and nothing is sent between a clear and ``cleared`` or 1.0 s.
    ``marks_on_clear``: ``returned``, ``lost`` or ``if_played``, what becomes of marks that are out at a clear.
    ``prefix``: marks are named ``prefix.n``. ``lead``: seconds sent ahead. ``chunk``: samples per message at most.
    ``rate``: samples per second. Raises ``Bug`` when used against its contract.
    """

    def __init__(
        self,
        *,
        clear_ack: bool,
        marks_on_clear: str,
        prefix: str,
        lead: float = 0.2,
        chunk: int = 320,
        rate: int = 8000,
    ) -> None:
        if marks_on_clear not in ("returned", "lost", "if_played"):
            raise Bug(f"marks_on_clear is {marks_on_clear!r}")
        self.gaps = 0
        self._rate = rate
        self._lead = round(lead * rate)
        self._chunk = (whole := min(chunk, self._lead)) - whole % (rate // 50)
        if not self._chunk:
            raise Bug("lead and chunk must hold a frame of 20 ms")
        self._returned = marks_on_clear == "returned"
        self._line = CarrierLine(rate)
        self._gate = ClearGate(acked=clear_ack)
        self._marks = MarkLedger(prefix)
        self._items: list[Item] = []
        self._done: dict[str, Position] = {}
        self._paused = False
        self._owed = False  # the last pull left audio behind that only had to wait for its time

    # What is to be played

    def begin(self, item: str) -> None:
        """Open an item behind all others; an id may be used once."""
        if item in self._done or any(each.id == item for each in self._items):
            raise Bug(f"item {item} begins twice")
        self._items.append(Item(item, self._rate))

    def append(self, item: str, audio: bytes) -> bool:
        """Queue audio of an item, any size; False when the item is unknown or was stopped: the audio is ignored."""
        found = self._find(item)
        if found is None:
            return False
        found.append(audio)
        return True

    def finish(self, item: str) -> None:
        """No more audio comes; the tail is padded to a whole frame of 20 ms. Unknown or stopped: ignored."""
        found = self._find(item)
        if found is not None:
            found.finish()

    def backlog(self) -> int:
        """Samples queued and not sent, for back-pressure on who makes them."""
        return sum(item.total - item.sent for item in self._items)

    # The wheel

    def pull(self, now: float) -> tuple[list[Command], list[Fact]]:
        """What to write at ``now``, and what time alone has brought about. Call it every 20 ms and after a ``stop``."""
        commands: list[Command] = []
        if self._gate.issue(now):
            commands.append(ClearOut())
        facts: list[Fact] = []
        while self._items and (lost := self._lost_at()) is not None and now >= lost:
            facts.append(self._end_first(now, lost=True))
        is_open = self._gate.is_open(now)
        self._owed = self._owed and is_open and not self._paused
        if self._paused:
            return commands, facts
        facts += self._skip_empty(now)
        if is_open:
            self._send(now, commands, facts)
        return commands, facts

    @property
    def deadline(self) -> float | None:
        """When time alone changes something: a clear to write, the gate opening, a mark lost; ``pull`` then does it."""
        times = [time for time in (self._gate.deadline, self._lost_at()) if time is not None]
        return min(times, default=None)

    @property
    def idle(self) -> bool:
        """Nothing is queued, nothing is outstanding, no clear has to be written."""
        return not self._items and not self._gate.requested

    # What the carrier says

    def media_seen(self, now: float, carrier_time: float) -> None:
        """A media message with that timestamp (seconds) came in. Constant time; optional, makes positions better."""
        self._line.media_seen(now, carrier_time)

    def mark_returned(self, name: str, now: float, carrier_time: float | None) -> list[Fact]:
        """A mark came back, after the media message with timestamp ``carrier_time``; unknown ones say nothing."""
        mark = self._marks.take(name)
        if mark is None:
            return self._late(name)
        self._line.mark(mark.offset, now, carrier_time)
        facts = self._corrections(now)
        if not mark.last:
            if (item := self._find(mark.item)) is not None:
                item.forget(mark.within)
            return facts
        while self._items[0].id != mark.item:  # played before, so only their own last mark is missing
            facts.append(self._end_first(now, lost=not self._items[0].empty))
        facts.append(self._end_first(now, lost=False))
        return facts if self._paused else facts + self._skip_empty(now)

    def cleared(self, now: float) -> None:
        """The carrier's acknowledgement of a clear."""
        self._gate.acknowledge()

    # What the caller heard

    def heard(self, item: str, now: float, carrier_time: float | None) -> Position:
        """How much of an item the caller had heard when something happened that reached us at ``now``.

        ``carrier_time``: timestamp (seconds) of the last media message before it, None when there is none. An item
        that ended has its final position, an unknown one 0.
        """
        found = self._find(item)
        if found is None:
            return self._done.get(item, Position(0, estimated=False))
        if found.origin is None:
            return found.held or Position(0, estimated=False)
        moment = self._line.moment(now, carrier_time)
        samples = self._within(found, moment, now)
        found.reported = (moment, samples)
        return Position(samples, estimated=not self._line.marked)

    def playing(self, now: float, carrier_time: float | None) -> int:
        """Which sample of all that was ever sent the caller hears now, as far as is known."""
        return self._line.at(self._line.moment(now, carrier_time))

    def stop(
        self, now: float, carrier_time: float | None, *, items: Collection[str] | None = None
    ) -> dict[str, Position]:
        """Play nothing more of these items (None: of all, which also ends a pause) and say what was heard of each.

        The next ``pull`` begins with a clear if any of their audio may be with the carrier; other items whose audio
        that takes away go on from where they were heard.
        """
        chosen = [item for item in self._items if items is None or item.id in items]
        positions = self._clear(chosen, now, carrier_time)
        self._marks.cancel(positions)
        self._items = [item for item in self._items if item.id not in positions]
        for item, position in positions.items():
            self._remember(item, position)
        if items is None:
            self._paused = False
        return positions

    def pause(self, now: float, carrier_time: float | None) -> dict[str, Position]:
        """Fall silent by a clear and keep the audio; says what was heard of each item. Twice is the same as once."""
        self._paused = True
        positions = self._clear(self._items, now, carrier_time)
        self._line.cut()  # also when there was nothing to clear: the silence to come is not a gap
        return positions

    def resume(self, now: float, *, cut: Callable[[int], int] | None = None) -> None:
        """Go on after a pause; audio that the clear took away is sent again from a little before where it was heard.

        ``cut`` says from which sample for a heard position (a word's begin); by default it is 200 ms before.
        """
        if not self._paused:
            return
        self._paused = False
        for item in self._items:
            if item.held is not None and item.held.samples and item.origin is None:
                heard = item.held.samples
                item.go_back(cut(heard) if cut else heard - round(_CUT_BACK * self._rate))

    # Inside

    def _find(self, item: str) -> Item | None:
        return next((each for each in self._items if each.id == item), None)

    def _send(self, now: float, commands: list[Command], facts: list[Fact]) -> None:
        """Write what there is, up to the lead, and note whether more was ready."""
        torn, self._owed = self._owed, False
        for item in self._items:
            while not item.ended and (ready := item.ready):
                first = item.sent + round(_FIRST_MARK * self._rate)
                mark_at = item.next_mark if item.origin is not None else first
                portion = min(ready, self._chunk, mark_at - item.sent)
                if self._lead - self._line.ahead(now) < portion:
                    self._owed = True
                    return
                self._write(item, portion, now, torn=torn, commands=commands, facts=facts)
            if not item.ended and not item.empty:
                return  # it is open-ended: those behind it wait for its end

    def _write(
        self, item: Item, samples: int, now: float, *, torn: bool, commands: list[Command], facts: list[Fact]
    ) -> None:
        """One message, with the mark that is due behind it."""
        if item.origin is None:
            item.origin = self._line.sent - item.sent
            item.next_mark = item.sent + round(_FIRST_MARK * self._rate)
        else:
            torn = torn or item.sent < item.length
        if self._line.write(now, samples) and torn:
            self.gaps += 1
        if not item.sent and item.held is None:
            facts.append(ItemStarted(item.id, now))
        commands.append(Chunk(item.take(samples)))
        item.ended = item.finished and item.sent == item.total
        if item.ended or item.sent == item.next_mark:
            within = min(item.sent, item.length)
            mark = self._marks.issue(item.id, self._line.sent, within, last=item.ended)
            item.next_mark = item.sent + round(_NEXT_MARK * self._rate)
            commands.append(MarkOut(mark.name))

    def _within(self, item: Item, moment: float, now: float) -> int:
        """The item's sample that is played at a moment of the line clock, by all that is known at ``now``."""
        offset = self._line.at(moment)
        for mark in self._marks.out:
            if now < self._line.due(mark.offset) + _MARK_LOST:  # one that got lost must not hold the position
                offset = min(offset, mark.offset)
                break
        heard = max(0, min(offset - (item.origin or 0), item.length))
        return max(heard, item.held.samples if item.held else 0)

    def _corrections(self, now: float) -> list[Fact]:
        facts: list[Fact] = []
        for item in self._items:
            if item.reported is not None and item.origin is not None:
                moment, was = item.reported
                samples = self._within(item, moment, now)
                if abs(samples - was) > _NOTABLE * self._rate:
                    item.reported = (moment, samples)
                    facts.append(PositionCorrected(item.id, was, samples))
        return facts

    def _late(self, name: str) -> list[Fact]:
        """A cancelled mark came back: where a clear does not return marks, it had been played before the clear."""
        mark = self._marks.take_cancelled(name)
        if mark is None or self._returned:
            return []
        found = self._find(mark.item)
        position = found.held if found else self._done.get(mark.item)
        was = position.samples if position else 0
        if mark.within - was > _NOTABLE * self._rate:
            return [PositionCorrected(mark.item, was, mark.within)]
        return []

    def _clear(self, chosen: list[Item], now: float, carrier_time: float | None) -> dict[str, Position]:
        """Positions of the chosen items; a clear, and all that was sent taken back, if the carrier may hold of them."""
        heard = {item.id: self.heard(item.id, now, carrier_time) for item in self._items}
        if any(self._unplayed(item, now) for item in chosen):
            for item in self._items:
                if item.origin is not None:
                    item.take_back(heard[item.id])
            self._marks.cancel()
            self._line.cut()
            self._gate.request(now)
        return {item.id: heard[item.id] for item in chosen}

    def _unplayed(self, item: Item, now: float) -> bool:
        if item.origin is None or item.origin + item.sent <= self._line.confirmed:
            return False
        return now < self._line.due(item.origin + item.sent) + _MARK_LOST

    def _lost_at(self) -> float | None:
        """When the first item's last mark counts as lost, once it is out."""
        if not self._items or not self._items[0].ended:
            return None
        item = self._items[0]
        return self._line.due((item.origin or 0) + item.sent) + _MARK_LOST

    def _end_first(self, now: float, *, lost: bool) -> ItemFinished:
        item = self._items.pop(0)
        if lost:
            self._marks.cancel({item.id})
        self._remember(item.id, Position(item.length, estimated=lost))
        return ItemFinished(item.id, now, item.length, lost)

    def _skip_empty(self, now: float) -> list[Fact]:
        """Finished items without audio count as played when it is their turn."""
        facts: list[Fact] = []
        while self._items and self._items[0].empty:
            facts.append(self._end_first(now, lost=False))
        return facts

    def _remember(self, item: str, position: Position) -> None:
        self._done[item] = position
        if len(self._done) > _REMEMBERED:
            del self._done[next(iter(self._done))]
