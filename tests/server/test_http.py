"""The carrier's requests, one by one: who is let in, what a call is told, how it goes on."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from flowengine.settings import FlowSettings, Route, Settings
from flowengine.testing.virtual_time import let_pass

CARRIERS = ("twilio", "vobiz")
STREAM = {"twilio": ["Connect", "Stream", "Redirect"], "vobiz": ["Stream", "Redirect"]}
APOLOGY = {"twilio": ["Say", "Hangup"], "vobiz": ["Speak", "Hangup"]}
DIALLED = {"twilio": "DialCallStatus", "vobiz": "DialStatus"}
SECOND = """
flow: second
version: 1
args: {number: {type: int, required: true}}
nodes:
  a: {say: "Number {{ args.number }}.", goto: end}
"""


def call_id(carrier: Any) -> tuple[str, str]:
    return ("CallSid" if carrier.marks_survive_clear else "CallUUID", carrier.call_id)


# --- who is let in


@pytest.mark.parametrize("path", ["/answer/nobody", "/status/nobody", "/continue/nobody/x.y", "/answer", "/else"])
def test_an_unknown_carrier_or_address_is_404(at_desk: Any, path: str) -> None:
    async def work(desk: Any) -> int:
        return int((await desk.ask(desk.caller(), path)).status)

    assert at_desk(work) == 404


DOORS = [
    # policy, the token that signs (None: unsigned), status
    ("required", "the-account-token", 200),
    ("required", "another", 403),
    ("required", None, 403),
    ("if-present", "the-account-token", 200),
    ("if-present", "another", 403),
    ("if-present", None, 200),
    ("off", "another", 200),
    ("off", None, 200),
]


@pytest.mark.parametrize(("policy", "token", "status"), DOORS)
@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("address", ["answer", "status"])
def test_signatures_by_policy(
    world: Any, at_desk: Any, carrier: str, method: str, address: str, policy: str, token: str | None, status: int
) -> None:
    world.signatures = policy

    async def work(desk: Any) -> tuple[int, int]:
        document = await desk.ask(desk.caller(carrier), f"/{address}/{carrier}", token=token, method=method)
        return document.status, desk.counts.get("forged", 0)

    wanted = 204 if (address, status) == ("status", 200) else status
    assert at_desk(work) == (wanted, int(status == 403))


@pytest.mark.parametrize("token", ["any", None])
def test_without_a_token_a_signature_counts_as_none(at_desk: Any, token: str | None) -> None:
    """On a developer's machine without an account's token: what can not be checked is like an unsigned request."""

    def change(settings: Settings) -> Settings:
        return replace(settings, carriers={}, server=replace(settings.server, host="127.0.0.1"))

    async def work(desk: Any) -> int:
        return int((await desk.answer(desk.caller(), token=token)).status)

    assert at_desk(work, change=change) == 200


def test_a_signature_of_one_path_does_not_open_another(at_desk: Any) -> None:
    async def work(desk: Any) -> int:
        carrier = desk.caller("vobiz")
        headers = carrier.sign("https://voice.test/status/vobiz", (), "the-account-token")
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        name, value = call_id(carrier)
        answer = await desk.client.post("/answer/vobiz", content=f"{name}={value}", headers=headers)
        return int(answer.status_code)

    assert at_desk(work) == 403


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ([("Big", "x" * 63_000)], 200),
        ([("Big", "x" * 66_000)], 413),
        ([(f"f{n}", "") for n in range(180)], 200),
        ([(f"f{n}", "") for n in range(201)], 413),
    ],
)
def test_a_request_has_bounds(at_desk: Any, extra: Any, status: int) -> None:
    async def work(desk: Any) -> int:
        return int((await desk.ask(desk.caller(), "/answer/twilio", extra)).status)

    assert at_desk(work) == status


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("address", ["answer", "status"])
@pytest.mark.parametrize("body", ["", "a=b", "%ff%fe=%00", "{}", "=&=&;;", "CallSid=&CallUUID="])
def test_a_request_that_names_no_call_is_400(at_desk: Any, world: Any, carrier: str, address: str, body: str) -> None:
    world.signatures = "off"

    async def work(desk: Any) -> int:
        return int((await desk.client.post(f"/{address}/{carrier}", content=body)).status_code)

    assert at_desk(work) == 400


# --- the first document


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_call_gets_a_stream_and_a_second_request_the_same(at_desk: Any, carrier: str, method: str) -> None:
    async def work(desk: Any) -> Any:
        caller = desk.caller(carrier)
        first = await desk.answer(caller, method=method)
        again = await desk.answer(caller, method=method)
        other = await desk.answer(desk.caller(carrier, 2), method=method)
        return first, again, other

    first, again, other = at_desk(work)
    assert (first.status, first.verbs) == (200, STREAM[carrier])
    assert again == first
    assert other.stream != first.stream
    assert other.go_on != first.go_on


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(
    ("rest", "expected"),
    [("", "test"), ("/second?number=1", "second"), ("/test", "test")],
)
def test_the_flow_in_the_address_goes_before_the_default(
    world: Any, at_desk: Any, carrier: str, rest: str, expected: str
) -> None:
    assert flow_that_ran(world, at_desk, carrier, rest, FlowSettings(str(world.folder), "test")) == expected


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ((Route("+15551234567", "routed"),), "routed"),
        ((Route("+15559999999", "routed"), Route("+15551234567", "test")), "test"),
        ((Route("+15559999999", "routed"),), "other"),
    ],
)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_route_for_the_called_number_goes_before_the_default(
    world: Any, at_desk: Any, carrier: str, routes: Any, expected: str
) -> None:
    """Vobiz writes numbers without their plus, and the route is found all the same."""
    for name in ("routed", "other"):
        world.flow(f"flow: {name}\nversion: 1\nnodes:\n  a: {{say: Hello., goto: end}}\n", name)
    flows = FlowSettings(str(world.folder), "other", routes)
    assert flow_that_ran(world, at_desk, carrier, "", flows) == expected


def flow_that_ran(world: Any, at_desk: Any, carrier: str, rest: str, flows: FlowSettings) -> str:
    world.flow(SECOND, "second")

    async def work(desk: Any) -> str:
        caller = desk.caller(carrier)
        assert (await desk.answer(caller, rest)).verbs == STREAM[carrier]
        call = await desk.store.find_call(carrier, caller.call_id)
        return str(call.flow)

    return str(at_desk(work, change=lambda settings: replace(settings, flows=flows)))


@pytest.mark.parametrize("carrier", CARRIERS)
def test_arguments_come_from_the_query_of_the_address(world: Any, at_desk: Any, carrier: str) -> None:
    world.flow(SECOND, "second")

    async def work(desk: Any) -> Any:
        caller = desk.caller(carrier)
        first = await desk.answer(caller, "/second?number=12&other=x")
        socket = await desk.stream(caller, first.stream)
        await let_pass(1.0)
        await socket.close()
        await desk.records()
        call = await desk.store.find_call(carrier, caller.call_id)
        return call.args

    assert at_desk(work) == {"number": 12}
    assert "Number 12." in world.voice.spoken


BAD = [
    ("/nowhere", "nowhere", ""),
    ("/second", "number", ""),
    ("/second?number=hunter2", "number", "hunter2"),
    ("/test?plan=bronze-secret", "plan", "bronze-secret"),
]


@pytest.mark.parametrize(("rest", "named", "kept"), BAD)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_flow_that_can_not_run_is_apologized_for(
    world: Any, at_desk: Any, caplog: Any, carrier: str, rest: str, named: str, kept: str
) -> None:
    """The caller hears the carrier's voice, the operator reads an error with the name and without the value."""
    world.flow(SECOND, "second")

    async def work(desk: Any) -> Any:
        return await desk.answer(desk.caller(carrier), rest)

    document = at_desk(work)
    assert (document.status, document.verbs) == (200, APOLOGY[carrier])
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert named in errors[0]
    assert not kept or kept not in caplog.text


