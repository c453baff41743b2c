"""Python tools: functions as authors write them, the bad ones included."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from flowengine.call.ports import ToolRequest
from flowengine.errors import EnvironmentProblem, ToolError
from flowengine.testing.virtual_time import let_pass
from flowengine.tools.python import THREADS, PythonTools, allowed


def request(args: dict[str, Any] | None = None, target: str = "shop:it") -> ToolRequest:
    return ToolRequest("tool", target, args or {}, {}, "CALL.1.t1")


def tools(function: Callable[..., Any]) -> PythonTools:
    return PythonTools(["shop"], lambda target: function)


def called(function: Callable[..., Any], **args: Any) -> Any:
    """Call a function as a tool; give its answer, or what failed."""

    async def go() -> Any:
        runner = tools(function)
        await runner.start()
        try:
            return await runner.run(request(args))
        except ToolError as error:
            return str(error)
        finally:
            await runner.aclose()

    return asyncio.run(go())


def plain(a: int, b: int = 2) -> Any:
    """Add in a thread."""
    return {"sum": a + b, "thread": threading.current_thread() is not threading.main_thread()}


async def waiting(a: int, b: int = 2) -> Any:
    """Add on the loop."""
    await let_pass(0)
    return {"sum": a + b, "thread": threading.current_thread() is not threading.main_thread()}


class Shop:
    """What has methods can be a tool, too."""

    def __call__(self, a: int) -> int:
        return a + 1


def handing_over(a: int) -> Any:
    """Give what has to be awaited."""
    return waiting(a)


def test_a_plain_function_runs_in_a_thread_and_an_async_one_on_the_loop() -> None:
    assert called(plain, a=1) == {"sum": 3, "thread": True}
    assert called(waiting, a=1, b=4) == {"sum": 5, "thread": False}
    assert called(handing_over, a=1) == {"sum": 3, "thread": False}
    assert called(functools.partial(plain, a=1), b=1) == {"sum": 2, "thread": True}
    assert called(functools.partial(waiting, a=1), b=1) == {"sum": 2, "thread": False}
    assert called(Shop(), a=1) == 2


def test_a_function_that_asks_for_the_key_of_its_run_is_given_it() -> None:
    assert called(lambda a, idempotency_key: [a, idempotency_key], a=1) == [1, "CALL.1.t1"]
    assert called(lambda *, idempotency_key="": idempotency_key) == "CALL.1.t1"
    assert called(lambda idempotency_key: idempotency_key, idempotency_key="mine") == "mine"
    assert called(lambda **rest: rest, a=1) == {"a": 1}


@pytest.mark.parametrize("args", [{}, {"a": 1, "c": 2}, {"x": 1}])
@pytest.mark.parametrize("function", [plain, waiting])
def test_arguments_that_do_not_fit(function: Any, args: dict[str, Any]) -> None:
    assert called(function, **args) == "error (its arguments do not fit the parameters of the function)"


def test_what_is_given_is_what_the_flow_has() -> None:
    assert called(lambda day: day.isoformat(), day=date(2026, 11, 26)) == "2026-11-26"


SECRET = "4111 1111 1111 1111"


def raising() -> None:
    raise ValueError(SECRET)


async def raising_later() -> None:
    await let_pass(0)
    raise KeyError(SECRET)


def leaving() -> None:
    sys.exit(SECRET)


async def leaving_later() -> None:
    await let_pass(0)
    sys.exit(SECRET)


async def cancelling_itself() -> None:
    raise asyncio.CancelledError(SECRET)


def stopping() -> None:
    raise KeyboardInterrupt(SECRET)


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (raising, "builtins.ValueError"),
        (raising_later, "builtins.KeyError"),
        (leaving, "builtins.SystemExit"),
        (leaving_later, "builtins.SystemExit"),
        (cancelling_itself, "asyncio.exceptions.CancelledError"),
        (stopping, "builtins.KeyboardInterrupt"),
    ],
)
def test_an_exception_is_told_by_its_type_and_place_never_by_its_text(function: Any, kind: str) -> None:
    told = called(function)
    assert told.startswith(f"error ({kind} at ")
    assert "test_python.py:" in told
    assert SECRET not in told


def recursive() -> Any:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    "function",
    [
        lambda: {1, 2},
        lambda: b"bytes",
        lambda: date(2026, 11, 26),
        lambda: float("nan"),
        lambda: [float("inf")],
        lambda: {(1, 2): 3},
        lambda: object(),
        recursive,
    ],
)
def test_a_result_that_is_no_json(function: Any) -> None:
    told = called(function)
    assert told.startswith("error (its result, of type ")
    assert told.endswith(", is no JSON)")


def test_a_result_that_is_too_long() -> None:
    assert called(lambda: "a" * 300_000) == "error (its result has more than 262144 bytes)"


def test_a_result_is_plain_data_of_its_own() -> None:
    assert called(lambda: {"a": (1, 2), 3: None}) == {"a": [1, 2], "3": None}
    assert called(lambda: None) is None


def test_modules_that_are_not_named_are_not_even_imported() -> None:
    found: list[str] = []

    async def go() -> None:
        def find(target: str) -> Callable[..., Any]:
            found.append(target)
            return lambda: 1

        runner = PythonTools(["shop", "acme.tools"], find)
        for target in ("os:system", "shopping:it", "acme:it", "acme.toolshed:it"):
            with pytest.raises(ToolError, match=r"tools\.python does not name its module"):
                await runner.run(request(target=target))
        for target in ("shop:it", "shop.inner:it", "acme.tools:it", "shop:it"):
            assert await runner.run(request(target=target)) == 1

    asyncio.run(go())
    assert found == ["shop:it", "shop.inner:it", "acme.tools:it"]
    assert not allowed("os:system", [])


def test_a_function_that_is_not_there() -> None:
    def find(target: str) -> Any:
        raise EnvironmentProblem("there is no function it in the module shop")

    async def go() -> None:
        with pytest.raises(ToolError, match="there is no function it"):
            await PythonTools(["shop"], find).run(request())

    asyncio.run(go())


def test_an_async_function_is_cancelled_when_its_time_is_up() -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await let_pass(60)
        finally:
            ended.append("cancelled")

    async def go() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await tools(slow).run(request())

    asyncio.run(go())
    assert ended == ["cancelled"]


def test_a_thread_that_hangs_keeps_its_place_and_no_more() -> None:
    """What can not be stopped is bounded, and does not keep the loop from ending."""
    hold = threading.Event()
    began = threading.Semaphore(0)

    def hang() -> str:
        began.release()
        hold.wait(30)
        return "late"

    async def go() -> None:
        runner = tools(hang)
        hanging = [asyncio.create_task(runner.run(request())) for _ in range(THREADS)]
        for _ in range(THREADS):
            await asyncio.to_thread(began.acquire, timeout=10)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await runner.run(request())
        for task in hanging:
            task.cancel()
        await asyncio.wait(hanging)
        # Nobody waits for them, and yet there is no place: they are still there.
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await runner.run(request())
        hold.set()
        async with asyncio.timeout(10):
            assert await runner.run(request()) == "late"

    asyncio.run(go())


def test_a_system_without_threads_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def go() -> None:
        runner = tools(plain)
        await runner.run(request({"a": 1}))
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", no_more)
            for _ in range(THREADS + 1):
                with pytest.raises(ToolError, match="no more threads"):
                    await runner.run(request({"a": 1}))
        assert (await runner.run(request({"a": 1})))["sum"] == 3

    asyncio.run(go())


def test_a_thread_that_outlives_the_loop_is_of_no_consequence() -> None:
    hold = threading.Event()

    def hang() -> None:
        hold.wait(30)

    async def go() -> threading.Thread:
        before = set(threading.enumerate())
        task = asyncio.create_task(tools(hang).run(request()))
        while not (new := [t for t in set(threading.enumerate()) - before if t.name == "flowengine tool"]):
            await let_pass(0)
        task.cancel()
        await asyncio.wait({task})
        return new[0]

    thread = asyncio.run(go())
    assert thread.daemon
    hold.set()
    thread.join(10)
    assert not thread.is_alive()
