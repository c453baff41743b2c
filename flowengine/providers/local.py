"""The voice that is always there: espeak-ng in one resident process per server; no network, no key.

The process (``espeak_worker``) answers requests in their order, matched by id. It is restarted when it dies, at most
five times a minute, and killed when a request is not served in time: espeak-ng is native code and may hang.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Literal

from flowengine.call.ports import SpeechRequest
from flowengine.errors import ProviderError
from flowengine.providers.espeak_worker import HEADER

_NAME = "local"
_RESTARTS = 5
_RESTART_WINDOW = 60.0
_WAITING = 64  # requests in the worker's queue
_LARGEST = 1 << 20  # bytes of a message; ours are of 8000

_Answer = tuple[bytes, bytes]
_GONE = b"!"  # the kind of the answer that we make up when the worker is gone


class _Worker:
    """One process and who waits for it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid
        self._waiting: dict[int, asyncio.Queue[_Answer]] = {0: asyncio.Queue()}
        self._number = 0
        self.dead = False
        self._why = b"exited"
        self._reader = asyncio.create_task(self._read(), name="espeak-worker-reader")

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def ask(self, request: SpeechRequest) -> int:
        self._number += 1
        self._waiting[self._number] = asyncio.Queue()
        fields = {"text": request.text, "lang": request.lang, "voice": request.voice, "rate": request.rate}
        if self.dead:  # it may have died after its last answer, before anybody looked
            self._waiting[self._number].put_nowait((_GONE, self._why))
        else:
            self._write(self._number, b"S", json.dumps(fields).encode())
        return self._number

    def _write(self, number: int, kind: bytes, payload: bytes = b"") -> None:
        assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
        # Bounded without drain: at most _WAITING texts, and a request that is not served in time ends the process.
        self._process.stdin.write(HEADER.pack(len(payload), number, kind) + payload)

    async def answer(self, number: int) -> _Answer:
        return await self._waiting[number].get()

    def forget(self, number: int, *, cancel: bool) -> None:
        del self._waiting[number]
        if cancel and not self.dead:
            self._write(number, b"C")

    async def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        try:
            while True:
                length, number, kind = HEADER.unpack(await self._process.stdout.readexactly(HEADER.size))
                if length > _LARGEST or kind not in b"RAEX":
                    self._why = b"wrote what is no message"
                    break
                payload = await self._process.stdout.readexactly(length)
                if (queue := self._waiting.get(number)) is not None:
                    queue.put_nowait((kind, payload))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.dead = True
            for queue in self._waiting.values():
                queue.put_nowait((_GONE, self._why))

    async def kill(self) -> None:
        """End and reap the process and its reader. Safe to call twice and from several tasks."""
        self.dead = True
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
        self._process.stdin.close()
        await self._process.wait()
        await asyncio.wait([self._reader])


class LocalSynthesizer:
    """``Synthesizer`` by espeak-ng: robotic, intelligible, about a hundred languages.

    ``library``: the one of the package espeakng-loader, or the system's own. ``deadline``: seconds for a request, and
    for the start. ``command``: what to run instead of the worker, speaking its protocol. A request's ``voice`` is
    ``default`` or one of espeak's variants (``f3``, ``m1`` …); its ``rate`` 1.0 is 175 words per minute.
    """

    name = _NAME

    def __init__(
        self,
        *,
        library: Literal["packaged", "system"] = "packaged",
        deadline: float = 5.0,
        command: Sequence[str] | None = None,
    ) -> None:
        self.version = "espeak-ng-1.52/1" if library == "packaged" else "espeak-ng-system/1"
        self._library = library
        self._deadline = deadline
        self._command = tuple(command or (sys.executable, "-m", "flowengine.providers.espeak_worker", library))
        self._worker: _Worker | None = None
        self._starting = asyncio.Lock()
        self._starts: deque[float] = deque(maxlen=_RESTARTS + 1)
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The worker's process id, for watching it; None while there is none."""
        return self._worker.pid if self._worker is not None and not self._worker.dead else None

    async def start(self) -> None:
        """Start the worker; raises ``ProviderError`` (``unavailable``, ``timeout``) when it does not get ready."""
        await self._running()

    async def aclose(self) -> None:
        """Kill and reap the worker; requests that are open end with ``ProviderError``. Safe to call twice."""
        self._closed = True
        async with self._starting:
            worker, self._worker = self._worker, None
            if worker is not None:
                await worker.kill()

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes, None]:
        """As ``Synthesizer.speak``. A worker that dies before the first audio is replaced once, unnoticed."""
        for last in (False, True):
            worker = await self._running()
            if worker.waiting >= _WAITING:
                raise self._error("unavailable", f"{_WAITING} requests are waiting")
            number = worker.ask(request)
            until = asyncio.get_running_loop().time() + self._deadline
            kind, begun = b"", False
            try:
                while True:
                    kind, payload = await self._answer(worker, number, until)
                    if kind != b"A":
                        break
                    begun = True
                    yield payload
            finally:
                worker.forget(number, cancel=kind in (b"", b"A"))
            if kind == b"E":
                return
            if kind == b"X":
                raise self._refused(payload)
            if last or begun:
                raise self._error("unavailable", "the worker " + payload.decode())

    async def _answer(self, worker: _Worker, number: int, until: float) -> _Answer:
        try:
            async with asyncio.timeout_at(until):
                return await worker.answer(number)
        except TimeoutError:
            await worker.kill()
            raise self._error("timeout", f"no answer in {self._deadline:g} s") from None

    async def _running(self) -> _Worker:
        async with self._starting:
            if self._closed:
                raise self._error("unavailable", "it is closed", retryable=False)
            if self._worker is not None and not self._worker.dead:
                return self._worker
            if self._worker is not None:
                worker, self._worker = self._worker, None
                await worker.kill()
            now = asyncio.get_running_loop().time()
            if len(self._starts) > _RESTARTS and now - self._starts[0] < _RESTART_WINDOW:
                raise self._error("unavailable", f"the worker was restarted {_RESTARTS} times in a minute")
            self._starts.append(now)
            self._worker = await self._started()
            return self._worker

    async def _started(self) -> _Worker:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise self._error("unavailable", f"{self._command[0]} does not start: {error}", retryable=False) from error
        worker = _Worker(process)
        try:
            until = asyncio.get_running_loop().time() + self._deadline
            kind, payload = await self._answer(worker, 0, until)
            if kind == b"X":
                raise self._refused(payload)
            if kind != b"R":
                raise self._error("unavailable", "the worker " + payload.decode(errors="replace"))
        except BaseException:
            await worker.kill()
            raise
        worker.forget(0, cancel=False)
        if self._library == "system":
            self.version = f"espeak-ng-system-{payload.decode()}/1"
        return worker

    def _refused(self, payload: bytes) -> ProviderError:
        said = json.loads(payload)
        return self._error(said["kind"], said["detail"], retryable=said["kind"] != "rejected")

    def _error(self, kind: str, detail: str, *, retryable: bool = True) -> ProviderError:
        return ProviderError(_NAME, kind, retryable=retryable, detail=detail)


def make(options: Mapping[str, str]) -> LocalSynthesizer:
    """Make the synthesizer from the settings under `speech.synthesizer`."""
    return LocalSynthesizer(library="system" if options.get("library") == "system" else "packaged")
