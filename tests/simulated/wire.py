"""The line of one call: the application in process, what is said on the wire, and what goes wrong with it."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from flowengine.testing.network import AsgiNetwork, Refused, Socket
from tests.simulated.machine import FRAME, Machine
from tests.simulated.plan import CallPlan, Faults

CLEARS = ("clear", "clearAudio")
MARKS = ("mark", "playedStream")


class Line(AsgiNetwork):
    """How the carrier of one call reaches the server."""

    def __init__(self, machine: Machine, call: CallPlan, faults: Faults, seed: int) -> None:
        super().__init__(machine)
        self.faults = faults
        self.call = call
        self.chance = random.Random(f"line {seed} {call.number}")
        self.log: list[tuple[float, str, str]] = []
        self.problems: list[str] = []
        self._machine = machine
        self._side: set[asyncio.Task[Any]] = set()

    def has(self, kind: str) -> bool:
        """Whether this line has a fault, which is then counted."""
        if kind not in self.call.line:
            return False
        self.faults.injected[kind] += 1
        return True

    def note(self, what: str, text: str) -> None:
        """Write down what goes over the wire."""
        self.log.append((asyncio.get_running_loop().time(), what, text))

    def spawn(self, work: Any) -> None:
        """Do something beside the call."""
        task = asyncio.get_running_loop().create_task(work)
        self._side.add(task)
        task.add_done_callback(self._side.discard)

    async def post(self, url: str, form: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> tuple[int, str]:
        kind = url.split("/")[3]
        if self.has(f"{kind} twice"):
            self.spawn(self._again(url, form, headers, self.chance.choice([0.0, 0.0, 0.5, 4.0])))
        return await self._post(url, form, headers)

    async def _post(self, url: str, form: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> tuple[int, str]:
        await self._way()
        self.note("post", url)
        if self._machine.process is None:
            # A balancer in front waits for the new process for a moment, or does not.
            await asyncio.sleep(self.chance.choice([0.0, 1.0, 3.0]))
            if self._machine.process is None:
                raise ConnectionRefusedError("no process is running")
        failed = len(self.failures)
        status, text = await super().post(url, form, headers)
        if any(isinstance(error, ConnectionError) for error in self.failures[failed:]):
            raise ConnectionResetError("the process died")
        await self._way()
        self.note(f"answer {status}", text)
        return status, text

    async def _again(self, url: str, form: Any, headers: Any, after: float) -> None:
        await asyncio.sleep(after)
        with suppress(OSError):
            await self._post(url, form, headers)

    async def _way(self) -> None:
        await asyncio.sleep(self.call.delay + self.chance.uniform(0, self.call.jitter))

    async def connect(self, url: str, headers: Mapping[str, str], subprotocols: Sequence[str]) -> Socket:
        await self._way()
        self.note("connect", url)
        wire = Wire(self, await super().connect(url, headers, subprotocols))
        if self.has("token again"):
            self.spawn(self._old_token(wire, url, headers, subprotocols))
        return wire

    async def _old_token(self, wire: Wire, url: str, headers: Mapping[str, str], subprotocols: Sequence[str]) -> None:
        """Open a stream with the token of another one, once that one has begun; it must not carry the call."""
        with suppress(TimeoutError):
            async with asyncio.timeout(20.0):
                await wire.begun.wait()
        if not wire.begun.is_set():
            return
        await asyncio.sleep(self.chance.choice([0.0, 0.5, 8.0]))
        try:
            socket = await super().connect(url, headers, subprotocols)
            with suppress(OSError):
                await socket.send(wire.start)
            while (text := await socket.receive()) is not None:
                if '"media"' in text or '"playAudio"' in text:
                    self.problems.append("a token that was used opened a second stream")
                    break
            await socket.close()
        except (Refused, OSError):
            return

    async def finish(self) -> None:
        """Let what is beside the call come to its end."""
        if self._side:
            await asyncio.wait(list(self._side), timeout=30.0)
            for task in list(self._side):
                task.cancel()
        await self.aclose()


class Wire:
    """One socket. It loses, repeats, holds up and invents messages as the line's faults say."""

    def __init__(self, line: Line, socket: Socket) -> None:
        self.begun = asyncio.Event()
        self.start = ""
        self._line = line
        self._socket = socket
        self._heard = Heard()
        self._media = 0
        self._held: list[str] | None = None
        now = asyncio.get_running_loop().time()
        chance = line.chance
        self._burst = self._window("burst", now, chance.choice([0.2, 1.0, 5.0]))
        self._gap = self._window("gap", now, chance.choice([0.5, 3.0, 20.0]))
        self._stall = self._window("stall", now, chance.choice([0.2, 1.0, 3.0, 20.0]))

    def _window(self, kind: str, now: float, seconds: float) -> tuple[float, float]:
        since = now + self._line.chance.uniform(0, 4)
        return (since, since + seconds) if self._line.has(kind) else (0.0, 0.0)

    @property
    def close_code(self) -> int | None:
        return self._socket.close_code

    async def send(self, text: str) -> None:
        event = _event(text)
        for one in await self._changed(event, text):
            await self._put(one)

    async def _put(self, text: str) -> None:
        now = asyncio.get_running_loop().time()
        if self._burst[0] <= now < self._burst[1]:
            self._held = [*(self._held or ()), text]
            return
        await self._flush()
        await self._send(text)

    async def _flush(self) -> None:
        held, self._held = self._held, None
        for one in held or ():
            await self._send(one)

    async def _send(self, text: str) -> None:
        if '"media"' not in text:
            self._line.note("up", text)
        await self._socket.send(text)

    async def _changed(self, event: str, text: str) -> list[str]:
        """Give what is sent instead of a message."""
        line, chance = self._line, self._line.chance
        if event == "media":
            self._media += 1
            now = asyncio.get_running_loop().time()
            return [] if self._gap[0] <= now < self._gap[1] else [text]
        if event == "start":
            return await self._started(text)
        if event in MARKS:
            return self._marked(text)
        if event == "clearedAudio" and line.has("clears unconfirmed") and chance.random() < 0.5:
            return []
        if event == "dtmf" and line.has("keys twice"):
            return [text] * chance.choice([1, 2])
        if event == "stop" and line.has("talks after stop"):
            return [text, text.replace('"stop"', '"media"', 1), text]
        return [text]

    async def _started(self, text: str) -> list[str]:
        line, chance = self._line, self._line.chance
        self.start = text
        if line.has("start missing"):
            return []
        if line.has("start late"):
            await asyncio.sleep(chance.uniform(0.0, 7.0))
        if line.has("start of another call"):
            message = json.loads(text)
            message["start"]["callSid" if "callSid" in message["start"] else "callId"] = "of-another"
            return [json.dumps(message)]
        if line.has("start of another codec"):
            return [text.replace("audio/x-mulaw", "audio/x-l16")]
        before = ['{"event": "media", "media": {"payload": "//8="}}'] if line.has("start after media") else []
        return [*before, text, *([text] if line.has("start twice") else [])]

    def _marked(self, text: str) -> list[str]:
        line, chance = self._line, self._line.chance
        if line.has("marks lost") and chance.random() < 0.5:
            return []
        if line.has("marks late") and chance.random() < 0.5:
            line.spawn(self._later(text, chance.choice([0.05, 0.5, 2.0])))
            return []
        if line.has("marks unknown") and chance.random() < 0.5:
            name = json.loads(text).get("name") or json.loads(text).get("mark", {}).get("name", "")
            return [text.replace(name, chance.choice(["", "x", name + "9"])), text]
        return [text] * (2 if line.has("marks twice") else 1)

    async def _later(self, text: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        with suppress(OSError):
            await self._send(text)

    async def receive(self) -> str | None:
        now = asyncio.get_running_loop().time()
        if self._stall[0] <= now < self._stall[1]:
            await asyncio.sleep(self._stall[1] - now)
        text = await self._socket.receive()
        if text is not None:
            # Who is spoken to has used the token.
            self.begun.set()
            self._line.note("down", text)
            self._line.problems += self._heard.take(text)
        return text

    async def close(self, code: int = 1000) -> None:
        if self._socket.close_code is None:
            with suppress(OSError):
                await self._flush()
            self._line.note("close", str(code))
        await self._socket.close(code)

    def abort(self, *, reset: bool = True) -> None:
        self._line.note("abort", str(reset))
        self._socket.abort(reset=reset)

    def pause_reading(self) -> None:
        self._line.faults.injected["reads nothing more"] += 1
        self._socket.pause_reading()


class Heard:
    """Reads the numbers in the audio: a text is sent from its first frame on, whole.

    After a clear it begins anew, or one that was sent goes on, from no later than where it was.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._last: tuple[int, int] | None = None
        self._sent: dict[int, int] = {}  # the last frame of each text

    def take(self, text: str) -> list[str]:
        """Take a message of the server; give what is wrong with its audio."""
        message = json.loads(text)
        if message["event"] in CLEARS:
            self._rest, self._last = b"", None
            return []
        payload = base64.b64decode(message.get("media", {}).get("payload", ""))
        rest, problems = self._rest + payload, list[str]()
        while True:
            # Where a text goes on it may begin inside of one of its frames, behind the head.
            rest = rest.lstrip(b"\xff\x90" if self._last is None else b"\xff")
            if len(rest) < FRAME:
                break
            number, frame = rest[0] << 7 | rest[1], rest[2] << 7 | rest[3]
            rest = rest[FRAME:]
            goes_on = (
                frame <= self._sent.get(number, -1) + 1 if self._last is None else self._last == (number, frame - 1)
            )
            if frame and not goes_on:
                problems.append(f"frame {frame} of text {number} follows {self._last}")
            self._last = (number, frame)
            self._sent[number] = frame
        self._rest = rest
        return problems


def _event(text: str) -> str:
    if '"media"' in text[:80]:
        return "media"
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return str(message.get("event", "")) if isinstance(message, dict) else ""
