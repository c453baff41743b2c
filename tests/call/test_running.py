"""Tools in a call: who waits for them, who cuts them off, and what a caller leaves behind."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from flowengine.call.ports import ToolRequest
from flowengine.call.running import LEFT_BEHIND
from flowengine.errors import ToolError
from flowengine.server.run import Application, Ports
from flowengine.settings import ToolSettings
from flowengine.testing import virtual_time
from flowengine.testing.script import Drop, ExpectEnd, HangUp, Silence, WaitAudio
from flowengine.testing.virtual_time import let_pass
from flowengine.tools.hosts import Hosts
from flowengine.tools.http import HttpTools

SECRET = "4111111111111111"
FLOW = """
flow: test
version: 1
vars: {card: {type: digits, default: "4111111111111111", private: true}}
tools:
  lookup: {python: "shop:lookup", retry: {times: 1, backoff: 300ms}, idempotent: true, timeout: 2s}
  book: {python: "shop:book", timeout: 20s}
  peek: {python: "shop:peek", when_interrupted: cancel, idempotent: true, timeout: 20s}
  log: {python: "shop:log", timeout: 4s}
  tidy: {python: "shop:tidy", when_interrupted: cancel, idempotent: true}
catch:
  error.tool.timeout: {say: Too slow., goto: bye}
  error.http.404: {say: Nobody knows it., goto: bye}
  error.tool: {say: It failed., tool: log, goto: bye}
  hangup: {tool: log}
  ended: {tool: tidy}
nodes:
  main:
    tool: {name: NAME, with: {card: "{{ card }}"}}
    goto: done
  done: {say: "It is {{ result }}.", goto: bye}
  bye: {say: Goodbye., goto: end}
"""


class Shop:
    """Runs tools: each as the test says, by its name."""

    def __init__(self, **tools: Callable[[], Awaitable[Any]]) -> None:
        self.tools = tools
        self.asked: list[ToolRequest] = []
        self.ended: list[str] = []

    async def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def run(self, request: ToolRequest) -> Any:
        self.asked.append(request)
        try:
            return await self.tools[request.tool]() if request.tool in self.tools else "done"
        except asyncio.CancelledError:
            self.ended.append(f"{request.tool} cancelled")
            raise
        finally:
            self.ended.append(request.tool)

    @property
    def names(self) -> list[str]:
        return [request.tool for request in self.asked]


def answers(*values: Any) -> Callable[[], Awaitable[Any]]:
    """Give one value after the other; raise those that are exceptions, wait for those that are seconds."""
    left = list(values)

    async def run() -> Any:
        value = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(value, Exception):
            raise value
        if isinstance(value, float):
            await let_pass(value)
            return "late"
        return value

    return run


def call(
    world: Any, shop: Shop, name: str, *steps: Any, rest: float = 0.0, carrier: Any = "twilio", most: int = 500
) -> Any:
    """Call the flow with one tool in its node; give the outcome and the counts after ``rest`` more seconds.

    ``most`` is how many runs a process has at once.
    """
    world.flow(FLOW.replace("NAME", name))

    async def go() -> tuple[Any, dict[str, int]]:
        application = await started(world, shop)
        application.engine.max_tool_runs = most
        outcome = await world.call(application, *(steps or (ExpectEnd(60),)), carrier=carrier)
        await let_pass(rest)
        counts = dict(application.engine.counts)
        assert not application.engine.tool_runs
        await application.aclose()
        return outcome, counts

    return virtual_time.run(go(), limit=3600)


async def started(world: Any, shop: Shop, **tools: Any) -> Application:
    """Start a server with this shop; flows are loaded without their functions, which there are not."""
    application = Application(world.settings(), Ports(world.store, world.voice, None, wall, {"python": shop, **tools}))
    application.flows._judge = lambda flow: ()
    await application.start()
    assert [d for loaded, _ in application.findings for d in loaded.diagnostics if d.severity == "error"] == []
    return application


def wall() -> float:
    return 1_800_000_000.0 + asyncio.get_running_loop().time()


@pytest.fixture(autouse=True)
def no_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions of these flows are the shop's: none is imported."""
    monkeypatch.setattr("flowengine.server.run.import_functions", lambda flow: None)


