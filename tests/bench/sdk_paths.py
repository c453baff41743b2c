"""CPU of each vendor's SDK and of our own path past it, per second of a call; and what an open stream holds in memory.

    .venv/bin/python tests/bench/sdk_paths.py [--only deepgram cartesia elevenlabs anthropic openai memory] [--rounds 5]

Each SDK is used as its documentation does it, our provider as a call does it: by turns in one process, against the same
double, whose process is on another core and does not count. Times are CPU of this process, medians of the rounds; the
ratio is ours to the SDK's, the median of the rounds', with the lowest and the highest. There is no TLS, and the doubles
decline compression where a row does not say otherwise.

Deepgram: streams at once, 20 ms of µ-law every 20 ms; what the same clocks cost without a stream is taken off. Voices
come eight times as fast as they are spoken, each text is asked for on its own. Models: our provider asks by the SDK, so
the ratio is what it adds; a delta is what an answer costs without its request, and a request what an answer of one word
costs. ElevenLabs' SDK has no asynchronous client for its WebSocket, and is not installed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import re
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from subprocess import PIPE, Popen, check_output
from typing import Any, Self, TypeVar

import numpy as np
import uvloop
from websockets.asyncio.server import serve

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from flowengine.audio import mulaw
from flowengine.call.ports import Expected, LanguageModel, ModelRequest, Said, SpeechRequest, Synthesizer
from flowengine.providers.anthropic import AnthropicModel
from flowengine.providers.cartesia import CartesiaSynthesizer
from flowengine.providers.deepgram import DeepgramTranscriber
from flowengine.providers.elevenlabs import ElevenLabs
from flowengine.providers.openai import OpenAIModel
from flowengine.testing.virtual_time import let_pass
from tests.doubles.anthropic_server import AnthropicServer
from tests.doubles.cartesia_server import CartesiaServer, tone
from tests.doubles.deepgram_server import DeepgramServer, Spoken
from tests.doubles.elevenlabs_server import CHUNK, ElevenLabsServer
from tests.doubles.openai_server import OpenAIServer
from tests.doubles.vendor_http import Asked

CORES = os.sched_getaffinity(0)
KEY = "the-key"
RATE = 8000
FRAME, APART = 160, 0.02  # bytes of a frame, and seconds from one to the next
STREAMS = 20
IDLE = 100  # streams whose memory is measured
FASTER = 8.0  # as a voice than it is spoken
TEXT = "I have found your order and it will be with you on Friday before noon."
VOICE = "6ccbfb76-1fc6-48f7-b71d-91ac6298247b"
PERSONA, TASK = "You are Ada.", "Help with orders."
ANSWERS, DELTAS, PAUSE = 20, 30, 0.025  # answers at once, each of so many deltas, so many seconds apart
MANY = 1000  # deltas of an answer that comes as fast as it can
SPEAKS = 0.4  # of a second of a call is the engine's voice,
ASKS = 0.1  # of an answer is asked for in it, and
WORDS = 6  # of its deltas come
PARTS = ("deepgram", "cartesia", "elevenlabs", "anthropic", "openai", "memory")

T = TypeVar("T")
Costs = Mapping[str, float]
Way = Callable[[], Awaitable[Costs]]
Found = dict[str, list[Costs]]


@dataclass(frozen=True)
class Row:
    """One line of the table, of what each round found; ``sdk`` is empty where there is none."""

    path: str
    sdk: Sequence[float]
    ours: Sequence[float]
    unit: str

    def line(self) -> str:
        """Give it as Markdown."""
        ratios = [ours / sdk for ours, sdk in zip(self.ours, self.sdk, strict=True)] if self.sdk else []
        ratio = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else "-"
        return f"| {self.path} | {_number(self.sdk)} | {_number(self.ours)} | {ratio} | {self.unit} |"


def _number(values: Sequence[float]) -> str:
    if not values:
        return "-"
    value = median(values)
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


async def by_turns(ways: Mapping[str, Way], rounds: int) -> Found:
    """Go each way in every round, and let another one begin each time."""
    found: Found = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()
            found[name].append(await ways[name]())
    return found


def of(found: Found, way: str, what: str) -> list[float]:
    """Give one cost of a way, round by round."""
    return [costs[what] for costs in found[way]]


# --- the doubles, each in a process of its own


class Compressing(DeepgramServer):
    """Takes the compression that a client offers."""

    async def __aenter__(self) -> Self:
        self._server = await serve(self._serve, "127.0.0.1", 0, process_request=self._greet, close_timeout=0.2)
        return self


class Spaced(ElevenLabsServer):
    """Speaks word by word."""

    async def _word(self, socket: Any, context: str, word: str) -> None:
        await super()._word(socket, context, word)
        await asyncio.sleep(CHUNK / RATE / FASTER)


def caller() -> tuple[bytes, list[Spoken]]:
    """Give 2.8 s of a caller, 1.6 of them words: noise, as what is spoken can not be compressed either; and its words.

    Its first bytes, by which the double knows it, come nowhere else.
    """
    chance = np.random.default_rng(1)
    loud, low = (chance.normal(0.0, level, round(seconds * RATE)) for level, seconds in ((3000.0, 1.6), (20.0, 1.2)))
    words = [Spoken(f"word{number}", 0.4 * number + 0.05, 0.4 * number + 0.35) for number in range(4)]
    return mulaw.encode(np.concatenate((loud, low)).astype(np.int16)), words


def answer(asked: Asked) -> list[Any]:
    """Answer with as many deltas as the caller asks for."""
    wish = re.search(r"(\d+) words, ([\d.]+) s apart", str(asked.body["messages"][-1]))
    assert wish is not None
    count, pause = int(wish[1]), float(wish[2])
    return [step for _ in range(count) for step in ((pause, "word ") if pause else ("word ",))]


def double(name: str) -> Any:
    """Make a vendor's double."""
    audio, words = caller()
    made: dict[str, Callable[[], Any]] = {
        "deepgram": lambda: DeepgramServer(clips={audio[:64]: words}),
        "compressing": lambda: Compressing(clips={audio[:64]: words}),
        "cartesia": lambda: CartesiaServer(speed=FASTER),
        "elevenlabs": lambda: Spaced(key=KEY),
        "anthropic": lambda: AnthropicServer(choose=answer, key=KEY),
        "openai": lambda: OpenAIServer(choose=answer, key=KEY),
    }
    return made[name]()


