"""The media socket: who may open it, what has to come first, and what is closed with which code."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from flowengine.settings import FlowSettings, Settings
from flowengine.testing.network import Refused
from flowengine.testing.virtual_time import let_pass

CARRIERS = ("twilio", "vobiz")
KEY = "a-key-of-our-own"
TWO = """
flow: other
version: 1
args: {count: {type: int, default: 0}}
nodes:
  a: {say: "It is {{ args.count }}.", goto: end}
"""


async def answered(desk: Any, carrier: str, seed: int = 1) -> tuple[Any, str]:
    caller = desk.caller(carrier, seed)
    return caller, (await desk.answer(caller)).stream


async def refused(desk: Any, caller: Any, url: str, **options: Any) -> int:
    with pytest.raises(Refused) as caught:
        await desk.connect(caller, url, **options)
    return caught.value.status


# --- tokens


def forged(url: str) -> list[str]:
    base, _, token = url.rpartition("/")
    body, _, mac = token.partition(".")
    texts = [f"{body}.{mac[:-1]}", f"{body[:-2]}.{mac}", f"{body}.", body, f".{mac}", f"{body}.{mac}/more", "é.é", "x"]
    return [f"{base}/{quote(text, safe='/')}" for text in texts]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_forged_token_does_not_open_a_socket(at_desk: Any, carrier: str) -> None:
    async def work(desk: Any) -> Any:
        caller, url = await answered(desk, carrier)
        found = [await refused(desk, caller, other) for other in forged(url)]
        return found, desk.counts["stream.refused"]

    assert at_desk(work) == ([403] * 8, 8)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_token_expires(at_desk: Any, carrier: str) -> None:
    async def work(desk: Any) -> Any:
        caller, url = await answered(desk, carrier)
        other, another = await answered(desk, carrier, 2)
        await let_pass(59.0)
        socket = await desk.stream(caller, url)
        on = len(desk.application.engine.sessions)
        await socket.close()
        await let_pass(2.0)
        return on, await refused(desk, other, another)

    assert at_desk(work) == (1, 403)


def test_a_token_is_for_one_carrier(at_desk: Any) -> None:
    async def work(desk: Any) -> Any:
        caller, url = await answered(desk, "twilio")
        return await refused(desk, caller, url.replace("/stream/twilio/", "/stream/vobiz/"))

    assert at_desk(work) == 403


@pytest.mark.parametrize("path", ["/", "/stream", "/stream/nobody/x", "/stream/twilio/x/y", "/answer/twilio", "//"])
def test_other_addresses_take_no_socket(at_desk: Any, path: str) -> None:
    async def work(desk: Any) -> int:
        return await refused(desk, desk.caller(), f"wss://voice.test{path}")

    assert at_desk(work) == 403


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_token_is_used_once(at_desk: Any, carrier: str) -> None:
    async def work(desk: Any) -> Any:
        caller, url = await answered(desk, carrier)
        first = await desk.stream(caller, url)
        # While the first is open, and after it was dropped.
        second = await desk.stream(caller, url)
        during = await desk.closed(second)
        on = len(desk.application.engine.sessions)
        first.abort()
        await let_pass(1.0)
        third = await desk.closed(await desk.stream(caller, url))
        return during, on, third, len(await desk.records())

    assert at_desk(work) == (1008, 1, 1008, 1)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_start_of_another_call_is_refused(at_desk: Any, carrier: str) -> None:
    async def work(desk: Any) -> Any:
        _, url = await answered(desk, carrier, 1)
        other, its_own = await answered(desk, carrier, 2)
        wrong = await desk.closed(await desk.stream(other, url))
        right = await desk.stream(other, its_own)
        on = len(desk.application.engine.sessions)
        await right.close()
        return wrong, on

    assert at_desk(work) == (1008, 1)


# --- before `start`


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("talks", [False, True])
def test_no_start_within_5_s_is_the_carriers_failure(at_desk: Any, carrier: str, talks: bool) -> None:
    async def work(desk: Any) -> Any:
        caller, url = await answered(desk, carrier)
        began = asyncio.get_running_loop().time()
        socket = await desk.connect(caller, url)

        async def chatter() -> None:
            caller.opening(0.0, {})
            for n in range(1000):
                await socket.send(caller.media(b"\xff" * 160, n * 0.02))
                await let_pass(0.02)

        task = asyncio.create_task(chatter()) if talks else None
        code = await desk.closed(socket)
        took = asyncio.get_running_loop().time() - began
        if task:
            task.cancel()
        again = (await desk.ask(caller, url.replace("wss", "https"))).status
        return code, round(took, 2), again, await desk.records()

    code, took, again, records = at_desk(work)
    assert (code, took, again) == (1008, 5.0, 404)
    assert [(r["ended_reason"], r["path"], r["streams"]) for r in records] == [("carrier.failed", [], 0)]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_second_socket_without_a_start_does_not_end_the_first(at_desk: Any, carrier: str) -> None:
    """A token that somebody replays is worth nothing: the call that it was for goes on."""

    async def work(desk: Any) -> Any:
        caller, url = await answered(desk, carrier)
        first = await desk.stream(caller, url)
        second = await desk.connect(caller, url)
        code = await desk.closed(second)
        on = len(desk.application.engine.sessions)
        call = await desk.store.find_call(carrier, caller.call_id)
        records = len(await desk.store.records())
        await first.send(caller.key("1", 6.0))
        ended = await desk.closed(first)
        return code, on, call.state, records, ended, [r["ended_reason"] for r in await desk.records()]

    assert at_desk(work) == (1008, 1, "streaming", 0, 1000, ["flow.hangup"])


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_resumed_call_whose_stream_never_begins_keeps_its_path(at_desk: Any, carrier: str) -> None:
    async def work(desk: Any) -> Any:
        caller = desk.caller(carrier)
        document = await desk.answer(caller)
        socket = await desk.stream(caller, document.stream)
        socket.abort()
        on = await desk.ask(caller, document.go_on)
        await desk.closed(await desk.connect(caller, on.stream))
        return await desk.records()

    assert [(r["ended_reason"], r["path"]) for r in at_desk(work)] == [("carrier.failed", ["main"])]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_media_before_start_is_dropped(at_desk: Any, carrier: str) -> None:
    async def work(desk: Any) -> Any:
        caller, url = await answered(desk, carrier)
        opening = caller.opening(0.0, {})
        socket = await desk.connect(caller, url)
        for n in range(5):
            await socket.send(caller.media(b"\xff" * 160, n * 0.02))
        await socket.send(json.dumps({"event": "somethingNew", "x": 1}))
        for text in opening:
            await socket.send(text)
        await let_pass(1.0)
        on = len(desk.application.engine.sessions)
        await socket.close()
        return on

    assert at_desk(work) == 1


MALFORMED = ["", "not json", "[1", "{}", '{"event": 5}', '{"event": "start"}', '{"event":"start","start":{}}', "\0"]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_first_message_closes_the_socket(at_desk: Any, carrier: str, text: str) -> None:
    async def work(desk: Any) -> Any:
        caller, url = await answered(desk, carrier)
        socket = await desk.connect(caller, url)
        await socket.send(text)
        code = await desk.closed(socket, within=1.0)
        # The call is not lost by it: its token is as good as before.
        right = await desk.stream(caller, url)
        on = len(desk.application.engine.sessions)
        await right.close()
        return code, on

    assert at_desk(work) == (1008, 1)


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(
    ("encoding", "rate"), [("audio/x-l16", 8000), ("audio/x-mulaw", 16000), ("audio/x-alaw", 8000)]
)
def test_audio_of_another_encoding_is_the_carriers_failure(
    at_desk: Any, caplog: Any, carrier: str, encoding: str, rate: int
) -> None:
    async def work(desk: Any) -> Any:
        caller, url = await answered(desk, carrier)
        socket = await desk.connect(caller, url)
        for text in caller.opening(0.0, {}):
            message = json.loads(text)
            if message["event"] == "start":
                message["start"]["mediaFormat"] |= {"encoding": encoding, "sampleRate": rate}
            await socket.send(json.dumps(message))
        return await desk.closed(socket, within=1.0), await desk.records()

    code, records = at_desk(work)
    assert code == 1008
    assert [r["ended_reason"] for r in records] == ["carrier.failed"]
    assert [encoding in r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [True]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_socket_that_leaves_before_start_leaves_nothing(at_desk: Any, carrier: str) -> None:
    async def work(desk: Any) -> Any:
        caller, url = await answered(desk, carrier)
        for how in ("close", "abort"):
            socket = await desk.connect(caller, url)
            if how == "close":
                await socket.close()
            else:
                socket.abort()
            await let_pass(0.1)
        right = await desk.stream(caller, url)
        on = len(desk.application.engine.sessions)
        await right.close()
        return on

    assert at_desk(work) == 1


@pytest.mark.parametrize("slow", [False, True])
def test_at_most_32_sockets_wait_for_their_start(at_desk: Any, slow: bool) -> None:
    """Also when all come before the first one is accepted, as they do when the network is slow."""

    async def work(desk: Any) -> Any:
        callers = [await answered(desk, "vobiz", seed) for seed in range(40)]
        if slow:
            desk.network = _slow(desk)
        outs: list[Any] = await asyncio.gather(*(desk.connect(c, url) for c, url in callers), return_exceptions=True)
        taken = [out for out in outs if not isinstance(out, Refused)]
        # A place is free again as soon as a stream has begun.
        caller, _ = callers[0]
        for text in caller.opening(0.0, {}):
            await taken[0].send(text)
        await let_pass(0.3)
        one_more = await desk.connect(*callers[-1])
        for socket in (*taken, one_more):
            await socket.close()
        return len(taken), len(outs) - len(taken)

    assert at_desk(work) == (32, 8)


def _slow(desk: Any) -> Any:
    application = desk.application

    async def late(scope: Any, receive: Any, send: Any) -> None:
        async def later(message: Any) -> None:
            await let_pass(0.2)
            await send(message)

        await application(scope, receive, later)

    return type(desk.network)(late)


# --- the upgrade


UPGRADES = [
    # policy, the token that signs (None: unsigned), opens
    ("required", "the-account-token", True),
    ("required", None, False),
    ("required", "another", False),
    ("if-present", "the-account-token", True),
    ("if-present", None, True),
    ("if-present", "another", False),
    ("off", "another", True),
    ("off", None, True),
]


@pytest.mark.parametrize(("policy", "token", "opens"), UPGRADES)
def test_twilios_upgrade_is_signed_by_policy(
    world: Any, at_desk: Any, policy: str, token: str | None, opens: bool
) -> None:
    world.signatures = policy

    async def work(desk: Any) -> bool:
        caller, url = await answered(desk, "twilio")
        if not opens:
            return await refused(desk, caller, url, token=token) != 403
        await (await desk.connect(caller, url, token=token)).close()
        return True

    assert at_desk(work) == opens


@pytest.mark.parametrize("policy", ["required", "if-present", "off"])
def test_vobiz_signs_no_upgrade_and_the_token_opens(world: Any, at_desk: Any, policy: str) -> None:
    world.signatures = policy

    async def work(desk: Any) -> Any:
        caller, url = await answered(desk, "vobiz")
        socket = await desk.connect(caller, url, token=None)
        await socket.close()
        return True

    assert at_desk(work)


@pytest.mark.parametrize(("offered", "chosen"), [((), None), (("audio.drachtio.org", "b"), "audio.drachtio.org")])
def test_the_first_subprotocol_is_echoed(at_desk: Any, offered: tuple[str, ...], chosen: str | None) -> None:
    async def work(desk: Any) -> Any:
        caller, url = await answered(desk, "vobiz")
        socket = await desk.connect(caller, url, subprotocols=offered)
        await socket.close()
        return socket.subprotocol

    assert at_desk(work) == chosen


# --- streams from documents that users wrote by hand


def by_hand(world: Any) -> Any:
    world.flow(TWO, "other")

    def change(settings: Settings) -> Settings:
        return replace(settings, flows=FlowSettings(str(world.folder), "test"))

    return change


@pytest.mark.parametrize(
    ("query", "opens"), [("", False), ("?key=", False), ("?key=wrong", False), ("?key=" + KEY, True)]
)
def test_vobiz_by_hand_brings_the_key_in_the_query(world: Any, at_desk: Any, query: str, opens: bool) -> None:
    world.stream_key = KEY

    async def work(desk: Any) -> bool:
        caller = desk.caller("vobiz")
        url = f"wss://voice.test/stream/vobiz{query}"
        if not opens:
            assert await refused(desk, caller, url) == 403
            return False
        socket = await desk.stream(caller, url)
        on = len(desk.application.engine.sessions)
        await socket.close()
        return on == 1

    assert at_desk(work, change=by_hand(world)) == opens


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("query", ["", "?key="])
def test_without_a_stream_key_nobody_comes_in_by_hand(at_desk: Any, carrier: str, query: str) -> None:
    async def work(desk: Any) -> Any:
        caller = desk.caller(carrier)
        return await refused(desk, caller, f"wss://voice.test/stream/{carrier}{query}", token=None)

    assert at_desk(work) == 403


@pytest.mark.parametrize(
    ("parameters", "code"),
    [({}, 1008), ({"key": "wrong"}, 1008), ({"key": ""}, 1008), ({"key": KEY}, None)],
)
def test_twilio_by_hand_brings_the_key_in_its_start(
    world: Any, at_desk: Any, parameters: dict[str, str], code: int | None
) -> None:
    """Its parameters come after the upgrade: an unsigned socket is accepted, and closed unless `start` has the key."""
    world.stream_key = KEY

    async def work(desk: Any) -> Any:
        caller = desk.caller("twilio")
        socket = await desk.connect(caller, "wss://voice.test/stream/twilio", token=None)
        for text in caller.opening(0.0, parameters):
            await socket.send(text)
        await let_pass(0.3)
        on, found = len(desk.application.engine.sessions), socket.close_code
        await socket.close()
        return on, found

    assert at_desk(work, change=by_hand(world)) == (int(code is None), code)


def test_twilio_by_hand_has_5_s_for_its_key(world: Any, at_desk: Any) -> None:
    world.stream_key = KEY

    async def work(desk: Any) -> Any:
        began = asyncio.get_running_loop().time()
        socket = await desk.connect(desk.caller("twilio"), "wss://voice.test/stream/twilio", token=None)
        code = await desk.closed(socket)
        return code, round(asyncio.get_running_loop().time() - began, 2), await desk.records()

    assert at_desk(work, change=by_hand(world)) == (1008, 5.0, [])


@pytest.mark.parametrize("key", ["", KEY])
def test_a_signed_upgrade_by_hand_needs_no_key(world: Any, at_desk: Any, key: str) -> None:
    world.stream_key = key

    async def work(desk: Any) -> int:
        socket = await desk.stream(desk.caller("twilio"), "wss://voice.test/stream/twilio")
        on = len(desk.application.engine.sessions)
        await socket.close()
        return on

    assert at_desk(work, change=by_hand(world)) == 1


HANDS = [
    # parameters, flow and arguments of the call (None: refused)
    ({}, ("test", {"plan": "silver"})),
    ({"plan": "gold"}, ("test", {"plan": "gold"})),
    ({"flow": "other", "count": "7"}, ("other", {"count": 7})),
    ({"flow": "nowhere"}, None),
    ({"flow": "other", "count": "seven"}, None),
]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(("parameters", "expected"), HANDS)
def test_flow_and_arguments_by_hand_are_stream_parameters(
    world: Any, at_desk: Any, carrier: str, parameters: dict[str, str], expected: Any
) -> None:
    world.stream_key = KEY

    async def work(desk: Any) -> Any:
        caller = desk.caller(carrier)
        given = {"key": KEY, **parameters}
        url = f"wss://voice.test/stream/{carrier}"
        if carrier == "vobiz":
            url += "?" + "&".join(f"{name}={value}" for name, value in given.items())
        socket = await desk.stream(caller, url, given if carrier == "twilio" else {})
        call, code = await desk.store.find_call(carrier, caller.call_id), socket.close_code
        await socket.close()
        if call is None:
            assert code == 1008
            return None
        return call.flow, call.args

    assert at_desk(work, change=by_hand(world)) == expected


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_dropped_call_by_hand_comes_back_as_a_stream(world: Any, at_desk: Any, carrier: str) -> None:
    """Nobody asks a continue address for it: the same call id on a new stream within 5 s is all there is (case 30)."""
    world.stream_key = KEY

    async def work(desk: Any) -> Any:
        caller = desk.caller(carrier)
        url = f"wss://voice.test/stream/{carrier}" + (f"?key={KEY}" if carrier == "vobiz" else "")
        first = await desk.stream(caller, url, {"key": KEY})
        first.abort()
        await let_pass(2.0)
        second = await desk.stream(caller, url, {"key": KEY})
        await let_pass(5.0)
        await second.send(caller.key("1", 8.0))
        code = await desk.closed(second)
        return code, await desk.records()

    code, records = at_desk(work, change=by_hand(world))
    assert code == 1000
    assert [(r["streams"], r["ended_reason"], r["path"]) for r in records] == [
        (2, "flow.hangup", ["main", "main", "bye"])
    ]
