"""The phone against a small scripted server, in process and on virtual time."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

import numpy as np
import pytest
import uvicorn

from flowengine.audio import mulaw
from flowengine.testing.labels import Clip, Said, Word
from flowengine.testing.loudness import level
from flowengine.testing.microphone import Echo
from flowengine.testing.network import AsgiNetwork, SocketNetwork
from flowengine.testing.phone import Phone
from flowengine.testing.report import CallReport, Event
from flowengine.testing.script import (
    Dialled,
    Drop,
    ExpectEnd,
    Garbage,
    HangUp,
    Keys,
    Say,
    Script,
    Silence,
    Step,
    StopReading,
    WaitAudio,
    WaitSilence,
)
from flowengine.testing.virtual_time import run
from flowengine.testing.voices import Noise, Speech

LOUD = b"\x80"  # the largest sample
TWILIO = (
    '<Connect action="/continue"><Stream url="wss://h/ws?gone=1"><Parameter name="flow" value="a&amp;b"/></Stream>'
    "</Connect>"
)
VOBIZ = (
    '<Stream bidirectional="true" keepCallAlive="true" contentType="audio/x-mulaw;rate=8000"> wss://h/ws </Stream>'
    '<Redirect method="POST">https://h/continue</Redirect>'
)
STREAM = {"twilio": TWILIO, "vobiz": VOBIZ}


class Peer:
    """The server's end of a stream."""

    def __init__(self, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        self._receive = receive
        self._send = send
        self.stream = ""
        self.code = 0
        self.got: list[dict[str, Any]] = []

    async def next(self, *events: str) -> dict[str, Any]:
        """The next message of one of these events; an empty one when the stream is over."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self.code = message["code"]
                return {}
            try:
                frame = json.loads(message["text"])
            except ValueError:
                frame = {"event": "garbage"}
            self.got.append(frame)
            if frame["event"] == "start":
                self.stream = frame["start"].get("streamSid") or frame["start"]["streamId"]
            if frame["event"] in events:
                return dict(frame)

    async def text(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})

    async def play(self, carrier: str, audio: bytes) -> None:
        payload = base64.b64encode(audio).decode()
        if carrier == "twilio":
            await self.text(json.dumps({"event": "media", "streamSid": self.stream, "media": {"payload": payload}}))
        else:
            media = {"contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": payload}
            await self.text(json.dumps({"event": "playAudio", "streamId": self.stream, "media": media}))

    async def mark(self, carrier: str, name: str) -> None:
        if carrier == "twilio":
            await self.text(json.dumps({"event": "mark", "streamSid": self.stream, "mark": {"name": name}}))
        else:
            await self.text(json.dumps({"event": "checkpoint", "streamId": self.stream, "name": name}))

    async def clear(self, carrier: str) -> None:
        await self.text(
            json.dumps(
                {"event": "clear", "streamSid": self.stream}
                if carrier == "twilio"
                else {"event": "clearAudio", "streamId": self.stream}
            )
        )

    async def close(self, code: int = 1000) -> None:
        await self._send({"type": "websocket.close", "code": code})


@dataclass
class Server:
    """Answers documents in order; the last one again and again. Every stream is given to ``talk``."""

    documents: list[str]
    talk: Callable[[Peer], Awaitable[None]] | None = None
    requests: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)
    upgrades: list[dict[str, str]] = field(default_factory=list)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if scope["type"] == "http":
            body = (await receive())["body"].decode()
            form = dict(parse_qsl(body, keep_blank_values=True))
            self.requests.append((scope["path"], headers, form))
            document = self.documents.pop(0) if len(self.documents) > 1 else self.documents[0]
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": f"<Response>{document}</Response>".encode()})
            return
        self.upgrades.append(headers)
        await receive()
        await send({"type": "websocket.accept"})
        peer = Peer(receive, send)
        self.peers.append(peer)
        await peer.next("start")
        if self.talk is not None:
            await self.talk(peer)
        else:
            await peer.next("never")


def call(
    server: Server,
    *steps: Step,
    carrier: Literal["twilio", "vobiz"] = "twilio",
    transfers: tuple[Dialled, ...] = (),
    **options: Any,
) -> CallReport:
    async def scene() -> CallReport:
        network = AsgiNetwork(server)
        phone = Phone(carrier, network, answer_url="https://h/answer?x=1", **options)
        report = await phone.run(Script(steps, transfers=transfers))
        await network.aclose()
        assert network.failures == []
        return report

    return run(scene(), limit=3600)


def kinds(report: CallReport, *names: str) -> list[str]:
    return [event.kind for event in report.of(*names)]


BOTH = pytest.mark.parametrize("carrier", ["twilio", "vobiz"])


def test_a_twilio_call_as_the_server_sees_it() -> None:
    server = Server([TWILIO])
    report = call(server, Silence(0.1), Keys("1#", gap=0.1), HangUp(), token="12345")
    assert (report.end_reason, report.failures) == ("caller", [])
    path, headers, form = server.requests[0]
    assert (path, form["CallSid"], form["CallStatus"]) == ("/answer", report.call_id, "ringing")
    assert form["From"] == "+15550001111"
    assert headers["x-twilio-signature"]
    assert len(server.requests) == 1
    # Twilio signs the address of the TwiML, without the query that it strips.
    assert server.upgrades[0]["x-twilio-signature"] == signed_upgrade()
    got = server.peers[0].got
    assert [frame["event"] for frame in got[:3]] == ["connected", "start", "media"]
    assert got[1]["start"]["customParameters"] == {"flow": "a&b"}
    media = [frame for frame in got if frame["event"] == "media"]
    assert [frame["media"]["timestamp"] for frame in media[:3]] == ["0", "20", "40"]
    assert [frame["media"]["chunk"] for frame in media[:3]] == ["1", "2", "3"]
    assert [frame["dtmf"]["digit"] for frame in got if frame["event"] == "dtmf"] == ["1", "#"]
    numbers = [int(frame["sequenceNumber"]) for frame in got[1:]]
    assert numbers == list(range(1, len(got)))
    assert (got[-1]["event"], server.peers[0].code) == ("stop", 1000)


def signed_upgrade() -> str:
    return base64.b64encode(hmac.new(b"12345", b"wss://h/ws", hashlib.sha1).digest()).decode()


def test_a_vobiz_call_as_the_server_sees_it() -> None:
    server = Server([VOBIZ])
    report = call(
        server, Silence(0.1), Keys("5"), HangUp(), carrier="vobiz", token="tok", status_url="https://h/status"
    )
    assert (report.end_reason, report.failures) == ("caller", [])
    _, headers, form = server.requests[0]
    assert (form["CallUUID"], form["From"], form["Event"]) == (report.call_id, "15550001111", "StartApp")
    assert {"x-vobiz-signature-v2", "x-vobiz-signature-v2-nonce", "x-vobiz-signature-v3-nonce"} <= headers.keys()
    got = server.peers[0].got
    assert got[0]["event"] == "start"
    assert (got[0]["sequenceNumber"], got[0]["start"]["callId"]) == (0, report.call_id)
    media = [frame for frame in got if frame["event"] == "media"]
    times = [int(frame["media"]["timestamp"]) for frame in media]
    assert {b - a for a, b in pairwise(times)} == {20}
    assert media[0]["media"]["chunk"] == 1
    assert got[-1]["event"] in ("media", "dtmf")  # no stop
    assert server.peers[0].code == 1000
    path, _, status = server.requests[-1]
    assert (path, status["Event"], status["CallStatus"]) == ("/status", "Hangup", "completed")


@BOTH
def test_marks_come_back_when_their_audio_was_played(carrier: Literal["twilio", "vobiz"]) -> None:
    async def talk(peer: Peer) -> None:
        await peer.play(carrier, LOUD * 4000)
        await peer.mark(carrier, "half")
        await peer.play(carrier, LOUD * 4000)
        await peer.mark(carrier, "all")
        await peer.mark(carrier, "same")
        await peer.next("never")

    report = call(Server([STREAM[carrier]], talk), WaitAudio(0.2), WaitSilence(0.5), HangUp(), carrier=carrier)
    began = report.of("audio_started")[0].at
    marks = [(event.data["name"], round(event.at - began, 3)) for event in report.of("mark_played")]
    assert marks == [("half", 0.5), ("all", 1.0), ("same", 1.0)]
    assert report.of("audio_stopped")[0].data == {"samples": 8000}
    assert report.of("hung_up")[0].at - began == pytest.approx(1.5, abs=0.02)
    assert bytes(report.played[0].audio) == LOUD * 8000


@BOTH
def test_case_03_marks_after_clear(carrier: Literal["twilio", "vobiz"]) -> None:
    seen: list[str] = []

    async def talk(peer: Peer) -> None:
        await peer.play(carrier, LOUD * 8000)
        await peer.mark(carrier, "m1")
        await peer.mark(carrier, "m2")
        await peer.next("dtmf")
        await peer.clear(carrier)
        await peer.mark(carrier, "late")
        while frame := await peer.next("mark", "playedStream", "clearedAudio"):
            seen.append(frame.get("name") or frame.get("mark", {}).get("name") or frame["event"])

    steps = (WaitAudio(0.25), Keys("1"), Silence(1), HangUp())
    report = call(Server([STREAM[carrier]], talk), *steps, carrier=carrier)
    key, cleared = report.of("key")[0], report.of("cleared")[0]
    assert key.data["played"] == pytest.approx(2000, abs=200)
    assert cleared.data == {"unplayed": 8000 - key.data["played"], "marks": ["m1", "m2"]}
    assert len(report.played[0].audio) == key.data["played"]
    if carrier == "twilio":
        assert seen == ["m1", "m2", "late"]
        assert kinds(report, "mark_played", "mark_returned") == ["mark_returned", "mark_returned", "mark_played"]
    else:
        assert seen == ["clearedAudio"]
        assert kinds(report, "mark_played", "mark_returned", "mark_ignored") == ["mark_ignored"]


@BOTH
def test_a_mark_on_an_empty_queue(carrier: Literal["twilio", "vobiz"]) -> None:
    async def talk(peer: Peer) -> None:
        await peer.mark(carrier, "before")
        await peer.play(carrier, LOUD * 160)
        await peer.mark(carrier, "with")
        await peer.next("mark" if carrier == "twilio" else "playedStream")
        await peer.mark(carrier, "after")
        await peer.next("never")

    report = call(Server([STREAM[carrier]], talk), Silence(1), HangUp(), carrier=carrier)
    first = "mark_played" if carrier == "twilio" else "mark_ignored"
    assert [(e.kind, e.data["name"]) for e in report.of("mark_played", "mark_ignored")] == [
        (first, "before"),
        ("mark_played", "with"),
        ("mark_played", "after"),
    ]


def test_vobiz_loses_audio_that_does_not_wait_for_the_confirmation() -> None:
    async def talk(peer: Peer) -> None:
        await peer.play("vobiz", LOUD * 8000)
        await peer.clear("vobiz")
        await peer.play("vobiz", LOUD * 160)
        await peer.next("clearedAudio")
        await peer.play("vobiz", LOUD * 320)
        await peer.next("never")

    report = call(Server([VOBIZ], talk), Silence(1), HangUp(), carrier="vobiz")
    assert [event.data for event in report.of("raced")] == [{"samples": 160}]
    assert [len(stretch.audio) for stretch in report.played] == [0, 320]


def test_delay_and_jitter_never_reorder_and_are_the_same_every_time() -> None:
    async def talk(peer: Peer) -> None:
        for i in range(100):
            await peer.play("twilio", bytes([i]) * 160)
        await peer.next("never")

    def one() -> tuple[CallReport, list[dict[str, Any]]]:
        server = Server([TWILIO], talk)
        report = call(server, Silence(5), Keys("12345", gap=0), HangUp(), delay=0.1, jitter=0.3, seed=7)
        return report, server.peers[0].got

    (report, got), (again, _) = one(), one()
    played = b"".join(bytes(stretch.audio) for stretch in report.played)
    assert played == b"".join(bytes([i]) * 160 for i in range(100))
    assert [int(frame["sequenceNumber"]) for frame in got[1:]] == list(range(1, len(got)))
    assert report.of("audio_started")[0].at > 0.2
    assert report.events == again.events


def test_the_voice_is_heard_frame_by_frame_and_recorded() -> None:
    server = Server([TWILIO])
    report = call(server, Silence(0.1), Say(LOUD * 400), Silence(0.1), HangUp())
    sent = b"".join(base64.b64decode(f["media"]["payload"]) for f in server.peers[0].got if f["event"] == "media")
    assert sent.strip(b"\xff") == LOUD * 400
    assert bytes(report.spoken[0].audio).startswith(sent[: len(sent) - 160])
    track = report.samples(report.spoken)
    assert 0.09 < report.of("say")[0].at < 0.13
    assert track.max() == 32124


CLIP = Clip(LOUD * 400, (Word("yes", 0.01, 0.04),), 0.01, 0.04)


def test_the_timeline_says_where_in_the_uplink_a_clip_was_spoken() -> None:
    report = call(Server([TWILIO]), Silence(0.11), Say(CLIP), Say(CLIP), Silence(0.1), HangUp())
    (timeline,), (spoken,) = report.timelines, report.spoken
    assert timeline.at == spoken.at
    assert [said.clip.text for said in timeline.said] == ["yes", "yes"]
    audio = bytes(spoken.audio)
    for said in timeline.said:
        assert audio[said.position : said.position + 400] == CLIP.audio
        assert audio[said.position - 1] == audio[said.position + 400] == 0xFF
    told = [(event.data["text"], event.data["position"]) for event in report.of("say")]
    assert told == [("yes", said.position) for said in timeline.said]


def test_a_clip_that_a_lost_stream_cut_goes_on_in_the_next_and_is_labelled_there() -> None:
    async def talk(peer: Peer) -> None:
        if len(server.peers) == 1:
            for _ in range(12):
                await peer.next("media")
            await peer.close()
        await peer.next("never")

    server = Server([TWILIO], talk)
    clip = Clip(LOUD * 4000)
    report = call(server, Silence(0.1), Say(clip), Silence(0.1), HangUp())
    first, second = report.timelines
    cut = len(report.spoken[0].audio) - first.said[0].position
    assert second.said == [Said(-cut, clip)]
    assert bytes(report.spoken[1].audio).startswith(LOUD * (4000 - cut) + b"\xff")


def room(*steps: Step, played: bytes = b"", **room: Any) -> CallReport:
    """A call from a room where there is something to hear."""

    async def talk(peer: Peer) -> None:
        await peer.play("twilio", played)
        await peer.next("never")

    async def scene() -> CallReport:
        network = AsgiNetwork(Server([TWILIO], talk))
        phone = Phone("twilio", network, answer_url="https://h/answer")
        report = await phone.run(Script(steps, **room))
        assert phone.report is report
        await network.aclose()
        return report

    return run(scene(), limit=3600)


def test_noise_is_in_every_frame() -> None:
    report = room(Silence(1.0), HangUp(), noise=Noise("white", -30.0))
    track = report.samples(report.spoken) / 32768
    assert len(track) >= 7900
    assert abs(level(track[:7800]) + 30.0) < 0.5
    again = room(Silence(1.0), HangUp(), noise=Noise("white", -30.0))
    assert again.spoken[0].audio == report.spoken[0].audio


def test_what_is_played_comes_back_as_an_echo_to_the_sample() -> None:
    ramp = mulaw.encode((np.arange(1600, dtype=np.int16) - 800) * 20)
    report = room(Silence(1.0), HangUp(), played=ramp, echo=Echo(-20.0, 0.1))
    spoken, (played,) = report.samples(report.spoken), report.played
    begin = round((played.at + 0.1) * 8000)
    expected = mulaw.decode(mulaw.encode(np.rint(mulaw.decode(ramp) * 0.1).astype(np.int16)))
    assert np.array_equal(spoken[begin : begin + 1600], expected)
    assert not spoken[:begin].any()
    assert not spoken[begin + 1600 :].any()


def test_what_can_not_be_said_is_told_before_anything_is_dialled() -> None:
    server = Server([TWILIO])
    with pytest.raises(ValueError, match="line 7: there is no voice to say 'Hello'"):
        call(server, Silence(1.0), Say(Speech("Hello"), line=7))
    with pytest.raises(ValueError, match=r"step 1: .*nowhere\.wav"):
        call(server, Say(Path("nowhere.wav")))
    assert server.requests == []


def test_after_the_stream_the_documents_go_on() -> None:
    async def talk(peer: Peer) -> None:
        if len(server.peers) == 1:
            await peer.play("twilio", LOUD * 160)
            await peer.close()
        await peer.next("never")

    dial = '<Dial action="/continue" timeout="20" callerId="+1555"><Number>+15559</Number></Dial>'
    server = Server([TWILIO, dial, TWILIO], talk)
    report = call(server, WaitAudio(0.01), Silence(5), HangUp(), transfers=(Dialled("busy"),))
    assert [path for path, _, _ in server.requests] == ["/answer", "/continue", "/continue"]
    assert "DialCallStatus" not in server.requests[1][2]
    assert server.requests[2][2]["DialCallStatus"] == "busy"
    assert report.of("dial")[0].data == {"targets": ["+15559"], "ring": 20.0, "caller_id": "+1555"}
    streams = [event.data["stream"] for event in report.of("stream_opened")]
    assert len(set(streams)) == 2
    assert [event.data for event in report.of("stream_closed")] == [
        {"by": "server", "code": 1000},
        {"by": "caller", "code": 1000},
    ]


@pytest.mark.parametrize(
    ("dialled", "word", "seconds"),
    [
        (Dialled("ended", 3), "completed", 4),
        (Dialled("busy"), "busy", 1),
        (Dialled("noanswer"), "no-answer", 25),
        (Dialled("failed"), "failed", 1),
        (Dialled("declined"), "failed", 1),
    ],
)
@BOTH
def test_how_dials_end(carrier: Literal["twilio", "vobiz"], dialled: Dialled, word: str, seconds: float) -> None:
    dial = '<Dial action="https://h/after" timeout="25" redirect="true"><Number>+15559</Number></Dial>'
    server = Server([dial, "<Hangup/>"])
    report = call(server, ExpectEnd(60), carrier=carrier, transfers=(dialled,))
    assert (report.end_reason, report.failures) == ("hangup", [])
    assert server.requests[1][2]["DialCallStatus" if carrier == "twilio" else "DialStatus"] == word
    assert report.of("dial_ended")[0].at == pytest.approx(seconds)


@BOTH
def test_case_28_hang_up_while_the_target_rings(carrier: Literal["twilio", "vobiz"]) -> None:
    dial = '<Dial action="https://h/after" timeout="25" redirect="true"><Number>+15559</Number></Dial>'
    server = Server([dial, STREAM[carrier]])
    report = call(server, Silence(0.5), HangUp(), carrier=carrier)
    assert (report.end_reason, server.peers) == ("caller", [])
    form = server.requests[1][2]
    assert form["CallStatus"] == "completed"
    assert form.get("DialCallStatus", form.get("DialStatus")) in ("canceled", "cancel")


def test_a_blind_dial_ends_the_call_with_its_document() -> None:
    report = call(Server(["<Dial><Number>+15559</Number></Dial>"]), ExpectEnd(60), transfers=(Dialled("ended", 10),))
    assert (report.end_reason, round(report.duration)) == ("exhausted", 11)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("<Say>a &amp; b</Say><Hangup/>", "hangup"),
        ("<Pause length='3'/>", "exhausted"),
        ("<Redirect>/answer</Redirect>", "too many documents"),
        ("<Speak>a</Speak>", "bad document: unknown verb Speak"),
        ("<Connect/>", "bad document: Connect without Stream"),
        ("<Say>a & b</Say>", "bad document: not well-formed (invalid token): line 1, column 18"),
    ],
)
def test_documents(document: str, reason: str) -> None:
    assert call(Server([document]), ExpectEnd(60)).end_reason == reason


def test_vobiz_stop_ends_the_stream_and_keeps_the_call() -> None:
    async def talk(peer: Peer) -> None:
        await peer.play("vobiz", LOUD * 8000)
        await peer.text(json.dumps({"event": "stop", "streamId": peer.stream}))
        await peer.next("never")

    server = Server([VOBIZ, "<Hangup/>"], talk)
    report = call(server, ExpectEnd(5), carrier="vobiz")
    assert (report.end_reason, server.requests[1][2]["Event"]) == ("hangup", "Redirect")
    assert server.peers[0].code == 1000
    assert report.played[0].audio == b""


@pytest.mark.parametrize(("how", "code"), [("reset", 1006), ("abort", 1006), (1001, 1001)])
def test_drops(how: Literal["reset", "abort"] | int, code: int) -> None:
    server = Server([TWILIO, TWILIO])
    report = call(server, Silence(0.1), Drop(how), Silence(0.1), HangUp())
    assert report.failures == []
    assert server.peers[0].code == code
    assert all(frame["event"] != "stop" for frame in server.peers[0].got)
    assert len(server.peers) == len({peer.stream for peer in server.peers}) == 2


def test_a_drop_with_nothing_after_it() -> None:
    server = Server([TWILIO])
    report = call(server, Drop("reset", "nothing"))
    assert (report.end_reason, len(server.requests), report.failures) == ("dropped", 1, [])


def test_a_phone_that_stops_reading_stalls_the_server() -> None:
    stalled: list[int] = []

    async def talk(peer: Peer) -> None:
        sent = 0
        await peer.next("dtmf")
        try:
            while True:
                await peer.play("twilio", LOUD * 8000)
                sent += 1
        except OSError:
            stalled.append(sent)

    report = call(Server([TWILIO], talk), StopReading(), Keys("1"), Silence(2), HangUp())
    assert stalled[0] < 40
    assert report.failures == []


def test_garbage_both_ways() -> None:
    async def talk(peer: Peer) -> None:
        await peer.text("{")
        await peer.text('{"event":"playAudio"}')
        await peer.next("garbage")
        await peer.close()

    report = call(Server([TWILIO, "<Hangup/>"], talk), Garbage("not json"), ExpectEnd(5))
    assert len(report.of("wrong")) == 2
    assert report.end_reason == "hangup"


@pytest.mark.parametrize(
    ("steps", "failure"),
    [
        ((WaitAudio(1, within=2, line=7),), "line 7: WaitAudio: did not happen within 2 s"),
        ((Silence(0.1), ExpectEnd(3)), "step 2: ExpectEnd: the call had not ended after 3 s"),
    ],
)
def test_what_does_not_come_true_is_reported(steps: tuple[Step, ...], failure: str) -> None:
    report = call(Server([TWILIO]), *steps)
    assert (report.failures, report.end_reason) == ([failure], "caller")


def test_steps_after_the_end_are_reported() -> None:
    report = call(Server(["<Hangup/>"]), Keys("1"))
    assert report.failures == ["step 1: Keys: the call had ended: hangup"]


def test_the_limit() -> None:
    report = call(Server([TWILIO]), Silence(100), limit=5)
    assert (report.end_reason, round(report.duration, 6)) == ("limit", 5)


def test_events_are_seen_as_they_happen() -> None:
    seen: list[Event] = []
    report = call(Server([TWILIO]), HangUp(), on_event=seen.append)
    assert seen == report.events
    assert [event.kind for event in seen] == ["document", "hung_up", "stream_opened", "stream_closed", "ended"]


def test_status_callbacks_of_a_stream() -> None:
    stream = TWILIO.replace("<Stream ", '<Stream statusCallback="/status" ')
    server = Server([stream])
    call(server, Silence(0.1), HangUp())
    assert [form.get("StreamEvent") for _, _, form in server.requests] == [None, "stream-started", "stream-stopped"]


@BOTH
def test_a_call_over_real_sockets(carrier: Literal["twilio", "vobiz"], tmp_path: Path) -> None:
    async def talk(peer: Peer) -> None:
        await peer.play(carrier, LOUD * 2400)
        await peer.mark(carrier, "m")
        await peer.next("mark", "playedStream")
        await peer.next("dtmf")
        await peer.close()

    async def scene() -> CallReport:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        stream = STREAM[carrier].replace("wss://h/", f"ws://127.0.0.1:{port}/")
        app = Server([stream.replace("https://h/", f"http://127.0.0.1:{port}/"), "<Hangup/>"], talk)
        config = uvicorn.Config(app, ws="websockets-sansio", log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        network = SocketNetwork()
        phone = Phone(carrier, network, answer_url=f"http://127.0.0.1:{port}/answer", token="t", limit=20)
        report = await phone.run(Script((WaitAudio(0.1), WaitSilence(0.1), Keys("1"), ExpectEnd(5))))
        await network.aclose()
        server.should_exit = True
        await serving
        return report

    report = asyncio.run(scene())
    assert (report.end_reason, report.failures) == ("hangup", [])
    assert [event.data["name"] for event in report.of("mark_played")] == ["m"]
    assert bytes(report.played[0].audio) == LOUD * 2400
    report.save_wav(tmp_path / "call.wav")
    assert len(report.samples(report.played)) >= report.duration * 8000 - 1