async def serve_double(name: str) -> None:
    """Be a vendor until nobody needs it any more: print the address, and wait for the end of what is read."""
    async with double(name) as server:
        print(server.url, flush=True)  # noqa: T201 - for who started us
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def doubled(name: str) -> Iterator[str]:
    """Start a double on the first core, where we are not; give its address."""
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(CORES)})
    with Popen([sys.executable, __file__, "--double", name], stdin=PIPE, stdout=PIPE, text=True) as process:
        os.sched_setaffinity(0, ours)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


# --- Deepgram


class Stream:
    """A stream of the SDK. ``ends`` counts the turns whose end was told."""

    size = FRAME  # bytes of a message

    def __init__(self, connection: Any) -> None:
        self.ends = 0
        self._connection = connection

    async def send(self, frame: bytes) -> None:
        """Send a frame of the line."""
        await self._connection.send_media(frame)

    async def take(self) -> None:
        """Take what is told."""
        async for message in self._connection:
            if message is not None and message.type == "TurnInfo":
                self.ends += message.event == "EndOfTurn"


class Joined(Stream):
    """The same, in messages of 80 ms."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._audio = b""

    async def send(self, frame: bytes) -> None:
        """As ``Stream.send``."""
        self._audio += frame
        if len(self._audio) == 4 * FRAME:
            audio, self._audio = self._audio, b""
            await self._connection.send_media(audio)


class Ours(Stream):
    """A stream of our provider."""

    async def send(self, frame: bytes) -> None:
        """As ``Stream.send``."""
        self._connection.send(frame)

    async def take(self) -> None:
        """As ``Stream.take``."""
        async for heard in self._connection:
            self.ends += heard.kind == "end"


class Nothing(Stream):
    """No stream at all."""

    async def send(self, frame: bytes) -> None:
        """As ``Stream.send``."""


Opened = Callable[[AsyncExitStack], Awaitable[Stream]]


def bare_deepgram(url: str, kind: type[Stream] = Stream) -> Opened:
    """Give what opens a stream of the SDK."""
    from deepgram import AsyncDeepgramClient
    from deepgram.environment import DeepgramClientEnvironment

    address = re.sub("^http", "ws", url)
    environment = DeepgramClientEnvironment(base=url, production=address, agent=address, agent_rest=url)
    client = AsyncDeepgramClient(api_key=KEY, environment=environment)

    async def opened(stack: AsyncExitStack) -> Stream:
        connecting = client.listen.v2.connect(
            model="flux-general-en",
            encoding="mulaw",
            sample_rate=RATE,
            eot_threshold=0.7,
            eager_eot_threshold=0.5,
            eot_timeout_ms=3000,
        )
        return kind(await stack.enter_async_context(connecting))

    return opened


async def our_deepgram(url: str) -> Opened:
    """Give what opens a stream of ours."""
    transcriber = DeepgramTranscriber(KEY, url=url)
    await transcriber.start()

    async def opened(stack: AsyncExitStack) -> Stream:
        return Ours(await stack.enter_async_context(transcriber.listen("a call", Expected("en-US"))))

    return opened


async def no_stream(stack: AsyncExitStack) -> Stream:
    """Open nothing."""
    return Nothing(None)


async def feed(stream: Stream, audio: bytes, wait: float, apart: float = APART) -> None:
    """Send audio frame by frame, in time."""
    loop = asyncio.get_running_loop()
    due = loop.time() + wait
    for at in range(0, len(audio), FRAME):
        await let_pass(max(0.0, due - loop.time()))
        await stream.send(audio[at : at + FRAME])
        due += apart


@asynccontextmanager
async def streams(opened: Opened, count: int) -> AsyncIterator[list[Stream]]:
    """Open so many streams one after the other, and take what they tell."""
    async with AsyncExitStack() as stack:
        found: list[Stream] = []
        taking: list[asyncio.Task[None]] = []
        for number in range(count):
            found.append(await opened(stack))
            taking.append(asyncio.create_task(found[-1].take(), name=f"stream {number}"))
        yield found
        for task in taking:
            task.cancel()
        await asyncio.gather(*taking, return_exceptions=True)


async def hear(opened: Opened, audio: bytes) -> Costs:
    """Give the CPU of an opening, and of a second of a stream, in ms."""
    started = time.process_time()
    async with streams(opened, STREAMS) as found:
        begun = time.process_time()
        await asyncio.gather(*(feed(one, audio, APART * number / STREAMS) for number, one in enumerate(found)))
        used = time.process_time() - begun
        turns = len(audio) // len(caller()[0]) if opened is not no_stream else 0
        if {one.ends for one in found} != {turns}:
            raise SystemExit(f"of {turns} turns there were told {[one.ends for one in found]}: it measures nothing")
    seconds = STREAMS * len(audio) / RATE
    return {"open": (begun - started) / STREAMS * 1e3, "hear": used / seconds * 1e3}


async def deepgram(url: str, compressing: str, rounds: int, turns: int) -> list[Row]:
    """Measure listening."""
    audio = caller()[0]
    ways: dict[str, Opened] = {
        "clocks": no_stream,
        "frames": bare_deepgram(url),
        "joined": bare_deepgram(url, Joined),
        "compressed": bare_deepgram(compressing),
        "ours": await our_deepgram(url),
    }

    def way(name: str, times: int) -> Way:
        return lambda: hear(ways[name], audio * (times if name != "clocks" else 1))

    await by_turns({name: way(name, 1) for name in ("frames", "ours")}, 1)
    found = await by_turns({name: way(name, turns) for name in ways}, rounds)
    clocks = median(of(found, "clocks", "hear"))
    costs = {name: [cost - clocks for cost in of(found, name, "hear")] for name in ways}
    paths = {
        "frames": "20 ms messages, as documented",
        "joined": "80 ms messages",
        "compressed": "20 ms messages, the server takes its compression",
    }
    rows = [
        Row(f"Deepgram, {STREAMS} streams; SDK: {path}", costs[name], costs["ours"], "ms per stream-second")
        for name, path in paths.items()
    ]
    sdk, ours = ([cost / 10 for cost in costs[name]] for name in ("frames", "ours"))
    rows.insert(1, Row("the first, as a share", sdk, ours, "% of a core per stream"))
    rows.append(Row("Deepgram, opening a stream", of(found, "frames", "open"), of(found, "ours", "open"), "ms"))
    return rows


# --- memory


def resident() -> float:
    """Give what this process holds, in KiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1024


