"""The session through the public door: the real application, a simulated phone, a virtual clock."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from flowengine.runtime import events as fact
from flowengine.testing.network import AsgiNetwork, Socket
from flowengine.testing.script import (
    Dialled,
    Drop,
    ExpectEnd,
    Garbage,
    HangUp,
    Keys,
    Silence,
    StopReading,
    WaitAudio,
    WaitSilence,
)
from flowengine.testing.virtual_time import let_pass

CARRIERS = ("twilio", "vobiz")
FLOW = """
flow: test
version: 1
vars: {number: {type: digits, private: true}, left: text}
catch:
  hangup: {set: {left: "{{ call.ended }}"}}
nodes:
  greet:
    say: Welcome to the test of the line.
    goto: main
  main:
    say: Press one for the first thing or two for the second thing.
    menu:
      - {key: 1, goto: first}
      - {key: 2, goto: agent}
      - {key: 3, goto: number}
  first:
    say: This was the first thing.
    goto: end
  number:
    say: Six digits.
    collect: {into: number, length: 6, confirm: "I have {{ number | spell }}."}
    goto: end
  agent:
    say: One moment.
    transfer: {to: "+15550100", ring: 20s}
    goto: {ended: bye, busy: busy, else: bye}
  busy:
    say: They are busy.
    goto: main
  bye:
    say: Goodbye.
    hangup:
