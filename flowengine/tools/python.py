"""Python tools: functions of the modules that the settings allow.

An async function runs on the loop of the calls and must not block it; a plain one runs in a thread of its own. A thread
can not be stopped: one whose time is up goes on unheard and keeps its place until it ends, so that functions that hang
take no more than their ``THREADS`` places. The threads are daemons: none of them keeps the server from ending.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from flowengine.call.ports import ANSWER, ToolRequest
from flowengine.errors import EnvironmentProblem, ToolError

THREADS = 16  # plain functions at once; one more waits for a place, as long as the tool may take
KEY = "idempotency_key"


class PythonTools:
    """Implements the port ``ToolRunner`` for `python`. ``find`` imports a function by `module:function`."""

    def __init__(self, modules: Iterable[str], find: Callable[[str], Callable[..., Any]]) -> None:
        self._modules = tuple(modules)
        self._find = find
        self._places = asyncio.Semaphore(THREADS)
        self._found: dict[str, Callable[..., Any]] = {}

    async def start(self) -> None:
        """Nothing to start: who loads the flows imports their functions."""

    async def aclose(self) -> None:
        """Nothing to close: the threads are daemons."""

    async def run(self, request: ToolRequest) -> Any:
        """Call the function with its arguments by name; raises ``ToolError``, `error` for its every exception.

        A function with a parameter `idempotency_key` that the flow does not fill is given the run's key.
        """
        if not allowed(request.target, self._modules):
            raise ToolError("error", "tools.python does not name its module")
        function = self._found.get(request.target) or await self._import(request.target)
        args = _fitting(function, request)
        if inspect.iscoroutinefunction(function):
            return _plain(await _awaited(function(**args)))
        result, later = await self._in_thread(lambda: _called(function, args))
        return _plain(await _awaited(later)) if later is not None else result

    async def _import(self, target: str) -> Callable[..., Any]:
        """Import a function, in a thread: that of an older revision of a flow comes in only now, and may take long."""
        try:
            function = await asyncio.to_thread(self._find, target)
        except EnvironmentProblem as problem:
            raise ToolError("error", str(problem)) from None
        self._found[target] = function
        return function

    async def _in_thread(self, work: Callable[[], tuple[Any, Awaitable[Any] | None]]) -> Any:
        loop = asyncio.get_running_loop()
        await self._places.acquire()
        answer: asyncio.Future[Any] = loop.create_future()

        def ended(result: Any, error: ToolError | None) -> None:
            self._places.release()
            if answer.done():
                return  # nobody waits any more
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)

        def body() -> None:
            result, error = None, None
            try:
                result = work()
            except ToolError as failure:
                error = failure
            try:
                loop.call_soon_threadsafe(ended, result, error)
            except RuntimeError:
                return  # the loop is closed: the server has ended without us

        try:
            threading.Thread(target=body, name="flowengine tool", daemon=True).start()
        except RuntimeError:
            self._places.release()
            raise ToolError("error", "the system gives no more threads") from None
        return await answer


def allowed(target: str, modules: Iterable[str]) -> bool:
    """Say whether a `module:function` is of one of these modules, or of one below them."""
    module = target.partition(":")[0]
    return any(module == one or module.startswith(f"{one}.") for one in modules)


def _fitting(function: Callable[..., Any], request: ToolRequest) -> Mapping[str, Any]:
    """Give the arguments of a call; raises ``ToolError`` where they do not fit the function's parameters."""
    args = dict(request.args)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return args  # one written in C: it says by itself what does not fit
    if KEY in signature.parameters:
        args.setdefault(KEY, request.key)
    try:
        signature.bind(**args)
    except TypeError:
        raise ToolError("error", "its arguments do not fit the parameters of the function") from None
    return args


def _called(function: Callable[..., Any], args: Mapping[str, Any]) -> tuple[Any, Awaitable[Any] | None]:
    """Call a function in its thread: give its result, or what it wants awaited."""
    try:
        result = function(**args)
    except BaseException as error:  # its thread has nobody else to tell, whatever it is
        raise _raised(error) from None
    return (None, result) if inspect.isawaitable(result) else (_plain(result), None)


async def _awaited(work: Awaitable[Any]) -> Any:
    try:
        return await work
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise _raised(error) from None  # it cancelled something of its own
    except (Exception, SystemExit) as error:  # an author's function raises what it likes
        raise _raised(error) from None


def _raised(error: BaseException) -> ToolError:
    """Give what the log may know of an exception: its type and where it was raised; its text may quote the caller."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = f" at {at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at is not None else ""
    return ToolError("error", f"{type(error).__module__}.{type(error).__qualname__}{where}")


def _plain(result: Any) -> Any:
    """Give a result as plain JSON data; raises ``ToolError`` for what is none, or too much."""
    try:
        text = json.dumps(result, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ToolError("error", f"its result, of type {type(result).__qualname__}, is no JSON") from None
    if len(text) > ANSWER:
        raise ToolError("error", f"its result has more than {ANSWER} bytes")
    return json.loads(text)
