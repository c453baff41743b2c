"""What all calls of a process share: the wheel, voice, tools, store, the loop's lag, and who is on the line."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from flowengine.call.ears import Ears
from flowengine.call.lag import LoopLag
from flowengine.call.ports import (
    AudioStore,
    LanguageModel,
    RecordingStore,
    Store,
    Synthesizer,
    ToolRunner,
    Transcriber,
    VoiceDetector,
)
from flowengine.call.prices import PRICES, Price
from flowengine.call.voice import Voice
from flowengine.call.wheel import Wheel
from flowengine.errors import ProviderError, RemoteError
from flowengine.flow.model import Flow
from flowengine.runtime.effects import Speech
from flowengine.runtime.prompts import Manner, constant_speech, sentence

if TYPE_CHECKING:
    from flowengine.call.session import CallSession

log = logging.getLogger("flowengine.call")

MAX_TOOL_RUNS = 500  # at once in a process; one more fails at once


class Engine:
    """One per process. Its tasks outlive single calls and end with ``aclose``."""

    def __init__(
        self,
        store: Store,
        synthesizer: Synthesizer,
        audio_store: AudioStore | None,
        env: Mapping[str, str],
        wall: Callable[[], float] = time.time,
        tools: Mapping[str, ToolRunner] | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        detector: VoiceDetector | None = None,
        transcriber: Transcriber | None = None,
        recordings: RecordingStore | None = None,
        models: Mapping[str, LanguageModel] | None = None,
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        self.store = store
        self._detector = detector
        self.wall = wall
        self.entropy = entropy
        self.env = env
        self.wheel = Wheel()
        self.lag = LoopLag()
        self.voice = Voice(synthesizer, audio_store, self.spawn)
        self.ears = Ears(detector) if detector else None
        self.transcriber = transcriber
        self.recordings = recordings
        self.models = dict(models or {})
        self.prices = {**PRICES, **(prices or {})}
        self.sessions: dict[str, CallSession] = {}
        self.counts: Counter[str] = Counter()
        self.tools = dict(tools or {})  # who runs tools, by their kind
        self.tool_runs: set[asyncio.Task[None]] = set()  # of all calls, those that are over included
        self.max_tool_runs = MAX_TOOL_RUNS
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Make ready to answer; raises ``ProviderError`` when there is no voice."""
        await self.voice.synthesizer.start()
        if self._detector is not None:
            await self._detector.start()
        if self.transcriber is not None:
            await self.transcriber.start()
        for model in self.models.values():
            await model.start()
        for runner in self.tools.values():
            await runner.start()
        self.lag.start()

    async def aclose(self, deadline: float = 5.0) -> None:
        """End what is left. Bounded by ``deadline`` seconds."""
        self.lag.stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=deadline)
        for runner in self.tools.values():
            await runner.aclose()
        for model in self.models.values():
            await model.aclose()
        if self.transcriber is not None:
            await self.transcriber.aclose()
        await self.voice.synthesizer.aclose()

    @property
    def busy(self) -> bool:
        """Whether a call is on the line, or something of one has still to be written."""
        return bool(self.sessions or self._tasks)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run something that belongs to the process, not to a call. Its failure is logged."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.counts[f"failed.{type(error).__name__}"] += 1
            if isinstance(error, RemoteError) and not isinstance(error, ProviderError):
                # The store did not answer. What it should have been told is found later (`lost.py`).
                log.error("a task of the process failed: %s: %s", task.get_name(), error)
            elif not isinstance(error, ProviderError):
                log.error("a task of the process failed: %s", task.get_name(), exc_info=error)

    async def warm(self, flow: Flow) -> int:
        """Render what a flow says without variables, and the engine's own sentences; give how many texts."""
        texts: dict[Speech, None] = {}
        default = flow.defaults.lang
        for node in flow.nodes.values():
            manner = Manner(node.voice, node.lang or default, default)
            for prompt in (node.say, *node.reprompt, getattr(node.spec, "confirm", None)):
                if prompt is not None:
                    texts.update(dict.fromkeys(constant_speech(prompt, manner, flow.texts)))
            for catches in (node.catch, flow.catch):
                for catch in catches.values():
                    for handler in catch.handlers:
                        if handler.say is not None:
                            texts.update(dict.fromkeys(constant_speech(handler.say, manner, flow.texts)))
            for name in ("noinput", "nomatch", "invalid", "apology"):
                words = sentence(name, manner.lang)
                texts[Speech(words, node.voice.name, manner.lang, node.voice.rate, constant=True)] = None
        for speech in texts:
            await self.voice.render(speech)
        return len(texts)