async def hold(way: str, url: str) -> None:
    """Print what a stream holds when it is open, and after four seconds of audio, in KiB."""
    opened = await our_deepgram(url) if way == "ours" else bare_deepgram(url)
    audio = (caller()[0] * 2)[: 4 * RATE]
    async with streams(opened, 5) as first:  # imports, caches and the allocator's first pages are there then
        await asyncio.gather(*(feed(one, audio, 0.0, APART / 4) for one in first))
        gc.collect()
        before = resident()
        async with streams(opened, IDLE) as found:
            await let_pass(0.3)
            gc.collect()
            fresh = resident() - before
            await asyncio.gather(*(feed(one, audio, 0.0, APART / 4) for one in found))
            await let_pass(0.3)
            gc.collect()
            print(fresh / IDLE, (resident() - before) / IDLE)  # noqa: T201 - for who started us


async def memory(url: str, compressing: str, rounds: int) -> list[Row]:
    """Measure what a stream holds, each way in a fresh process."""

    def held(way: str, address: str) -> Way:
        async def measured() -> Costs:
            command = [sys.executable, __file__, "--hold", way, address]
            fresh, used = (await asyncio.to_thread(check_output, command, text=True)).split()
            return {"fresh": float(fresh), "used": float(used)}

        return measured

    ways = {"SDK": held("SDK", url), "compressed": held("SDK", compressing), "ours": held("ours", url)}
    found = await by_turns(ways, rounds)
    what = {"fresh": "open", "used": "after 4 s of audio"}
    return [
        Row(f"Deepgram, memory of a stream, {said}{more}", of(found, sdk, state), of(found, "ours", state), "KiB")
        for sdk, more in (("SDK", ""), ("compressed", "; the server takes the SDK's compression"))
        for state, said in what.items()
    ]


