"""Words without a network or a key: pocketsphinx, which knows what may be said, in resident processes of the server.

English alone, and only where the call knows what to expect: the phrases of a choice, yes and no, digits; of everything
else it hears nothing. ``tests/bench/words.py`` measures how well it hears; README.md beside this file has the numbers.

A process (``sphinx_worker``) recognizes one utterance at a time, in about a tenth of its length. It is restarted when
it dies, at most five times a minute, and killed when it does not answer in time: pocketsphinx is native code.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from flowengine.call.ports import Expected
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers.sphinx_worker import HEADER, LENGTH
from flowengine.providers.utterances import Utterance, UtteranceTranscription

_NAME = "sphinx"
_KINDS = ("choice", "yesno", "digits")
_WAITING = 16  # utterances for each worker, of all calls
_RESTARTS = 5
_RESTART_WINDOW = 60.0
_LARGEST = 1 << 16  # bytes of an answer; ours have some hundred
_COMMAND = (sys.executable, "-m", "flowengine.providers.sphinx_worker")


class _Worker:
    """One process, which is asked one thing at a time."""

    def __init__(self, command: Sequence[str], deadline: float) -> None:
        self._command = tuple(command)
        self._deadline = deadline
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._starts: deque[float] = deque(maxlen=_RESTARTS + 1)
        self._number = 0
        self._head: tuple[int, int, bytes] | None = None  # of a message whose rest was not read yet
        self._closed = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        async with self._turn:
            await self._running()

    async def ask(self, payload: bytes) -> dict[str, Any]:
        """Give the answer to one utterance; a worker that is found dead is replaced, unnoticed."""
        try:
            async with asyncio.timeout(self._deadline):
                await self._turn.acquire()
        except TimeoutError:
            raise _error("timeout", f"no turn in {self._deadline:g} s") from None
        try:
            return await self._exchange(await self._running(), payload)
        finally:
            self._turn.release()

    async def _exchange(self, process: asyncio.subprocess.Process, payload: bytes) -> dict[str, Any]:
        assert process.stdin is not None  # noqa: S101 - it was started with a pipe
        self._number += 1
        try:
            async with asyncio.timeout(self._deadline):
                process.stdin.write(HEADER.pack(len(payload), self._number, b"U") + payload)
                await process.stdin.drain()
                return await self._answer(process, self._number, b"T")
        except TimeoutError:
            await self._end()
            raise _error("timeout", f"no answer in {self._deadline:g} s") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._end()
            raise _error("unavailable", "the worker exited") from None
        except ProviderError:
            await self._end()
            raise

    async def _answer(self, process: asyncio.subprocess.Process, number: int, kind: bytes) -> dict[str, Any]:
        """Read until the answer to ``number``: those before it are to calls that are gone.

        It may be cancelled anywhere, and the next one goes on where it was.
        """
        assert process.stdout is not None  # noqa: S101 - it was started with a pipe
        while True:
            if self._head is None:
                self._head = HEADER.unpack(await process.stdout.readexactly(HEADER.size))
            length, about, told = self._head
            if length > _LARGEST or about > number or told not in (b"R", b"T", b"X"):
                raise _error("garbage", "the worker wrote what is no message")
            payload = await process.stdout.readexactly(length)
            self._head = None
            if about < number:
                continue
            try:
                said: dict[str, Any] = json.loads(payload or b"{}")
            except ValueError:
                raise _error("garbage", "the worker wrote what is no JSON") from None
            if told == b"X":
                raise _error(said["kind"], said["detail"], retryable=False)
            if told != kind:
                raise _error("garbage", "the worker answered what was not asked")
            return said

    async def _running(self) -> asyncio.subprocess.Process:
        self._still_open()
        if self._process is not None and self._process.returncode is None:
            return self._process
        await self._end()
        now = asyncio.get_running_loop().time()
        if len(self._starts) > _RESTARTS and now - self._starts[0] < _RESTART_WINDOW:
            raise _error("unavailable", f"the worker was restarted {_RESTARTS} times in a minute")
        self._starts.append(now)
        pipe = asyncio.subprocess.PIPE
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
            )
        except OSError as error:
            raise _error("unavailable", f"{self._command[0]} does not start: {error}", retryable=False) from error
        try:
            self._still_open()  # it may have been closed meanwhile, when there was nothing to kill
            async with asyncio.timeout(self._deadline):
                await self._answer(self._process, 0, b"R")
        except TimeoutError:
            await self._end()
            raise _error("timeout", f"not ready in {self._deadline:g} s") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._end()
            raise _error("unavailable", "the worker exited") from None
        except BaseException:
            await self._end()
            raise
        return self._process

    def _still_open(self) -> None:
        if self._closed:
            raise _error("unavailable", "it is closed", retryable=False)

    async def aclose(self) -> None:
        """End the process, also one that is being asked: who asks is told that it exited."""
        self._closed = True
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        async with self._turn:
            await self._end()

    async def _end(self) -> None:
        process, self._process, self._head = self._process, None, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        assert process.stdin is not None  # noqa: S101 - it was started with a pipe
        process.stdin.close()
        await process.wait()


class SphinxTranscriber:
    """``Transcriber`` by pocketsphinx: English phrases, yes and no, digits.

    ``workers`` processes serve all calls, at most 16 utterances wait for each; ``deadline``: seconds for one, and for
    the start. ``command``: what to run instead of the worker, speaking its protocol. ``missing`` is how many phrases
    of the latest utterance have words that the pronouncing dictionary lacks: they can not be heard.
    """

    name = _NAME
    ends_turns = False

    def __init__(self, *, workers: int = 1, deadline: float = 5.0, command: Sequence[str] = _COMMAND) -> None:
        self.missing = 0
        self._workers = [_Worker(command, deadline) for _ in range(workers)]
        self._load = [0] * workers

    @property
    def pids(self) -> list[int]:
        """The processes that run, for watching them."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    @property
    def waiting(self) -> int:
        """How many utterances are under way, in all calls."""
        return sum(self._load)

    async def start(self) -> None:
        """Start the workers; raises ``EnvironmentProblem`` without pocketsphinx, else ``ProviderError``."""
        try:
            for worker in self._workers:
                await worker.start()
        except ProviderError as error:
            if not error.retryable:
                raise EnvironmentProblem(f"speech.transcriber: {error}") from None
            raise

    async def aclose(self) -> None:
        """Kill and reap the workers; utterances under way end with ``ProviderError``. Safe to call twice."""
        for worker in self._workers:
            await worker.aclose()

    def listen(self, call: str, expected: Expected) -> UtteranceTranscription:
        """As ``Transcriber.listen``; entering raises ``ProviderError`` (``rejected``) where it is not English."""
        refusal = None
        if not _english(expected):
            refusal = _error("rejected", f"it understands English, not {expected.lang!r}", retryable=False)
        return UtteranceTranscription(self._recognize, expected, refusal)

    async def _recognize(self, utterance: Utterance, expected: Expected) -> tuple[str, float]:
        if expected.kind not in _KINDS or not _english(expected):
            return "", 0.0
        least = min(range(len(self._load)), key=self._load.__getitem__)
        if self._load[least] >= _WAITING:
            raise _error("unavailable", f"{_WAITING} utterances are waiting")
        wanted = {"kind": expected.kind, "phrases": expected.phrases, "least": expected.least, "most": expected.most}
        head = json.dumps(wanted).encode()
        self._load[least] += 1
        try:
            said = await self._workers[least].ask(LENGTH.pack(len(head)) + head + utterance.audio)
        finally:
            self._load[least] -= 1
        self.missing = said["missing"]
        return said["text"], said["confidence"]


def _english(expected: Expected) -> bool:
    return expected.lang.lower().replace("_", "-").split("-")[0] == "en"


def _error(kind: str, detail: str, *, retryable: bool = True) -> ProviderError:
    return ProviderError(_NAME, kind, retryable=retryable, detail=detail)


def make(options: Mapping[str, Any]) -> SphinxTranscriber:
    """Make the transcriber from the settings under `speech.transcriber`."""
    return SphinxTranscriber()