def test_two_flows_without_a_default_are_apologized_for(world: Any, at_desk: Any) -> None:
    world.flow(SECOND, "second")

    async def work(desk: Any) -> Any:
        return await desk.answer(desk.caller())

    assert at_desk(work).verbs == APOLOGY["twilio"]


def test_vobiz_tells_the_end_of_a_call_at_the_answer_address(at_desk: Any) -> None:
    async def work(desk: Any) -> Any:
        caller = desk.caller("vobiz")
        await desk.answer(caller)
        form = [("CallUUID", caller.call_id), ("Event", "Hangup"), ("CallStatus", "completed")]
        over = await desk.ask(caller, "/answer/vobiz", form)
        strange = await desk.ask(desk.caller("vobiz", 2), "/answer/vobiz", [("Event", "Hangup")])
        return over.verbs, strange.verbs, await desk.records()

    over, strange, records = at_desk(work)
    assert over == strange == ["Hangup"]
    assert [record["ended_reason"] for record in records] == ["caller.hangup"]


# --- how many


def test_a_full_server_refuses_new_calls_and_keeps_those_it_has(world: Any, at_desk: Any) -> None:
    world.max_calls = 2

    async def work(desk: Any) -> Any:
        one, two, three = (desk.caller("twilio", seed) for seed in (1, 2, 3))
        first = await desk.answer(one)
        # A carrier that asks twice for one call does not take the place of another.
        again = await desk.answer(one)
        second = await desk.answer(two)
        refused = await desk.answer(three)
        socket = await desk.stream(one, first.stream)
        still = await desk.answer(three)
        known = await desk.answer(two)
        await socket.close()
        await desk.records()
        free = await desk.answer(three)
        return [d.status for d in (first, again, second, refused, still, known, free)]

    assert at_desk(work) == [200, 200, 200, 503, 503, 200, 200]