# --- voices

Say = Callable[[], Awaitable[int]]


async def speak(say: Say, at_once: int, texts: int, size: int) -> Costs:
    """Have texts spoken, some at once and some one after the other; give the CPU of a second of audio, in ms."""

    async def in_turn() -> int:
        return sum([await say() for _ in range(texts)])

    begun = time.process_time()
    async with asyncio.timeout(60):  # the SDK's contexts may wait for ever
        sizes = await asyncio.gather(*(in_turn() for _ in range(at_once)))
    used = time.process_time() - begun
    if sum(sizes) != at_once * texts * size:
        raise SystemExit(f"{sum(sizes)} bytes of audio, not {at_once * texts * size}: it measures nothing")
    return {"second": used / sum(sizes) * RATE * 1e3}


def saying(voice: Synthesizer) -> Say:
    """Speak by a provider of ours."""
    request = SpeechRequest(TEXT, "default", "en-US", 1.0)

    async def say() -> int:
        size = 0
        async for part in voice.speak(request):
            if isinstance(part, bytes):
                size += len(part)
        return size

    return say


async def voices(name: str, ways: Mapping[str, Say], size: int, rounds: int) -> list[Row]:
    """Measure a vendor's voice at one text at a time, and at many."""
    rows = []
    for at_once, texts in ((1, 4), (STREAMS, 2)):

        def way(say: Say, at_once: int = at_once, texts: int = texts) -> Way:
            return lambda: speak(say, at_once, texts, size)

        await by_turns({side: way(say, texts=1) for side, say in ways.items()}, 1)
        found = await by_turns({side: way(say) for side, say in ways.items()}, rounds)
        sdk = of(found, "SDK", "second") if "SDK" in found else []
        many = "text" if at_once == 1 else "texts"
        rows.append(
            Row(f"{name}, {at_once} {many} at once", sdk, of(found, "ours", "second"), "ms per second of audio")
        )
    return rows


