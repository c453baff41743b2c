"""What becomes of the caller's voice: a noise, words that are meant for nobody, or an answer to the node that runs."""

from __future__ import annotations

from flowengine.runtime import events as fact
from flowengine.runtime.dialogue import Dialogue
from flowengine.runtime.node import Said
from flowengine.runtime.state import TALKING

UNSURE = 0.3
"""The confidence under which words choose nothing: the caller is asked again (VoiceXML 2.0, 2.3.1: nomatch)."""


class Attention(Dialogue):
    """Takes what was heard of the caller."""

    def _speech_began(self) -> None:
        """Somebody may be speaking: silence is not counted until there are words, or none."""
        state = self.state
        due = state.timers.get("noinput")
        if state.phase == TALKING and due is not None:
            state.silence = due - state.at
            self.stop_timer("noinput")

    def _utterance(self, event: fact.UtteranceEnded) -> None:
        """The caller has said something, or it was a noise."""
        state = self.state
        left, state.silence = state.silence, None
        cut, state.cut = state.cut, False
        if state.phase != TALKING:
            self.note("ignored", why="transfer")
            return
        thinking = ".r" in state.prompt and not state.audible
        why = self._not_meant(event, over=bool(state.prompt) and not cut and not thinking)
        if why or not event.text.strip():
            if why:
                self.note("ignored", why=why)
            if cut:
                # What cut the words is no answer: the node waits for one.
                self._follow(cut=True)
            elif left is not None:
                self.start_timer("noinput", left)
            return
        then = list(state.then)
        state.heard_input()
        self.stop_waiting()
        if thinking:
            # The caller goes on before the answer has begun: it is asked for again, with all of it (case 20).
            self._stop_prompt()
        if cut and then and then[0] not in ("listen", "reply", "nothing"):
            state.said = (event.text, state.at)
            self._follow(cut=True)
            return
        state.then = []
        expects = self._type.expects(self)
        if event.confidence < UNSURE and expects is not None and expects.kind != "text":
            # A wrong choice costs the caller more than the question once more. A model may make sense of anything.
            self.note("unsure", confidence=event.confidence)
            self._type.handle(Said(""), self)
            return
        self._type.handle(Said(event.text), self)

    def _deaf(self, kind: str) -> None:
        """Nobody transcribes any more: a handler says what to do; without one the call goes on by keys, if it can."""
        if self.state.phase != TALKING:
            return
        self.note("error", event="error.stt", reason=kind)
        expects = self._type.expects(self._context)
        if expects is None or expects.kind == "nothing":
            return
        if self._handler("error.stt").handler is not None or not self._type.cutting_keys(self._context):
            self._raise("error.stt")

    def _not_meant(self, event: fact.UtteranceEnded, *, over: bool) -> str:
        """Say why words are no answer, whatever they are; an empty text where they may be one."""
        if not event.text.strip():
            return ""
        state = self.state
        if event.began < state.key_at:
            # The key wins the turn (case 13); words that are final before it came before it.
            return "a key was pressed meanwhile"
        if over:
            # An echo, a "hello?" (case 6), or an "mhm" (case 7).
            return "it was said over words that it did not cut"
        ended = state.at if event.ended is None else event.ended
        if event.began < state.uncut and ended - state.uncut < (ended - event.began) / 2:
            return "most of it was said over words that can not be cut by speech"
        return ""
