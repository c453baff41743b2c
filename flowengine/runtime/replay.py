"""A trace is read back and run again: the same effects, or the first that differ.

A replay is exact as long as nothing that matters was covered in the trace: keys that were are taken as zeros, words
as they stand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import PurePath
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from flowengine.errors import FlowengineError
from flowengine.flow.values import from_json
from flowengine.runtime import events as fact
from flowengine.runtime import trace
from flowengine.runtime.interpreter import Interpreter
from flowengine.runtime.program import Program
from flowengine.runtime.prompts import COVER
from flowengine.runtime.trace import VERSION


class BadTraceError(FlowengineError):
    """The text is no trace of this version; the message names the line and the reason."""


class Moment(Struct, frozen=True):
    """A fact of a trace with its effects as they were written, and its line from 1. ``hidden``: it was covered."""

    line: int
    event: fact.Event
    effects: list[dict[str, Any]]
    hidden: bool


class Recorded(Struct, frozen=True):
    """A trace: what its header says of the call, its facts, and by line which state each new stream went on from."""

    call: Mapping[str, Any]
    moments: tuple[Moment, ...]
    resumed: Mapping[int, list[Any]]


class Again(Struct, frozen=True):
    """A fact that was run again: its effects as a trace writes them, and the interpreter behind it."""

    moment: Moment
    effects: list[dict[str, Any]]
    interpreter: Interpreter

    @property
    def same(self) -> bool:
        """Whether the effects are those of the trace."""
        return self.difference is None

    @property
    def difference(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None] | None:
        """Give the first effect that is not the same, as it was and as it is now; None where all are."""
        for was, now in zip_longest(self.moment.effects, self.effects):
            if _anywhere(was) != _anywhere(now):
                return was, now
        return None


def _anywhere(value: Any) -> Any:
    """Give data without the folders of files: where a flow stood when it ran makes no difference."""
    if isinstance(value, dict):
        if "file" in value and "line" in value:  # a place in the flow, which may be called otherwise now
            return {key: inner for key, inner in value.items() if key != "file"}
        return {key: _name(inner) if key == "file" else _anywhere(inner) for key, inner in value.items()}
    return [_anywhere(inner) for inner in value] if isinstance(value, list) else value


def _name(path: Any) -> Any:
    return PurePath(path).name if isinstance(path, str) else path


def read(lines: Iterable[str]) -> Recorded:
    """Read a trace; raises ``BadTraceError``. A last line that was cut off (a server died in it) is left out."""
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise BadTraceError("line 1: the trace is empty")
    header = _line(*numbered[0])
    if header.get("v") != VERSION or not isinstance(header.get("call"), dict):
        found = f"version {header['v']}" if "v" in header else "no trace"
        raise BadTraceError(f"line 1: this is {found}; version {VERSION} can be read")
    moments: list[Moment] = []
    resumed: dict[int, list[Any]] = {}
    waiting: list[Any] | None = None
    for number, text in numbered[1:]:
        try:
            plain = _line(number, text)
        except BadTraceError:
            if number == numbered[-1][0]:
                break
            raise
        if plain.get("note") == "resumed":
            waiting = plain.get("state")
        elif "event" in plain:
            if waiting is not None:
                resumed[number], waiting = waiting, None
            moments.append(_moment(number, plain))
    return Recorded(header["call"], tuple(moments), resumed)


def _line(number: int, text: str) -> dict[str, Any]:
    try:
        plain = json.loads(text)
    except ValueError as error:
        raise BadTraceError(f"line {number}: this is no JSON ({error})") from None
    if not isinstance(plain, dict):
        raise BadTraceError(f"line {number}: a line of a trace is an object")
    return plain


def _moment(number: int, plain: Mapping[str, Any]) -> Moment:
    hidden = COVER in str(plain["event"])
    try:
        event = msgspec.convert(plain["event"], fact.Event)
        if isinstance(event, fact.CallStarted):
            event = replace(event, args=from_json(dict(event.args)))
        elif isinstance(event, fact.DigitPressed) and event.digit == COVER:
            event = replace(event, digit="0")
        return Moment(number, event, list(plain["effects"]), hidden)
    except (msgspec.ValidationError, ValueError, KeyError, TypeError) as error:
        raise BadTraceError(f"line {number}: this is no fact ({error})") from None


def replay(program: Program, env: Mapping[str, str], recorded: Recorded) -> Iterator[Again]:
    """Run a trace again, fact by fact; raises ``BadTraceError`` where it does not begin with the start of a call."""
    if not recorded.moments or not isinstance(recorded.moments[0].event, fact.CallStarted):
        raise BadTraceError("the trace does not begin with the start of a call")
    interpreter = Interpreter(program, env)
    states: dict[str, dict[str, Any]] = {}
    for moment in recorded.moments:
        if isinstance(moment.event, fact.StreamResumed):
            interpreter = _restored(program, env, interpreter, states, recorded, moment)
        _, line = trace.handle(interpreter, moment.event)
        yield Again(moment, json.loads(line)["effects"], interpreter)
        snapshot = interpreter.snapshot()
        states[str(trace.mark(snapshot))] = snapshot


def _restored(
    program: Program,
    env: Mapping[str, str],
    interpreter: Interpreter,
    states: Mapping[str, dict[str, Any]],
    recorded: Recorded,
    moment: Moment,
) -> Interpreter:
    """Go on as the new stream did: from the state that the store had, which a crash can have left behind."""
    snapshot = states.get(str(recorded.resumed.get(moment.line)), interpreter.snapshot())
    return Interpreter.restore(program, env, snapshot, moment.event.at)