def test_the_flow_goes_on_with_the_answer(world: Any) -> None:
    shop = Shop(lookup=answers("here"))
    outcome, counts = call(world, shop, "lookup")
    assert outcome.prompts() == ["It is here.", "Goodbye."]
    assert shop.names == ["lookup", "tidy"]
    assert shop.asked[0].args == {"card": SECRET}
    assert shop.asked[0].target == "shop:lookup"
    assert shop.asked[0].key.startswith(outcome.record["id"] + ".")
    assert (counts["tool.done"], counts.get("tool.failed", 0)) == (2, 0)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (ToolError("error", "shop.Closed"), "It failed."),
        (ToolError("http.404"), "Nobody knows it."),
        (ToolError("http.500"), "It failed."),
        (RuntimeError(SECRET), "It failed."),
    ],
)
def test_a_failure_is_an_event_of_the_flow(
    world: Any, failure: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    outcome, counts = call(world, Shop(book=answers(failure)), "book")
    assert outcome.prompts()[0] == said
    assert counts["tool.failed"] == 1
    assert counts.get("tool.bug", 0) == isinstance(failure, RuntimeError)
    assert SECRET not in caplog.text
    assert "the tool book of call" in caplog.text


def test_a_failure_that_may_pass_is_tried_again_with_the_same_key(world: Any) -> None:
    shop = Shop(lookup=answers(ToolError("http.503"), "here"))
    outcome, _ = call(world, shop, "lookup")
    assert outcome.prompts()[0] == "It is here."
    assert shop.names[:2] == ["lookup", "lookup"]
    assert shop.asked[0].key == shop.asked[1].key


def test_a_run_whose_time_is_up_is_cut_off_and_its_late_answer_is_nobodys(world: Any) -> None:
    shop = Shop(lookup=answers(60.0, "here"))
    outcome, _ = call(world, shop, "lookup")
    assert outcome.prompts()[0] == "It is here."
    assert shop.ended[:2] == ["lookup cancelled", "lookup"]
    finished = [e for e in outcome.events if e["type"] == "ToolFinished"]
    assert [e["result"] for e in finished] == ["here"]


def test_a_run_that_is_too_slow_again_has_failed_once(world: Any) -> None:
    outcome, _ = call(world, Shop(lookup=answers(60.0)), "lookup")
    assert outcome.prompts() == ["Too slow.", "Goodbye."]


@pytest.mark.parametrize("carrier", ["twilio", "vobiz"])
def test_what_has_begun_comes_to_its_end_when_the_caller_hangs_up(world: Any, carrier: Any) -> None:
    shop = Shop(book=answers(8.0))
    outcome, counts = call(world, shop, "book", Silence(2), HangUp(), rest=LEFT_BEHIND, carrier=carrier)
    assert shop.names == ["book", "log", "tidy"]
    assert shop.ended == ["log", "tidy", "book"]
    assert counts["tool.done"] == 3
    assert outcome.record is not None


def test_what_takes_longer_than_a_call_leaves_it_is_cut_off(world: Any) -> None:
    shop = Shop(book=answers(19.0))
    _, counts = call(world, shop, "book", Silence(2), HangUp(), rest=LEFT_BEHIND + 1)
    assert shop.ended == ["log", "tidy", "book cancelled", "book"]
    assert counts["tool.done"] == 2


def test_what_may_be_cut_off_is_when_the_caller_hangs_up(world: Any) -> None:
    shop = Shop(peek=answers(19.0))
    call(world, shop, "peek", Silence(2), HangUp())
    assert shop.ended[:2] == ["peek cancelled", "peek"]


def test_a_handler_of_the_end_has_its_time_too(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody counts the time of a call that is over but the shell."""
    caplog.set_level(logging.WARNING)
    shop = Shop(log=answers(60.0), tidy=answers(1.0))
    call(world, shop, "book", HangUp(), rest=30)
    assert "log cancelled" in shop.ended
    assert "tidy cancelled" not in shop.ended
    assert "the tool log of call" in caplog.text


def test_a_caller_who_left_without_a_stream_has_handlers_too(world: Any) -> None:
    """The socket broke and the carrier never came back: it is noticed when no session is there."""
    shop = Shop(book=answers(3.0))
    outcome, _ = call(world, shop, "book", Silence(1), Drop("reset", "nothing"), rest=30)
    assert shop.names == ["book", "log", "tidy"]
    assert outcome.record["ended_reason"] == "caller.hangup"


def test_a_call_that_comes_back_does_nothing_twice(world: Any) -> None:
    """What changes something may have done it already."""
    shop = Shop(book=answers(3.0))
    outcome, _ = call(world, shop, "book", Silence(1), Drop("reset"), ExpectEnd(30))
    assert shop.names.count("book") == 1
    assert "It failed." in outcome.prompts()


def test_a_call_that_comes_back_asks_again_what_only_reads(world: Any) -> None:
    shop = Shop(lookup=answers(1.5, "here"))
    outcome, _ = call(world, shop, "lookup", Silence(1), Drop("reset"), ExpectEnd(30))
    assert shop.names.count("lookup") == 2
    assert "It is here." in outcome.prompts()


def test_a_kind_that_nobody_runs_fails(world: Any) -> None:
    world.flow(FLOW.replace("NAME", "book").replace('python: "shop:book"', "mcp: shop/book"))

    async def go() -> Any:
        application = await started(world, Shop())
        outcome = await world.call(application, ExpectEnd(60))
        await application.aclose()
        return outcome

    assert virtual_time.run(go()).prompts()[0] == "It failed."


def test_one_run_too_many_fails_at_once(world: Any) -> None:
    shop = Shop()
    outcome, counts = call(world, shop, "book", most=0)
    assert outcome.prompts()[0] == "It failed."
    assert shop.names == []
    assert counts["tool.refused"] == 3


def test_the_trace_covers_what_goes_to_a_tool(world: Any) -> None:
    call(world, Shop(), "book")
    (lines,) = world.store.traces.values()
    assert "RunTool" in "".join(lines)
    assert SECRET not in "".join(lines)


PRICE = """
flow: test
version: 1
vars: {city: {type: text, default: "Köln/1"}, price: money}
tools:
  lookup:
    http: GET
    url: "http://127.0.0.1:PORT/items/{{ city }}"
    take: items[0].price
    save: {price: "{{ result }}"}
  book: {http: POST, url: "http://127.0.0.1:PORT/book"}
nodes:
  main: {tool: lookup, goto: tell}
  tell: {say: "It costs {{ price | money }}.", goto: book}
  book:
    tool: {name: book, with: {what: bread}}
    catch: {error.http.503: {say: They are closed., goto: end}}
    goto: end
"""


def test_a_value_from_a_server_is_spoken(world: Any) -> None:
    """From the flow over a real socket to the caller's ear."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head)
        good = head.startswith("GET")
        body = json.dumps({"items": [{"price": 12.5}]}).encode()
        writer.write(f"HTTP/1.1 {'200 OK' if good else '503 Closed'}\r\nContent-Type: application/json\r\n".encode())
        writer.write(f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    async def go() -> Any:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        world.flow(PRICE.replace("PORT", str(port)))
        hosts = (f"127.0.0.1:{port}",)
        settings = world.settings()
        settings = type(settings)(settings.server, settings.flows, settings.carriers, tools=ToolSettings(hosts=hosts))
        tools = {"http": HttpTools(Hosts(hosts))}
        async with server:
            application = Application(settings, Ports(world.store, world.voice, None, wall, tools))
            await application.start()
            assert application.findings == []
            outcome = await world.call(application, WaitAudio(0.1), ExpectEnd(20))
            await application.aclose()
        return outcome

    world.voice.delay = 0.0
    world.voice.lengths = {"It costs $12.50.": 0.5, "They are closed.": 0.3}
    # On the clock of the world: the server is a real one.
    outcome = asyncio.run(go())
    assert outcome.prompts() == ["It costs $12.50.", "They are closed."]
    assert "It costs $12.50." in world.voice.spoken
    assert asked[0].startswith("GET /items/K%C3%B6ln%2F1 HTTP/1.1\r\n")
    assert asked[1].startswith("POST /book HTTP/1.1\r\n")
    assert "idempotency-key: " in asked[1].lower()
