"""What a node asks of a language model, and what becomes of the answer.

One answer is under way at a time, as one prompt is: its id stands where a prompt's does. Its words do not pass here,
its beginning, what it wants, and its end do. The history is what a model is told of the call: what the caller said, and
of the answers what was heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowengine.flow.model import Filler
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime.errands import Errands
from flowengine.runtime.node import Acted, Replied, ReplyBroke
from flowengine.runtime.turns import THINKING

MAX_HISTORY = 400


class Dialogue(Errands):
    """Asks models and takes their answers."""

    def ask_model(
        self,
        system: str,
        messages: Iterable[Mapping[str, Any]],
        *,
        tools: Iterable[Mapping[str, Any]] = (),
        exits: Iterable[Mapping[str, Any]] = (),
        temperature: float | None = None,
        keys: str = "",
        realtime: bool = False,
        persona: str = "",
        filler: Filler | None = None,
        silent: bool = False,
    ) -> None:
        """Ask the node's model; ``Acted`` and then ``Replied`` follow. ``keys`` cut the answer where keys may."""
        state, node = self.state, self.node
        self._stop_prompt()
        self.stop_waiting()
        self._expect()
        reply = state.prompt = self._id("r")
        state.prompt_keys = keys if node.barge_in.keys else ""
        state.then, state.audible = ["reply"], False
        self._turn.take("ask")
        self.start_timer("model", 2 * node.timeouts.model_first)
        self._effects.append(
            wish.Ask(
                reply,
                node.name,
                node.model.name,
                node.model.temperature if temperature is None else temperature,
                system,
                tuple(messages),
                tuple(tools),
                tuple(exits),
                self._policy(state.prompt_keys, speech=node.barge_in.speech),
                node.voice.name,
                self.lang,
                node.voice.rate,
                realtime=realtime,
                persona=persona,
                filler=tuple(self._renderer().prompt(filler.say)) if filler else (),
                patience=filler.after if filler else 0.0,
                first=node.timeouts.model_first,
                silent=silent,
            )
        )

    @property
    def speaking(self) -> bool:
        """Whether words are on, or an answer is."""
        return bool(self.state.prompt)

    @property
    def history(self) -> list[dict[str, Any]]:
        """What was said in this call, for models; a part of the call's state."""
        return self.state.history

    def remember(self, **message: Any) -> None:
        """Add a message to the history: its `role` and `text`, an answer's `calls`, a call's `result`."""
        history = self.state.history
        history.append(message)
        gone = len(history) - MAX_HISTORY
        if gone > 0:
            del history[:gone]
            visit = self.state.visit
            visit.begin = None if visit.begin is None else max(0, visit.begin - gone)

    def _reply_event(self, event: fact.Event) -> bool:
        """Take a fact about an answer; False for other facts."""
        if not isinstance(
            event,
            fact.ReplyStarted
            | fact.ReplyAudible
            | fact.ReplyActed
            | fact.ReplyFinished
            | fact.ReplyInterrupted
            | fact.ReplyFailed,
        ):
            return False
        if event.reply != self.state.prompt:
            if isinstance(event, fact.ReplyInterrupted) and event.reply == self.state.dropped and event.text.strip():
                # It was stopped from here: the model shall know what the caller has heard of it.
                self.remember(role="assistant", text=f"{event.text.rstrip()}…")
                self.state.local.pop("asked", None)
            else:
                self.note("stale", reply=event.reply)
            return True
        if self._turn.turn == THINKING and not isinstance(event, fact.ReplyFailed):
            self._turn.take("speak")
        self.stop_timer("model")
        if isinstance(event, fact.ReplyActed):
            self._type.handle(Acted(event.act, event.name, event.id, event.values), self._context)
        elif isinstance(event, fact.ReplyAudible):
            self.state.audible = True
        elif not isinstance(event, fact.ReplyStarted):
            self._reply_over(event)
        return True

    def _reply_over(self, event: fact.ReplyFinished | fact.ReplyInterrupted | fact.ReplyFailed) -> None:
        state = self.state
        state.prompt, state.then = "", []
        if isinstance(event, fact.ReplyFailed):
            self._turn.take("cut")
            name = "error.tts" if event.voice else "error.model"
            self.note("error", event=name, reason=event.kind)
            self._type.handle(ReplyBroke(event.text, name), self._context)
            return
        cut = isinstance(event, fact.ReplyInterrupted)
        seconds = event.heard if isinstance(event, fact.ReplyInterrupted) else event.seconds
        self._turn.take("cut" if cut else "heard")
        self._played(seconds)
        if not cut and not self.node.barge_in.speech:
            state.uncut = state.at
        state.cut = cut
        self._type.handle(Replied(event.text, cut), self._context)

    def _model_timer(self) -> None:
        """The model has not said a word in time."""
        self._stop_prompt()
        self.note("error", event="error.model", reason="timeout")
        self._type.handle(ReplyBroke(""), self._context)

    def _played(self, seconds: float) -> None:
        """Something was heard: the call does not go round in silence."""
        state = self.state
        state.played += seconds
        if state.played >= 1.0:
            state.hops, state.played = 0, 0.0