async def cartesia(url: str, rounds: int) -> list[Row]:
    """Measure a voice of Cartesia's: the SDK's contexts on one socket, and ours."""
    from cartesia import AsyncCartesia

    voice = CartesiaSynthesizer(KEY, VOICE, url=url)
    await voice.start()
    client = AsyncCartesia(api_key=KEY, base_url=url, websocket_base_url=re.sub("^http", "ws", url))
    try:
        async with client, client.tts.websocket_connect() as connection:

            async def say() -> int:
                context = connection.context(
                    model_id="sonic-3.5",
                    voice=VOICE,
                    output_format={"container": "raw", "encoding": "pcm_mulaw", "sample_rate": RATE},
                    language="en",
                    add_timestamps=True,
                    max_buffer_delay_ms=0,
                )
                await context.push(TEXT)
                await context.no_more_inputs()
                size = 0
                async for event in context.receive():
                    if event.type == "chunk" and event.audio:
                        size += len(event.audio)
                return size

            return await voices("Cartesia", {"SDK": say, "ours": saying(voice)}, len(tone(TEXT)[0]), rounds)
    finally:
        await voice.aclose()


async def elevenlabs(url: str, rounds: int) -> list[Row]:
    """Measure a voice of ElevenLabs', which is ours alone."""
    voice = ElevenLabs(KEY, url=url)
    await voice.start()
    try:
        return await voices("ElevenLabs", {"ours": saying(voice)}, len(TEXT.split()) * CHUNK, rounds)
    finally:
        await voice.aclose()


# --- models

Ask = Callable[[str], Awaitable[int]]


def asking(model: LanguageModel) -> Ask:
    """Ask by a provider of ours."""

    async def ask(text: str) -> int:
        deltas = 0
        request = ModelRequest("default", PERSONA, TASK, ({"role": "user", "text": text},))
        async with model.answer(request) as parts:
            async for part in parts:
                deltas += isinstance(part, Said)
        return deltas

    return ask


async def answers(ask: Ask, count: int, deltas: int, pause: float = 0.0) -> float:
    """Ask so often at once; give the CPU that it took, in µs."""
    text = f"{deltas} words, {pause} s apart"
    begun = time.process_time()
    async with asyncio.timeout(60):
        found = await asyncio.gather(*(ask(text) for _ in range(count)))
    used = time.process_time() - begun
    if set(found) != {deltas}:
        raise SystemExit(f"of {deltas} deltas there were {found}: it measures nothing")
    return used * 1e6


async def converse(ask: Ask) -> Costs:
    """Give what an answer of one word costs, and each further delta, fast and as it is said, in µs."""
    request = median([await answers(ask, ANSWERS, 1) for _ in range(5)]) / ANSWERS
    fast = await answers(ask, 1, MANY) - request
    said = await answers(ask, ANSWERS, DELTAS, PAUSE) - ANSWERS * request
    return {"request": request, "fast": fast / (MANY - 1), "said": said / (ANSWERS * (DELTAS - 1))}


async def models(name: str, sdk: Ask, model: LanguageModel, rounds: int) -> list[Row]:
    """Measure a vendor's answers."""

    def way(ask: Ask) -> Way:
        return lambda: converse(ask)

    ways = {"SDK": way(sdk), "ours": way(asking(model))}
    for ask in (sdk, asking(model)):
        await answers(ask, ANSWERS, 1)
    found = await by_turns(ways, rounds)
    what = {
        "said": f"{ANSWERS} answers, a delta every {PAUSE * 1e3:.0f} ms",
        "fast": "1 answer, as fast as it comes",
        "request": "a request and its first word",
    }
    return [
        Row(f"{name}, {said}", of(found, "SDK", key), of(found, "ours", key), "µs" if key == "request" else "µs/delta")
        for key, said in what.items()
    ]


async def anthropic(url: str, rounds: int) -> list[Row]:
    """Measure answers of Anthropic's."""
    from anthropic import AsyncAnthropic

    model = AnthropicModel(KEY, url=url)
    await model.start()
    try:
        async with AsyncAnthropic(api_key=KEY, base_url=url) as client:

            async def ask(text: str) -> int:
                deltas = 0
                stream = await client.messages.create(
                    model="claude-haiku-5-5",
                    max_tokens=400,
                    thinking={"type": "disabled"},
                    system=[{"type": "text", "text": PERSONA}, {"type": "text", "text": TASK}],
                    messages=[{"role": "user", "content": [{"type": "text", "text": text}]}],
                    stream=True,
                )
                async for event in stream:
                    if event.type == "content_block_delta" and event.delta.type == "text_delta":
                        deltas += bool(event.delta.text)
                return deltas

            return await models("Anthropic", ask, model, rounds)
    finally:
        await model.aclose()


