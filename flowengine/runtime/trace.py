"""A call as JSON lines: each fact with the effects it had, versioned, private values covered.

What is covered: keys and words that a node takes for a private variable, keys typed ahead in a flow that has one, and
the texts of private values wherever they stand in data (arguments, requests, answers, a model's messages). A value of
one character is too short to be looked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from flowengine.flow.values import to_json
from flowengine.runtime import events as fact
from flowengine.runtime.effects import Effect, PlayPrompt, Recording, RunTool, Speech
from flowengine.runtime.interpreter import Interpreter
from flowengine.runtime.prompts import COVER

VERSION = 2
HIDDEN = COVER * 3
# The fields that hold data of callers and of the systems behind a flow; the others are the engine's own.
_DATA = frozenset({"result", "values", "data", "text", "args", "request", "system", "messages"})
_encoder = msgspec.json.Encoder(enc_hook=str)


def header(call: Mapping[str, Any]) -> str:
    """Give the first line of a trace: which call, carrier, flow and revision."""
    return _encoder.encode({"v": VERSION, "call": dict(call)}).decode()


def handle(interpreter: Interpreter, event: fact.Event) -> tuple[list[Effect], str]:
    """Let the interpreter take a fact; give the effects and the line of the trace."""
    hidden = interpreter.covers(event)
    kept = interpreter.keys_kept
    effects = interpreter.handle(event)
    # A key that waits for a later node may be the first one of a private value.
    hidden = hidden or (interpreter.has_private and interpreter.keys_kept > kept)
    return effects, line(event, effects, hidden=hidden, private=interpreter.private_values())


def line(event: fact.Event, effects: Collection[Effect], *, hidden: bool = False, private: Collection[str] = ()) -> str:
    """Give the line of one fact. With ``hidden`` its key or words are covered, and ``private`` texts wherever they are.

    ``at`` is for readers; the event's own time is exact, so that a replay does the same.
    """
    if hidden and isinstance(event, fact.DigitPressed):
        event = replace(event, digit=COVER)
    elif hidden and isinstance(event, fact.UtteranceEnded) and event.text:
        event = replace(event, text=HIDDEN)
    elif isinstance(event, fact.CallStarted):
        event = replace(event, args=to_json(event.args))
    plain = {"at": round(event.at, 4), "event": msgspec.to_builtins(event, enc_hook=str)}
    plain["effects"] = [msgspec.to_builtins(_shown(effect), enc_hook=str) for effect in effects]
    if private:
        plain["event"] = _data_covered(plain["event"], private)
        plain["effects"] = [_data_covered(effect, private) for effect in plain["effects"]]
    return _encoder.encode(plain).decode()


def note(at: float, what: str, **data: Any) -> str:
    """Give a line of the shell's own: what was counted or corrected, never a decision."""
    return _encoder.encode({"at": round(at, 4), "note": what, **data}).decode()


def resumed(at: float, snapshot: Mapping[str, Any]) -> str:
    """Give the line of a new stream: which state it goes on from, for a replay must go on from the same."""
    return note(at, "resumed", state=mark(snapshot))


def mark(snapshot: Mapping[str, Any]) -> list[Any]:
    """Give what tells one state of a call from its others."""
    return [snapshot["at"], snapshot["epoch"], snapshot["next_id"], len(snapshot["path"])]


def _shown(effect: Effect) -> Effect:
    """Show the words of a prompt as they are shown to readers, and of a request's headers their names alone."""
    if isinstance(effect, RunTool) and effect.request:
        # That is where keys and passwords of other systems are.
        headers = dict.fromkeys(effect.request.get("headers", {}), HIDDEN)
        return replace(effect, request={**effect.request, "headers": headers})
    if not isinstance(effect, PlayPrompt):
        return effect
    return replace(effect, parts=tuple(_part_shown(part) for part in effect.parts))


def _part_shown(part: Any) -> Any:
    if isinstance(part, Recording) and part.words is not None:
        return replace(part, words=_part_shown(part.words))
    return replace(part, text=part.shown) if isinstance(part, Speech) and part.shown is not None else part


def _data_covered(plain: dict[str, Any], private: Collection[str]) -> dict[str, Any]:
    return {key: _covered(value, private) if key in _DATA else value for key, value in plain.items()}


def _covered(value: Any, private: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {key: _covered(inner, private) for key, inner in value.items()}
    if isinstance(value, list):
        return [_covered(inner, private) for inner in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        for text in private:
            value = value.replace(text, HIDDEN)
        return value
    return HIDDEN if str(value) in private else value