"""
MAIN = "Press one for the first thing or two for the second thing."


class Wiretap(AsgiNetwork):
    """Writes down what the server sends, with the time."""

    def __init__(self, application: Any) -> None:
        super().__init__(application)
        self.sent: list[tuple[float, dict[str, Any]]] = []

    async def connect(self, url: str, headers: Mapping[str, str], subprotocols: Sequence[str]) -> Socket:
        socket = await super().connect(url, headers, subprotocols)
        receive = socket.receive

        async def tapped() -> str | None:
            text = await receive()
            if text is not None:
                self.sent.append((asyncio.get_running_loop().time(), json.loads(text)))
            return text

        socket.receive = tapped  # type: ignore[method-assign]  # the tap is the point
        return socket


def run(world: Any, on_virtual_time: Any, *steps: Any, flow: str = FLOW, **options: Any) -> Any:
    world.flow(flow)

    async def go() -> Any:
        application = await world.start()
        return await world.call(application, *steps, **options)

    return on_virtual_time(go())


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_call_runs_through_a_menu_to_its_end(world: Any, on_virtual_time: Any, carrier: Any) -> None:
    out = run(world, on_virtual_time, WaitAudio(0.2), WaitSilence(0.5), Keys("1"), ExpectEnd(20), carrier=carrier)
    assert out.report.failures == []
    assert out.report.of("wrong", "raced") == []
    assert out.record["ended_reason"] == "flow.hangup"
    assert out.record["path"] == ["greet", "main", "first"]
    assert out.record["gaps"] == 0


@pytest.mark.parametrize("delay", [0.0, 0.06, 0.15])
@pytest.mark.parametrize("carrier", CARRIERS)
def test_an_interrupted_prompt_stops_at_once(world: Any, on_virtual_time: Any, carrier: Any, delay: float) -> None:
    world.flow(FLOW)

    async def go() -> Any:
        application = await world.start()
        tap = Wiretap(application)
        steps = (WaitAudio(3.2), Keys("3"), Silence(4), HangUp())
        return await world.call(application, *steps, carrier=carrier, network=tap, delay=delay), tap

    out, tap = on_virtual_time(go())
    names = ("clear", "clearAudio")
    clears = [i for i, (_, message) in enumerate(tap.sent) if message["event"] in names]
    assert len(clears) == 1
    key, cleared = out.report.of("key")[0], out.report.of("cleared")[0]
    # What is played of the interrupted prompt after the key: the line's two ways and at most three frames.
    assert cleared.at - key.at <= 2 * delay + 0.06
    # After the clear not one frame of that prompt is sent: what comes is the next one, whole.
    sent_after = b"".join(_audio(message) for _, message in tap.sent[clears[0] :])
    expected = 0.06 * len("Six digits.") * 8000
    assert len(sent_after) == pytest.approx(expected, abs=160)
    interrupted = next(e for e in out.events if e["type"] == "PromptInterrupted")
    played = key.data["played"] / 8000
    assert interrupted["heard"] == pytest.approx(played, abs=0.04)
    assert not interrupted["estimated"]


def _audio(message: dict[str, Any]) -> bytes:
    import base64

    return base64.b64decode(message.get("media", {}).get("payload", ""))


@pytest.mark.parametrize("carrier", CARRIERS)
def test_case_01_noinput_waits_for_what_the_phone_played(world: Any, on_virtual_time: Any, carrier: Any) -> None:
    """A prompt of 10 s is synthesized in 0.1 s; six seconds of silence begin when the phone played its last sample."""
    world.voice.lengths[MAIN] = 10.0
    steps = (WaitAudio(0.2), Silence(22), HangUp())
    out = run(world, on_virtual_time, *steps, carrier=carrier, delay=0.1)
    welcome = 0.06 * len("Welcome to the test of the line.")
    finished = [e for e in out.events if e["type"] == "PromptFinished"][1]
    assert finished["seconds"] == pytest.approx(10.0, abs=0.02)
    assert finished["at"] >= welcome + 10.0
    noinput = next(e for e in out.events if e["type"] == "TimePassed")
    assert noinput["at"] - finished["at"] == pytest.approx(6.0, abs=0.001)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_case_03_marks_of_a_cleared_prompt_are_no_end_of_it(world: Any, on_virtual_time: Any, carrier: Any) -> None:
    out = run(world, on_virtual_time, WaitAudio(2.5), Keys("3"), Silence(1.0), HangUp(), carrier=carrier, delay=0.05)
    kinds = [e["type"] for e in out.events]
    assert kinds[:4] == ["CallStarted", "PromptFinished", "PromptInterrupted", "DigitPressed"]
    assert [e["prompt"] for e in out.events if e["type"] == "PromptFinished"] == ["e1.p1", "e3.p3"]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("outcome", ["busy", "noanswer", "failed"])
def test_a_failed_transfer_goes_on_from_its_snapshot(
    world: Any, on_virtual_time: Any, carrier: Any, outcome: Any
) -> None:
    steps: tuple[Any, ...] = (WaitAudio(2.5), Keys("2"))
    if outcome == "busy":
        steps += (WaitAudio(0.1), WaitSilence(1.5), Silence(1.0), Keys("1"))
    out = run(world, on_virtual_time, *steps, ExpectEnd(60), carrier=carrier, transfers=[Dialled(outcome)])
    assert out.report.of("dial")[0].data["targets"] == ["+15550100"]
    assert out.record["streams"] == 2
    if outcome == "busy":
        assert out.record["path"] == ["greet", "main", "agent", "busy", "main", "first"]
    else:
        assert out.record["path"] == ["greet", "main", "agent", "bye"]
    assert out.record["ended_reason"] == "flow.hangup"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_transfer_that_was_answered_comes_back(world: Any, on_virtual_time: Any, carrier: Any) -> None:
    steps = (WaitAudio(2.5), Keys("2"), ExpectEnd(60))
    out = run(world, on_virtual_time, *steps, carrier=carrier, transfers=[Dialled("ended", talk=12.0)])
    assert out.record["path"] == ["greet", "main", "agent", "bye"]
    assert out.record["ended_reason"] == "flow.hangup"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_failed_transfer_is_taken_up_by_another_process(world: Any, on_virtual_time: Any, carrier: Any) -> None:
    world.flow(FLOW)

    async def go() -> Any:
        one, two = await world.start(), await world.start()
        served = iter([AsgiNetwork(one), AsgiNetwork(one), *[AsgiNetwork(two)] * 9])

        class Balanced(AsgiNetwork):
            """A balancer: the answer and the first stream go to one process, everything after to the other."""

            async def post(self, *args: Any) -> Any:
                return await next(served).post(*args)

            async def connect(self, *args: Any) -> Any:
                return await next(served).connect(*args)

        steps = (WaitAudio(2.5), Keys("2"), WaitAudio(0.1), WaitSilence(1.5), Silence(1), Keys("1"), ExpectEnd(30))
        out = await world.call(two, *steps, carrier=carrier, network=Balanced(one), transfers=[Dialled("busy")])
        return out, one, two

    out, one, two = on_virtual_time(go())
    assert out.report.failures == []
    assert out.record["path"] == ["greet", "main", "agent", "busy", "main", "first"]
    assert (one.engine.sessions, two.engine.sessions) == ({}, {})


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(
    ("where", "steps"),
    [
        ("prompting", (WaitAudio(0.5),)),
        ("listening", (WaitAudio(0.2), WaitSilence(1.0))),
        ("interdigit", (WaitAudio(2.5), Keys("312"))),
        ("confirming", (WaitAudio(2.5), Keys("3123456", gap=0.1), WaitAudio(0.2))),
        ("ringing", (WaitAudio(2.5), Keys("2"), Silence(3.0))),
        ("goodbye", (WaitAudio(2.5), Keys("1"), Silence(1.65))),
    ],
)
def test_case_26_hang_up_in_each_state_leaves_one_record(
    world: Any, on_virtual_time: Any, carrier: Any, where: str, steps: Any
) -> None:
    out = run(world, on_virtual_time, *steps, HangUp(), carrier=carrier, transfers=[Dialled("noanswer")])
    assert out.report.failures == []
    expected = "flow.hangup" if where == "goodbye" else "caller.hangup"
    assert out.record["ended_reason"] == expected
    assert [e["reason"] for e in out.effects if e["type"] == "EndCall"] == [expected]
    assert not any(e.get("dropped") for e in out.events), "the carrier told of the end: nothing is waited for"


ENDS = [
    # A close that the carrier makes when the caller hangs up, by dialect; anything else may come back within 5 s.
    ("twilio", 1000, "nothing", "caller.hangup", True),
    ("twilio", 1001, "nothing", "caller.hangup", True),
    ("twilio", "abort", "nothing", "caller.hangup", True),
    ("twilio", "reset", "nothing", "caller.hangup", True),
    ("vobiz", 1000, "nothing", "caller.hangup", False),
    ("vobiz", 1001, "nothing", "caller.hangup", False),
    ("vobiz", "abort", "nothing", "caller.hangup", True),
    ("vobiz", "reset", "nothing", "caller.hangup", True),
]


@pytest.mark.parametrize(("carrier", "how", "then", "reason", "dropped"), ENDS)
def test_case_30_how_sockets_end(
    world: Any, on_virtual_time: Any, carrier: Any, how: Any, then: Any, reason: str, dropped: bool
) -> None:
    out = run(world, on_virtual_time, WaitAudio(2.5), Drop(how, then), carrier=carrier)
    assert out.record["ended_reason"] == reason
    notes = [e for e in out.effects if e["type"] == "Note" and e["what"] == "carrier_dropped"]
    assert bool(notes) == dropped
    hung_up = next(e for e in out.events if e["type"] == "CallerHungUp")
    assert hung_up["dropped"] == dropped


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("how", ["reset", "abort", 1011])
def test_case_30_a_dropped_call_comes_back_to_its_node(
    world: Any, on_virtual_time: Any, carrier: Any, how: Any
) -> None:
    steps = (WaitAudio(2.5), Keys("3123", gap=0.1), Silence(0.3), Drop(how, "continue"))
    after = (WaitAudio(0.2), WaitSilence(0.5), Keys("654321", gap=0.1), WaitAudio(0.5), Keys("1"), ExpectEnd(20))
    out = run(world, on_virtual_time, *steps, *after, carrier=carrier)
    assert out.report.failures == []
    assert out.record["path"] == ["greet", "main", "number", "number"]
    assert out.record["streams"] == 2
    assert out.record["ended_reason"] == "flow.hangup"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_key_just_before_the_socket_drops_still_counts(world: Any, on_virtual_time: Any, carrier: Any) -> None:
    steps = (WaitAudio(2.5), Keys("1"), Drop("reset", "continue"), ExpectEnd(20))
    out = run(world, on_virtual_time, *steps, carrier=carrier)
    assert out.report.failures == []
    assert [e["digit"] for e in out.events if e["type"] == "DigitPressed"] == ["1"]
    assert out.record["path"] == ["greet", "main", "first", "first"]
    assert (out.record["ended_reason"], out.record["streams"]) == ("flow.hangup", 2)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_transfer_that_the_carrier_never_asks_for_ends_with_a_record(
    world: Any, on_virtual_time: Any, carrier: Any
) -> None:
    """The socket drops while our wish to transfer is decided, and nothing is heard of the call again."""
    steps = (WaitAudio(2.5), Keys("2"), Silence(0.5), WaitSilence(0.05), Drop("reset", "nothing"))
    out = run(world, on_virtual_time, *steps, carrier=carrier, delay=0.1)
    assert [e["number"] for e in out.effects if e["type"] == "Transfer"] == ["+15550100"]
    assert out.report.of("dial") == []
    assert (out.record["ended_reason"], out.record["streams"]) == ("caller.hangup", 1)


def test_a_prompt_that_is_cut_in_the_instant_of_its_begin(world: Any, on_virtual_time: Any) -> None:
    """Its task never ran: what it would have run is closed, not left to the collector (which warns of it)."""
    flow = FLOW.replace("say: This was the first thing.", 'say: "You are {{ call.from }}."')
    out = run(world, on_virtual_time, WaitAudio(2.5), Keys("11", gap=0.0), ExpectEnd(20), flow=flow)
    gc.collect()
    assert out.record["path"] == ["greet", "main", "first"]
    assert "You are +15550001111." not in world.voice.spoken


def test_the_drain_ends_with_an_apology_and_one_record(world: Any, on_virtual_time: Any) -> None:
    world.flow(FLOW)

    async def go() -> Any:
        application = await world.start()
        call = asyncio.create_task(world.call(application, WaitAudio(0.2), ExpectEnd(60)))
        await let_pass(3.0)
        assert application.engine.sessions
        await application.drain(2.0)
        refused = await world.call(application, ExpectEnd(5), seed=99)
        return await call, refused

    out, refused = on_virtual_time(go())
    assert out.record["ended_reason"] == "engine.drained"
    assert out.prompts()[-1].startswith("I am sorry")
    assert out.report.of("hung_up")
    assert refused.report.end_reason == "refused 503"


def test_too_much_nonsense_is_the_carriers_failure(world: Any, on_virtual_time: Any) -> None:
    few = run(world, on_virtual_time, WaitAudio(0.2), *[Garbage("not json")] * 5, Silence(0.5), HangUp())
    assert few.record["ended_reason"] == "caller.hangup"
    assert few.record["counts"] == {"protocol_error": 5}
    many = run(world, on_virtual_time, WaitAudio(0.2), *[Garbage("[1")] * 30, Silence(2), HangUp(), seed=2)
    assert many.record["ended_reason"] == "carrier.failed"


def test_a_voice_that_fails_is_told_to_the_flow(world: Any, on_virtual_time: Any) -> None:
    flow = FLOW.replace("say: Six digits.", 'say: "You are {{ call.from }}."').replace(
        "catch:\n", "catch:\n  error.tts: {say: No voice for that., goto: bye}\n"
    )
    world.voice.broken["You are +15550001111."] = False
    out = run(world, on_virtual_time, WaitAudio(2.5), Keys("3"), ExpectEnd(20), flow=flow)
    failed = next(e for e in out.events if e["type"] == "PromptFailed")
    assert (failed["heard"], failed["kind"]) == (0.0, "unavailable")
    assert out.prompts()[-2:] == ["No voice for that.", "Goodbye."]
    assert out.record["ended_reason"] == "flow.hangup"


def test_keys_are_pressed_on_the_line(world: Any, on_virtual_time: Any) -> None:
    flow = (
        "flow: test\nversion: 1\nnodes: {only: {say: I dial., press: 12w#, goto: bye}, bye: {say: Goodbye., goto: end}}"
    )
    out = run(world, on_virtual_time, ExpectEnd(20), flow=flow)
    sent = next(e for e in out.events if e["type"] == "KeysSent")
    said = next(e for e in out.events if e["type"] == "PromptFinished")
    assert sent["keys"] == "12w#"
    assert sent["at"] - said["at"] == pytest.approx(1.1, abs=0.1)
    assert out.prompts() == ["I dial.", "Goodbye."]
    assert out.record["ended_reason"] == "flow.hangup"


def test_private_digits_are_nowhere_in_the_trace(world: Any, on_virtual_time: Any) -> None:
    steps = (WaitAudio(2.5), Keys("3907152", gap=0.1), WaitAudio(0.3), Keys("1"), ExpectEnd(20))
    out = run(world, on_virtual_time, *steps)
    assert out.record["ended_reason"] == "flow.hangup"
    text = json.dumps(out.trace, ensure_ascii=False)
    assert "9 0 7 1 5 2" not in text
    assert "I have • • • • • •." in text
    digits = [e["digit"] for e in out.events if e["type"] == "DigitPressed"]
    assert digits == ["3", *"••••••", "1"], "that it is right may be read"


def test_a_bug_of_ours_ends_the_call_and_leaves_its_record(world: Any, on_virtual_time: Any) -> None:
    world.flow(FLOW)

    async def go() -> Any:
        application = await world.start()
        call = asyncio.create_task(world.call(application, WaitAudio(0.2), Silence(5), HangUp()))
        await let_pass(1.0)
        session = next(iter(application.engine.sessions.values()))
        for n in range(1001):
            session.put(fact.DigitPressed(session.clock.at(), str(n % 10)))
        return await call

    out = on_virtual_time(go())
    assert out.record["ended_reason"] == "engine.failed"


def test_a_transfer_without_a_continue_address_fails_in_the_flow(world: Any, on_virtual_time: Any) -> None:
    """A stream from XML that the user wrote by hand: nobody would ask us to dial."""
    world.flow(FLOW)
    world.stream_key = "the-stream-key"

    async def go() -> Any:
        application = await world.start()
        network = ByHand(application, "wss://voice.test/stream/vobiz?key=the-stream-key&flow=test")
        steps = (WaitAudio(2.5), Keys("2"), Silence(4.0), HangUp())
        return await world.call(application, *steps, carrier="vobiz", network=network)

    out = on_virtual_time(go())
    assert out.record["path"] == ["greet", "main", "agent", "bye"]


class ByHand(AsgiNetwork):
    """Answers the phone's webhook with a document of the user's own."""

    def __init__(self, application: Any, url: str) -> None:
        super().__init__(application)
        self.url = url

    async def post(self, url: str, form: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> tuple[int, str]:
        if "/answer/" not in url:
            return await super().post(url, form, headers)
        address = self.url.replace("&", "&amp;")
        stream = f'<Stream bidirectional="true" keepCallAlive="true" contentType="audio/x-mulaw;rate=8000">{address}'
        return 200, f"<Response>{stream}</Stream><Hangup/></Response>"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_phone_that_stops_reading_is_gone_and_others_do_not_notice(
    world: Any, on_virtual_time: Any, carrier: Any
) -> None:
    world.voice.lengths["Welcome to the test of the line."] = 60.0
    world.flow(FLOW)

    async def go() -> Any:
        application = await world.start()
        taps = [Wiretap(application) for _ in range(4)]
        stalled = asyncio.create_task(
            world.call(application, WaitAudio(1.0), StopReading(), ExpectEnd(60), carrier=carrier)
        )
        others = [
            asyncio.create_task(world.call(application, Silence(30), HangUp(), carrier=carrier, network=tap, seed=seed))
            for seed, tap in enumerate(taps, 1)
        ]
        return await stalled, [await other for other in others], taps

    out, others, taps = on_virtual_time(go())
    assert out.record["ended_reason"] == "carrier.failed"
    for other, tap in zip(others, taps, strict=True):
        assert other.record["ended_reason"] == "caller.hangup"
        assert other.record["gaps"] == 0
        times = [at for at, message in tap.sent if message["event"] in ("media", "playAudio")][20:]
        # Frame lag: the others' audio keeps its pace, message by message.
        assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= 0.0601


@pytest.mark.parametrize("delay", [0.0, 0.06, 0.15])
@pytest.mark.parametrize("carrier", CARRIERS)
def test_heard_is_what_the_phone_played(world: Any, on_virtual_time: Any, carrier: Any, delay: float) -> None:
    """At random moments, with a third of the delay as jitter: 20 ms at the 95th percentile after the first mark."""
    world.voice.lengths["Listen to this."] = 20.0
    flow = "flow: test\nversion: 1\nnodes:\n  a:\n    say: Listen to this.\n    menu: [{key: 1, goto: again}]\n"
    flow += "defaults: {limits: {visits: 999, hops: 999}}\n"
    rng = random.Random(f"{carrier}{delay}")
    moments = [rng.uniform(0.5, 3.5) for _ in range(60)]
    steps = [step for moment in moments for step in (WaitAudio(moment), Keys("1"), Silence(1.0))]
    out = run(
        world, on_virtual_time, *steps, HangUp(), flow=flow, carrier=carrier, delay=delay, jitter=delay / 3, limit=900.0
    )
    heard = [e["heard"] for e in out.events if e["type"] == "PromptInterrupted"]
    played = [e.data["played"] / 8000 for e in out.report.of("key")]
    errors = sorted(abs(a - b) for a, b in zip(heard, played, strict=True))
    assert errors[int(len(errors) * 0.95)] <= 0.0201, errors[-6:]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_blind_transfer_is_dialled_and_is_the_last_that_we_hear(
    world: Any, on_virtual_time: Any, carrier: Any
) -> None:
    flow = 'flow: test\nversion: 1\nnodes:\n  a: {say: Wait., transfer: {to: "+15550100", mode: blind}}\n'
    out = run(world, on_virtual_time, ExpectEnd(60), flow=flow, carrier=carrier, transfers=[Dialled("ended", talk=9.0)])
    assert out.report.failures == []
    assert [e.data["targets"] for e in out.report.of("dial")] == [["+15550100"]]
    assert out.report.of("dial_ended")[0].at >= 9.0
    assert out.report.end_reason == "exhausted", "no document of ours hangs up after it"
    assert (out.record["ended_reason"], out.record["streams"]) == ("flow.transfer", 1)
