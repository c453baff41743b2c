"""A call as JSON lines: each fact with the effects it had, versioned, private values covered."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from flowengine.runtime.effects import Effect, PlayPrompt, RunTool, Speech
from flowengine.runtime.events import DigitPressed, Event
from flowengine.runtime.prompts import COVER

VERSION = 1
_encoder = msgspec.json.Encoder(enc_hook=str)


def header(call: Mapping[str, Any]) -> str:
    """Give the first line of a trace: which call, carrier, flow and revision."""
    return _encoder.encode({"v": VERSION, "call": dict(call)}).decode()


def line(event: Event, effects: Sequence[Effect], *, sensitive: bool) -> str:
    """Give the line of one fact. With ``sensitive`` its key is covered, for it belongs to a private variable."""
    shown = dataclasses.replace(event, digit=COVER) if sensitive and isinstance(event, DigitPressed) else event
    return _encoder.encode(
        {"at": round(event.at, 4), "event": _tagged(shown), "effects": [_tagged(_covered(e)) for e in effects]}
    ).decode()


def note(at: float, what: str, **data: Any) -> str:
    """Give a line of the shell's own: what was counted or corrected, never a decision."""
    return _encoder.encode({"at": round(at, 4), "note": what, **data}).decode()


def _tagged(value: Event | Effect) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value, enc_hook=str)
    return {"type": type(value).__name__, **plain}


def _covered(effect: Effect) -> Effect:
    if isinstance(effect, RunTool):
        # What goes to a tool may be private or secret, and nothing here says which of it is.
        return dataclasses.replace(effect, args=dict.fromkeys(effect.args, COVER), request={})
    if not isinstance(effect, PlayPrompt):
        return effect
    parts = tuple(
        dataclasses.replace(part, text=part.shown) if isinstance(part, Speech) and part.shown is not None else part
        for part in effect.parts
    )
    return dataclasses.replace(effect, parts=parts)