def test_a_caller_who_leaves_before_the_stream_leaves_a_place(world: Any, at_desk: Any) -> None:
    world.max_calls = 1

    async def work(desk: Any) -> Any:
        one, two = desk.caller("twilio", 1), desk.caller("twilio", 2)
        await desk.answer(one)
        full = await desk.answer(two)
        await desk.ask(one, "/status/twilio", status="completed")
        free = await desk.answer(two)
        return full.status, free.status

    assert at_desk(work) == (503, 200)


def test_a_document_that_nobody_used_counts_until_its_token_expires(world: Any, at_desk: Any) -> None:
    world.max_calls = 1

    async def work(desk: Any) -> Any:
        await desk.answer(desk.caller("twilio", 1))
        full = await desk.answer(desk.caller("twilio", 2))
        await let_pass(61)
        free = await desk.answer(desk.caller("twilio", 2))
        return full.status, free.status, len(desk.application.webhooks.calls.offered)

    # What expired is forgotten, or a server that runs for months would hold every call that never came.
    assert at_desk(work) == (503, 200, 1)


def test_a_draining_server_takes_no_new_calls_but_those_it_knows(at_desk: Any) -> None:
    async def work(desk: Any) -> Any:
        known, new = desk.caller("twilio", 1), desk.caller("twilio", 2)
        document = await desk.answer(known)
        before = (await desk.client.get("/ready")).status_code
        desk.application.webhooks.open = False
        again = await desk.answer(known)
        refused = await desk.client.get("/health"), await desk.answer(new)
        ready = await desk.client.get("/ready")
        socket = await desk.stream(known, document.stream)
        on = len(desk.application.engine.sessions)
        await socket.close()
        await desk.records()
        gone = await desk.answer(known)
        statuses = [before, again.status, refused[0].status_code, refused[1].status, ready.status_code, gone.status]
        return statuses, ready.json()["status"], on

    statuses, status, on = at_desk(work)
    assert statuses == [200, 200, 200, 503, 503, 503]
    assert (status, on) == ("draining", 1)


def test_health_and_ready_tell_how_it_is(at_desk: Any) -> None:
    async def work(desk: Any) -> Any:
        caller = desk.caller()
        socket = await desk.stream(caller, (await desk.answer(caller)).stream)
        health, ready = await desk.client.get("/health"), await desk.client.get("/ready")
        posted = await desk.client.post("/health")
        await socket.close()
        return health, ready, posted

    health, ready, posted = at_desk(work)
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()["status"], ready.json()["calls"]) == (200, "ready", 1)
    assert posted.status_code == 405


# --- how it goes on


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_forged_call_address_is_403(at_desk: Any, carrier: str) -> None:
    async def work(desk: Any) -> list[int]:
        caller = desk.caller(carrier)
        document = await desk.answer(caller)
        address = document.go_on
        call, _, mac = address.partition("?")[0].rpartition("/")[2].partition(".")
        base = address.rpartition("/")[0]
        other = call[:-1] + ("1" if call.endswith("0") else "0")
        forged = [f"{call}.{mac[:-1]}", f"{other}.{mac}", f"{call}.", call, f".{mac}", f"{call}.{mac}.x", "é.é"]
        return [(await desk.ask(caller, f"{base}/{text}")).status for text in forged]

    assert at_desk(work) == [403] * 7


def test_a_call_goes_on_only_with_its_own_carrier(at_desk: Any) -> None:
    async def work(desk: Any) -> Any:
        caller = desk.caller("twilio")
        document = await desk.answer(caller)
        other = document.go_on.replace("/continue/twilio/", "/continue/vobiz/")
        answer = await desk.ask(desk.caller("vobiz"), other)
        call = await desk.store.find_call("twilio", caller.call_id)
        return answer.verbs, call.state, call.offers

    assert at_desk(work) == (["Hangup"], "answered", 1)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_same_request_twice_has_the_same_kind_of_answer(at_desk: Any, carrier: str) -> None:
    async def work(desk: Any) -> Any:
        caller = desk.caller(carrier)
        first = await desk.answer(caller)
        on = [(await desk.ask(caller, first.go_on)).verbs for _ in range(2)]
        socket = await desk.stream(caller, first.stream)
        await socket.close(1000)
        if carrier == "twilio":
            await desk.ask(caller, "/status/twilio", status="completed")
        records = await desk.records()
        off = [(await desk.ask(caller, first.go_on)).verbs for _ in range(2)]
        return on, off, len(records)

    assert at_desk(work) == ([STREAM[carrier]] * 2, [["Hangup"]] * 2, 1)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_loop_of_resumes_ends(at_desk: Any, carrier: str) -> None:
    async def work(desk: Any) -> Any:
        caller = desk.caller(carrier)
        document = await desk.answer(caller)
        answers = [(await desk.ask(caller, document.go_on)).verbs for _ in range(12)]
        return answers, await desk.records()

    answers, records = at_desk(work)
    assert answers == [STREAM[carrier]] * 7 + [["Hangup"]] * 5
    # Also a call that we end for going in circles leaves its one record.
    assert [record["ended_reason"] for record in records] == ["carrier.failed"]


