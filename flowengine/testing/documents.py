"""A carrier that carries out the XML which a server answers with: streams, dials, redirects, and what follows them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from flowengine.testing.carrier import Carrier, Form
from flowengine.testing.labels import Clip
from flowengine.testing.line import Line
from flowengine.testing.microphone import Microphone, Room
from flowengine.testing.network import Network, Refused
from flowengine.testing.report import Diary
from flowengine.testing.script import Dialled
from flowengine.testing.stream import Lag, Stream, StreamEnd

REQUEST_DEADLINE = 15.0
MAX_DOCUMENTS = 50
# How long a dialled party takes to answer, and to be busy; nobody waits for it in virtual time.
_RINGS = 1.0


class Over(Exception):  # not an error: how carrying out documents ends
    """The call is over; see ``CallReport.end_reason``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Access:
    """How the carrier reaches the server: signed by ``token`` (None: unsigned), offering ``subprotocols``.

    ``frame`` is how many samples of audio come in one message.
    """

    network: Network
    token: str | None
    subprotocols: tuple[str, ...]
    lag: Lag
    frame: int


@dataclass(frozen=True, slots=True)
class _Next:
    """The document to fetch next."""

    url: str
    form: Form


class Documents:
    """The carrier's side of one call. ``stream`` is the open stream, ``gone`` is set when the caller has hung up."""

    def __init__(
        self, carrier: Carrier, access: Access, diary: Diary, transfers: Iterator[Dialled], room: Room
    ) -> None:
        self._carrier = carrier
        self._access = access
        self._diary = diary
        self._transfers = transfers
        self._fetched = 0
        self._base = ""
        self._callbacks: set[asyncio.Task[None]] = set()
        self.voice = bytearray()
        self.line = Line(diary.clock, diary.emit, self._mark_reached)
        self._microphone = Microphone(room, self.line.played)
        self.stream: Stream | None = None
        self.gone = asyncio.Event()

    async def run(self, answer_url: str) -> str:
        """Ask what to do with the call and do it, until it is over; return why."""
        try:
            root = await self._fetch(_Next(answer_url, self._carrier.call_form("StartApp", "ringing")))
            while True:
                root = await self._fetch(await self._execute(root))
        except Over as over:
            return over.reason

    def hang_up(self) -> None:
        """The caller puts the receiver down."""
        if not self.gone.is_set():
            self._diary.emit("hung_up")
            self.gone.set()
            if self.stream is not None:
                self.stream.hang_up()

    async def finish(self, status_url: str | None) -> None:
        """Report the end of the call to ``status_url``, and let the callbacks arrive."""
        if status_url is not None:
            self._call_back(status_url, self._carrier.call_form("Hangup", "completed"))
        if self._callbacks:
            await asyncio.wait(self._callbacks, timeout=REQUEST_DEADLINE)

    def _mark_reached(self, name: str) -> None:
        if self.stream is not None:
            self.stream.mark_reached(name)

    async def _post(self, url: str, form: Form) -> tuple[int, str]:
        headers = self._carrier.sign(url, form, self._access.token)
        async with asyncio.timeout(REQUEST_DEADLINE):
            return await self._access.network.post(url, form, headers)

    async def _fetch(self, what: _Next) -> Element:
        self._fetched += 1
        if self._fetched > MAX_DOCUMENTS:
            raise Over("too many documents")
        self._base = urljoin(self._base, what.url)
        try:
            status, xml = await self._post(self._base, what.form)
        except OSError as error:
            self._diary.report.failures.append(f"no answer from {self._base}: {error}")
            raise Over("no answer") from error
        self._diary.emit("document", url=self._base, xml=xml)
        if self.gone.is_set():
            raise Over("caller")
        if not 200 <= status < 300:
            raise Over(f"refused {status}")
        try:
            root = ElementTree.fromstring(xml.encode())  # noqa: S314  # the document of the server under test
        except ElementTree.ParseError as error:
            raise Over(f"bad document: {error}") from error
        if root.tag != "Response":
            raise Over(f"bad document: its root is {root.tag}")
        return root

    async def _execute(self, root: Element) -> _Next:
        for verb in root:
            following = await self._verb(verb)
            if following is not None:
                return following
        raise Over("exhausted")

    async def _verb(self, verb: Element) -> _Next | None:
        if verb.tag not in self._carrier.verbs:
            raise Over(f"bad document: unknown verb {verb.tag}")
        match verb.tag:
            case "Connect" | "Stream":
                return await self._connect(verb)
            case "Dial":
                return await self._dial(verb)
            case "Redirect":
                return _Next((verb.text or "").strip(), self._carrier.call_form("Redirect", "in-progress"))
            case "Hangup" | "Reject":
                raise Over("hangup")
            case "Say" | "Speak":
                text = "".join(verb.itertext())
                self._diary.emit("said", text=text)
                await self._pass(min(5.0, 0.06 * len(text)))
            case "Pause" | "Wait":
                await self._pass(float(verb.get("length", "1")))
        return None

    async def _pass(self, seconds: float) -> bool:
        """Let time pass; ends the call when the caller leaves meanwhile."""
        if await self._left_within(seconds):
            raise Over("caller")
        return False

    async def _left_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self.gone.wait()
        except TimeoutError:
            return False
        return True

    # Streams

    async def _connect(self, verb: Element) -> _Next | None:
        stream = verb.find("Stream") if verb.tag == "Connect" else verb
        if stream is None:
            raise Over("bad document: Connect without Stream")
        if verb.tag == "Connect":
            # Twilio strips the query of the address: https://github.com/openclaw/openclaw/issues/8814
            url = stream.get("url", "").partition("?")[0]
            callback = stream.get("statusCallback")
        else:
            url = (stream.text or "").strip()
            callback = stream.get("statusCallbackUrl")
            for name, value in (("bidirectional", "true"), ("keepCallAlive", "true")):
                if stream.get(name) != value:
                    raise Over(f"bad document: {name} is not {value}")
            if stream.get("contentType") != "audio/x-mulaw;rate=8000":
                raise Over(f"bad document: contentType {stream.get('contentType')}")
        parameters = {one.get("name", ""): one.get("value", "") for one in stream.iter("Parameter")}
        end = await self._converse(url, parameters, callback)
        if end is not None and end.by == "caller":
            raise Over("caller")
        if end is not None and not end.goes_on:
            raise Over("dropped")
        action = verb.get("action")
        return None if action is None else _Next(action, self._carrier.call_form("", "in-progress"))

    async def _converse(self, url: str, parameters: dict[str, str], callback: str | None) -> StreamEnd | None:
        """Carry a stream to its end; None when it could not be opened."""
        try:
            async with asyncio.timeout(REQUEST_DEADLINE):
                socket = await self._access.network.connect(
                    url, self._carrier.sign_upgrade(url, self._access.token), self._access.subprotocols
                )
        except (Refused, TimeoutError) as error:
            self._diary.emit("stream_refused", status=error.status if isinstance(error, Refused) else 0)
            if callback:
                self._call_back(callback, self._carrier.stream_form("dropped"))
            return None
        access = self._access
        stream = Stream(
            self._carrier,
            socket,
            self.line,
            self._diary,
            self.voice,
            self._microphone,
            access.lag,
            access.frame,
            self._unsaid(),
        )
        running = asyncio.create_task(stream.run(parameters), name="phone stream")
        # The stream's id exists from its first step on.
        await asyncio.sleep(0)
        self.stream = stream
        self._diary.emit("stream_opened", stream=self._carrier.stream_id, url=url)
        if callback:
            self._call_back(callback, self._carrier.stream_form("started"))
        if self.gone.is_set():
            stream.hang_up()
        try:
            end = await running
        finally:
            running.cancel()
            self.stream = None
        self._diary.emit("stream_closed", by=end.by, code=end.code)
        # Vobiz is silent about a stream that ended with its call.
        if callback and (end.by != "caller" or self._carrier.farewell() is not None):
            stopped = end.announced or end.by == "caller"
            self._call_back(callback, self._carrier.stream_form("stopped" if stopped else "dropped"))
        return end

    def _unsaid(self) -> Clip | None:
        """Give the clip that the last stream could not take to its end."""
        timelines = self._diary.report.timelines
        return timelines[-1].said[-1].clip if self.voice and timelines and timelines[-1].said else None

    def _call_back(self, url: str, form: Form) -> None:
        task = asyncio.create_task(self._tell(urljoin(self._base, url), form), name="phone callback")
        self._callbacks.add(task)
        task.add_done_callback(self._callbacks.discard)

    async def _tell(self, url: str, form: Form) -> None:
        try:
            status, _ = await self._post(url, form)
        except OSError:
            status = 0
        if not 200 <= status < 300:
            self._diary.emit("callback_failed", url=url, status=status)

    # Dials

    async def _dial(self, verb: Element) -> _Next | None:
        targets = [(one.text or "").strip() for one in verb] or [(verb.text or "").strip()]
        ring = float(verb.get("timeout", "30"))
        self._diary.emit("dial", targets=targets, ring=ring, caller_id=verb.get("callerId"))
        outcome, left = await self._ring(ring, float(verb.get("timeLimit", "14400")))
        self._diary.emit("dial_ended", outcome=outcome)
        action = verb.get("action")
        if action is not None:
            status = "completed" if left else "in-progress"
            form = [*self._carrier.call_form("Dial", status), *self._carrier.dial_form(outcome)]
            if not left and (self._carrier.dial_actions_always_continue or verb.get("redirect") == "true"):
                return _Next(action, form)
            self._call_back(action, form)
        if left:
            raise Over("caller")
        return None

    async def _ring(self, ring: float, limit: float) -> tuple[str, bool]:
        """Return how the dial ended, and whether because the caller left."""
        dialled = next(self._transfers, Dialled("ended", 1.0))
        waits = ring if dialled.outcome == "noanswer" else min(_RINGS, ring)
        if await self._left_within(waits):
            return "cancelled", True
        if dialled.outcome != "ended":
            return dialled.outcome, False
        return "ended", await self._left_within(min(dialled.talk, limit if math.isfinite(limit) else dialled.talk))