async def openai(url: str, rounds: int) -> list[Row]:
    """Measure answers of OpenAI's."""
    from openai import AsyncOpenAI

    model = OpenAIModel(KEY, url=f"{url}/v1")
    await model.start()
    try:
        async with AsyncOpenAI(api_key=KEY, base_url=f"{url}/v1") as client:

            async def ask(text: str) -> int:
                deltas = 0
                stream = await client.chat.completions.create(
                    model="gpt-4.1-mini",
                    max_tokens=400,
                    messages=[{"role": "system", "content": f"{PERSONA}\n\n{TASK}"}, {"role": "user", "content": text}],
                    stream=True,
                    stream_options={"include_usage": True},
                )
                async for chunk in stream:
                    deltas += sum(bool(choice.delta.content) for choice in chunk.choices)
                return deltas

            return await models("OpenAI", ask, model, rounds)
    finally:
        await model.aclose()


# --- all of them


def whole(rows: Mapping[str, Sequence[Row]]) -> list[Row]:
    """Give a second of a call of all of it, with Anthropic's model and Cartesia's voice; in ms of CPU."""
    if not {"deepgram", "cartesia", "anthropic"} <= rows.keys():
        return []
    frames, _, joined, *_ = rows["deepgram"]
    voice = rows["cartesia"][1]
    said, _, request = rows["anthropic"]

    def call(*costs: Sequence[float]) -> list[float]:
        return [
            heard + SPEAKS * spoken + (WORDS * delta + ASKS * asked) / 1e3
            for heard, spoken, delta, asked in zip(*costs, strict=True)
        ]

    path = f"a call: Deepgram always, Cartesia {SPEAKS:.0%}, Anthropic {ASKS:g} requests and {WORDS} deltas a second"
    ours = call(frames.ours, voice.ours, said.ours, request.ours)
    return [
        Row(path + more, call(heard.sdk, voice.sdk, said.sdk, request.sdk), ours, "ms per call-second")
        for heard, more in ((frames, ""), (joined, "; SDK: 80 ms messages"))
    ]


def measure(part: str, rounds: int, turns: int) -> list[Row]:
    """Measure one part, with its doubles."""
    if part in ("deepgram", "memory"):
        with doubled("deepgram") as url, doubled("compressing") as compressing:
            if part == "memory":
                return run(memory(url, compressing, min(2, rounds)))
            return run(deepgram(url, compressing, rounds, turns))
    work = {"cartesia": cartesia, "elevenlabs": elevenlabs, "anthropic": anthropic, "openai": openai}[part]
    with doubled(part) as url:
        return run(work(url, rounds))


def run(what: Coroutine[Any, Any, T]) -> T:
    """Run on the loop that the server has."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(what)


def main(given: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turns", type=int, default=2, help="of 2.8 s, that each stream hears in a round")
    parser.add_argument("--double", help=argparse.SUPPRESS)
    parser.add_argument("--hold", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args(given)
    if chosen.double:
        return run(serve_double(chosen.double))
    if chosen.hold:
        return run(hold(*chosen.hold))
    os.environ["NO_PROXY"] = "127.0.0.1"  # the doubles are near
    os.sched_setaffinity(0, {max(CORES)})
    began = time.monotonic()
    rows: dict[str, list[Row]] = {}
    for part in chosen.only:
        rows[part] = measure(part, chosen.rounds, chosen.turns)
        print(f"{part}: {time.monotonic() - began:.0f} s", file=sys.stderr)  # noqa: T201
    print("| path | SDK | ours | ours/SDK | unit |\n|---|---|---|---|---|")  # noqa: T201
    for row in [*(row for part in rows.values() for row in part), *whole(rows)]:
        print(row.line())  # noqa: T201
    return None


if __name__ == "__main__":
    main()