async def until_transfer(desk: Any, carrier: str, key: str) -> Any:
    """Bring a call to where the carrier asks what to dial."""
    caller = desk.caller(carrier)
    document = await desk.answer(caller)
    socket = await desk.stream(caller, document.stream)
    await socket.send(caller.key(key, 1.0))
    code = await desk.closed(socket)
    assert code in (1000, None)
    return caller, document


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_transfer_is_a_dial_and_its_outcome_a_new_stream(at_desk: Any, carrier: str) -> None:
    async def work(desk: Any) -> Any:
        caller, document = await until_transfer(desk, carrier, "2")
        dials = [await desk.ask(caller, document.go_on) for _ in range(2)]
        action = dials[0].go_on
        outcomes = [await desk.ask(caller, action, [(DIALLED[carrier], "busy")]) for _ in range(2)]
        socket = await desk.stream(caller, outcomes[1].stream)
        await socket.close(1000)
        await desk.ask(caller, f"/status/{carrier}", [("Event", "Hangup")], status="completed")
        records = await desk.records()
        return dials, outcomes, records

    dials, outcomes, records = at_desk(work)
    assert dials[0] == dials[1]
    assert dials[0].verbs == ["Dial", "Number"]
    assert "+15550100" in dials[0].xml
    assert [outcome.verbs for outcome in outcomes] == [STREAM[carrier]] * 2
    assert [(r["path"], r["streams"]) for r in records] == [(["main", "person", "main"], 2)]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_list_of_numbers_is_dialled_one_by_one(at_desk: Any, carrier: str) -> None:
    async def work(desk: Any) -> Any:
        caller, document = await until_transfer(desk, carrier, "3")
        found = [await desk.ask(caller, document.go_on)]
        for _ in range(2):
            # Each dial's end is told twice, as by a carrier whose first request was lost on its way back.
            action = found[-1].go_on
            answers = [await desk.ask(caller, action, [(DIALLED[carrier], "no-answer")]) for _ in range(2)]
            assert answers[0].verbs == answers[1].verbs
            found.append(answers[1])
        return found

    one, two, stream = at_desk(work)
    assert "+15550101" in one.xml
    assert "+15550102" in two.xml
    assert stream.verbs == STREAM[carrier]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("told", ["continue", "status"])
def test_the_caller_leaves_while_it_rings(at_desk: Any, carrier: str, told: str) -> None:
    async def work(desk: Any) -> Any:
        caller, document = await until_transfer(desk, carrier, "2")
        dial = await desk.ask(caller, document.go_on)
        if told == "continue":
            words = {"twilio": "canceled", "vobiz": "cancel"}
            answers = [
                (await desk.ask(caller, dial.go_on, [(DIALLED[carrier], words[carrier])], status="completed")).verbs
                for _ in range(2)
            ]
        else:
            form = [("Event", "Hangup")] if carrier == "vobiz" else []
            answers = [(await desk.ask(caller, f"/status/{carrier}", form, status="completed")).verbs] * 2
        return answers, await desk.records()

    answers, records = at_desk(work)
    assert answers == [["Hangup"] if told == "continue" else []] * 2
    assert [(r["ended_reason"], r["path"]) for r in records] == [("caller.hangup", ["main", "person"])]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_after_our_hang_up_the_carrier_is_told_to_hang_up(at_desk: Any, carrier: str) -> None:
    async def work(desk: Any) -> Any:
        caller, document = await until_transfer(desk, carrier, "1")
        return (await desk.ask(caller, document.go_on)).verbs, await desk.records()

    verbs, records = at_desk(work)
    assert verbs == ["Hangup"]
    assert [r["ended_reason"] for r in records] == ["flow.hangup"]


def test_status_of_a_stranger_or_of_a_stream_changes_nothing(at_desk: Any) -> None:
    async def work(desk: Any) -> Any:
        caller = desk.caller()
        document = await desk.answer(caller)
        await desk.ask(desk.caller("twilio", 9), "/status/twilio", status="completed")
        await desk.ask(caller, "/status/twilio", [("StreamEvent", "stream-stopped")], status="completed")
        socket = await desk.stream(caller, document.stream)
        on = len(desk.application.engine.sessions)
        await socket.close()
        return on

    assert at_desk(work) == 1
