"""What holds after every simulation, by name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from flowengine.call.record import ENDED_REASONS
from flowengine.runtime import replay
from tests.simulated.world import World

UTTERANCE = 22.0  # `max_speech`, and a little
ENDS = ("PromptFinished", "PromptInterrupted", "PromptFailed")


def every_call_has_one_record(world: World) -> Iterator[str]:
    """Each call that was answered has exactly one record, and no call is without an end."""
    seen = Counter(record["id"] for record in world.records)
    yield from (f"{call} has {count} records" for call, count in seen.items() if count != 1)
    yield from world.unfinished
    yield from (f"{call} has a trace and no record" for call in world.traces if call not in seen)


def every_call_ends_for_a_reason(world: World) -> Iterator[str]:
    """The reason is in the closed list, is no bug of ours, and a call is lost only where a server or its store was."""
    lossy = _lossy(world)
    for record in world.records:
        reason = record["ended_reason"]
        if reason not in ENDED_REASONS or reason == "engine.failed":
            yield f"{record['id']} ended as {reason}"
        if reason == "engine.lost" and not lossy:
            yield f"{record['id']} was lost"


def _lossy(world: World) -> bool:
    """Whether a process died or the store failed."""
    faults = world.plan.faults
    died = faults.crashes or faults.drains or faults.crash_at_await is not None
    return bool(died or any(kind.startswith("store") for kind, _, _ in faults.windows))


def nothing_is_left_over(world: World) -> Iterator[str]:
    """No task, session, member of the wheel or rendering is left."""
    yield from world.left


def nothing_is_uncaught(world: World) -> Iterator[str]:
    """Nothing reached the loop's exception handler, left the application, or was logged with a traceback."""
    yield from filter(None, world.uncaught)
    yield from (f"logged: {line}" for line in world.logged)
    for call in world.calls:
        yield from (f"raised: {error!r}" for error in call.line.failures if not isinstance(error, ConnectionError))
    yield from (f"counted: {name}" for name in world.counts if name.startswith(("engine.failed", "failed.Bug")))


def nothing_is_sent_after_a_close(world: World) -> Iterator[str]:
    """No frame is sent on a socket that we closed or that we know to be closed."""
    yield from world.sent_late


def the_wire_is_as_the_carrier_wants_it(world: World) -> Iterator[str]:
    """The carrier takes everything that we send; a text is sent whole and in order, after a clear from its beginning.

    So nothing is sent after a clear of what was cleared, and two prompts are never on the wire at once.
    """
    for call in world.calls:
        yield from call.line.problems
        yield from (f"the carrier: {event.data}" for event in call.report.of("wrong"))
        # Without its confirmation a clear is waited for one second, then audio is sent all the same.
        if not call.plan.line & {"clears unconfirmed", "stall", "burst"} and not world.plan.faults.stalls:
            yield from (f"the carrier: {event.data} raced" for event in call.report.of("raced"))


def every_trace_can_be_read(world: World) -> Iterator[str]:
    """A trace is JSON lines, begins with the call, its times never go back, and nothing happens after its end."""
    for call, lines in world.traces.items():
        trace = [json.loads(line) for line in lines]
        if trace[0].get("call", {}).get("id") != call:
            yield f"{call}: a trace begins with {lines[0][:60]}"
        at = 0.0
        for line in trace[1:]:
            if "event" in line and line["at"] < at - 0.001:
                yield f"{call}: time goes back from {at} to {line['at']}"
            at = max(at, line["at"])


def every_trace_does_the_same_again(world: World) -> Iterator[str]:
    """A trace that hides nothing is run again to the same effects, where one process wrote all of it."""
    if _lossy(world):
        return
    for call, lines in world.traces.items():
        recorded = replay.read(lines)
        if any(moment.hidden for moment in recorded.moments):
            continue
        for again in replay.replay(world.programs[recorded.call["revision"]], {}, recorded):
            if again.difference is not None:
                yield f"{call}, line {again.moment.line}: {again.difference}"
                break


def prompts_come_one_after_another(world: World) -> Iterator[str]:
    """In a trace no prompt begins while another one plays, and what ends has begun."""
    for call, lines in world.traces.items():
        playing = ""
        for line in map(json.loads, lines):
            event: dict[str, Any] = line.get("event", {})
            if line.get("note") == "resumed":
                playing = ""
            if event.get("type") in ENDS and event["prompt"] == playing:
                playing = ""
            for effect in line.get("effects", ()):
                if effect["type"] == "PlayPrompt":
                    if playing:
                        yield f"{call}: {effect['prompt']} begins while {playing} plays"
                    playing = effect["prompt"]
                elif effect["type"] == "StopPrompt" and effect["prompt"] == playing:
                    playing = ""


def a_voice_that_cut_is_answered(world: World) -> Iterator[str]:
    """After what a voice has cut an utterance ends within the longest time of one, unless the stream does before."""
    for call, lines in world.traces.items():
        told = [(line["at"], line["event"]) for line in map(json.loads, lines) if "event" in line]
        for number, (at, event) in enumerate(told):
            after = told[number + 1 :]
            cut = event["type"] in ("PromptInterrupted", "ReplyInterrupted")
            if not cut or (after and after[0][1]["type"] == "DigitPressed"):
                continue
            kinds = {one["type"] for _, one in after}
            goes_on = bool(after) and after[-1][0] - at > UTTERANCE
            if goes_on and not {"UtteranceEnded", "CallerHungUp", "CallStopped", "StreamResumed"} & kinds:
                yield f"{call}: a voice cut something at {at}, and nothing came of it"


def traces_and_records_agree(world: World) -> Iterator[str]:
    """The end that the interpreter came to is the one in the record, where no server and no store was lost."""
    if _lossy(world):
        return
    reasons = {record["id"]: record["ended_reason"] for record in world.records}
    for call, lines in world.traces.items():
        effects = [effect for line in map(json.loads, lines) for effect in line.get("effects", ())]
        ends = [effect["reason"] for effect in effects if effect["type"] == "EndCall"]
        if ends != [reasons.get(call)]:
            yield f"{call}: the trace ends with {ends}, the record says {reasons.get(call)}"


def every_call_is_over_in_time(world: World) -> Iterator[str]:
    """No caller waits for an end in vain, and the whole world comes to rest."""
    if world.failed:
        yield world.failed
    for call in world.calls:
        if call.report.end_reason in ("limit", "too many documents") or call.report.end_reason.startswith("bad"):
            yield f"call {call.plan.number}: {call.report.end_reason}"
        yield from (f"call {call.plan.number}: {one}" for one in call.report.failures if "had not ended" in one)


INVARIANTS: tuple[Callable[[World], Iterator[str]], ...] = (
    every_call_has_one_record,
    every_call_ends_for_a_reason,
    nothing_is_left_over,
    nothing_is_uncaught,
    nothing_is_sent_after_a_close,
    the_wire_is_as_the_carrier_wants_it,
    every_trace_can_be_read,
    every_trace_does_the_same_again,
    prompts_come_one_after_another,
    a_voice_that_cut_is_answered,
    traces_and_records_agree,
    every_call_is_over_in_time,
)


def broken(world: World) -> list[str]:
    """Give what does not hold, each with its invariant's name."""
    return [f"{check.__name__}: {problem}" for check in INVARIANTS for problem in check(world)]
