"""The kinds of fields that a line of `talk` has: words, keys, moments, and the step itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flowengine.flow.diagnostics import one_of
from flowengine.flow.kinds import (
    DURATION,
    NAME,
    SCALARS,
    Choice,
    Duration,
    Field,
    Fields,
    Kind,
    Pattern,
    Reading,
    Schema,
    Shaped,
    Text,
    say,
)
from flowengine.flow.source import Mapping, Scalar, Value, to_plain
from flowengine.testing.cases import (
    Bot,
    End,
    Enter,
    HangUp,
    Happening,
    Hear,
    Keys,
    Machine,
    Moment,
    Not,
    Silence,
    Step,
    TransferEnds,
    Wording,
)

# How a dial ends, as `runtime.events.TransferFinished` has it.
OUTCOMES = ("ended", "busy", "noanswer", "declined", "failed")
NODE_NAME = r"^([a-z][a-z0-9_-]*/)?[a-z][a-z0-9_-]*$"
_KEYS = r"^([0-9A-D*#]+|star|hash)$"
_DURATION = DURATION.removeprefix("^").removesuffix("$")
_MOMENT = rf"^([0-9]{{1,2}}%|100%|{_DURATION})$"


class WordingKind(Kind):
    """A part of what is said, or a regular expression between slashes; case and white space do not count."""

    def schema(self) -> Schema:
        sentence = "must be words that the bot says, or a regular expression such as /press [12]/"
        return say({"type": SCALARS, "pattern": r"\S"}, sentence)

    def read(self, value: Value, reading: Reading) -> Wording | None:
        if not isinstance(value, Scalar) or not value.text.strip():
            return None
        text = " ".join(value.text.split())
        if len(text) < 3 or not (text.startswith("/") and text.endswith("/")):
            return Wording(text, re.compile(re.escape(text), re.IGNORECASE))
        try:
            pattern = re.compile(text[1:-1], re.IGNORECASE)
        except re.error as error:
            message = f"this regular expression does not parse: {error.msg}"
            help_ = (
                "plain words need no slashes; in slashes a backslash goes before . ? + * ( ) [ ] that are meant as such"
            )
            reading.report.error("bad-pattern", message, value.span, about=text, help=help_)
            return None
        if pattern.search(""):
            reading.report.error(
                "bad-pattern",
                "this regular expression fits even when nothing is said",
                value.span,
                about=text,
                help="ask for one character at least",
            )
            return None
        return Wording(text, pattern)


class KeysKind(Kind):
    """Keys that are pressed one after another, as they were written: `007` stays `007`."""

    def schema(self) -> Schema:
        sentence = 'must be keys of a telephone such as 1, "123456#" or star'
        return say({"type": ["string", "integer"], "pattern": _KEYS, "minimum": 0}, sentence)

    def read(self, value: Value, reading: Reading) -> str | None:
        if not isinstance(value, Scalar) or not re.match(_KEYS, value.text):
            return None
        return {"star": "*", "hash": "#"}.get(value.text, value.text)


class MomentKind(Kind):
    """When in a prompt: a share of it, or a time from its beginning."""

    def schema(self) -> Schema:
        return say({"type": "string", "pattern": _MOMENT}, "must be a part of the prompt such as 50%, or 1.5s into it")

    def read(self, value: Value, reading: Reading) -> Moment | None:
        if not isinstance(value, Scalar) or not re.match(_MOMENT, value.text):
            return None
        if value.text.endswith("%"):
            return Moment(value.text, int(value.text[:-1]) / 100)
        return Moment(value.text, None, Duration().read(value, reading) or 0.0)


class Yes(Kind):
    """`true` and nothing else: the field's presence says it all."""

    def schema(self) -> Schema:
        return say({"enum": [True]}, "must be true")

    def read(self, value: Value, reading: Reading) -> bool | None:
        return True if isinstance(value, Scalar) and value.value is True else None


class Anything(Kind):
    """Any data."""

    def schema(self) -> Schema:
        return {}

    def read(self, value: Value, reading: Reading) -> Value:
        return value


_EVENT_NAME = Pattern(NAME, "must be the name of an event such as payment-done")
_EVENT = Shaped(
    "must be an event such as `{name: payment-done, data: {…}}`",
    scalar=_EVENT_NAME,
    mapping=Fields(
        (
            Field("name", _EVENT_NAME, "The event's name.", required=True),
            Field("data", Anything(), "What it brings; the flow reads it as `result`."),
        )
    ),
)
_AT = Field("at", MomentKind(), "Acts inside the prompt, at 50% of it or 1.5s into it, instead of after it.")
# The fields that are a step; of these each step has one.
ACTIONS = (
    Field("bot", WordingKind(), "The bot says this: a part of its words, or /a regular expression/."),
    Field("not", WordingKind(), "The bot does not say this before the next `bot` or `end`."),
    Field("keys", KeysKind(), "The caller presses these keys, 300 ms apart."),
    Field("hear", Text(), "The caller says this."),
    Field("silence", Duration(), "The caller does nothing for so long."),
    Field("event", _EVENT, "An application sends this event into the call."),
    Field("transfer", Choice(OUTCOMES), "A transfer is started and ends so; one step for each number that is tried."),
    Field("machine", Yes(), "An answering machine has picked up."),
    Field("hang_up", Yes(), "The caller hangs up."),
    Field("node", Pattern(NODE_NAME, "must be the name of a node, or FLOW/NODE"), "The call comes to this node."),
    Field(
        "end",
        Choice(("hangup", "transfer", "return")),
        "The call ends (`hangup`), is handed over (`transfer`), or the flow returns (`return`). The last step.",
    ),
)
_RETURN = Field("return", Pattern(NAME, "must be the name of an outcome"), "With `end: return`, the outcome.")
# The actions of the caller and of the world, which may happen inside a prompt.
_TIMED = ("keys", "hear", "silence", "event", "hang_up")


class StepKind(Kind):
    """One line of `talk`."""

    fields = Fields((*ACTIONS, _AT, _RETURN), 'must be a step such as `bot: Welcome` or `{keys: "1"}`')

    def schema(self) -> Schema:
        return self.fields.schema()

    def read(self, value: Value, reading: Reading) -> Step | None:
        if not isinstance(value, Mapping):
            return None
        read = self.fields.read(value, reading)
        found = [name for name in value.entries if any(name == f.name for f in ACTIONS)]
        if len(found) != 1:
            self._not_one(found, value, reading)
            return None
        (name,) = found
        for extra, allowed in (("at", name in _TIMED), ("return", read.get("end") == "return")):
            if extra in value.entries and not allowed:
                key = value.entries[extra].key
                reading.report.error(
                    "useless-field",
                    f"`{extra}` says nothing beside `{name}`",
                    key.span,
                    about=extra,
                    help=f"`at` belongs to {one_of(_TIMED)}" if extra == "at" else "`return` belongs to `end: return`",
                )
        if name not in read:
            return None
        return _STEPS[name](value.entries[name].value, read)

    def _not_one(self, found: list[str], value: Mapping, reading: Reading) -> None:
        if len(found) > 1:
            second = value.entries[found[1]].key
            message = f"a step does one thing; this one has both {found[0]} and {found[1]}"
            reading.report.error("one-action", message, second.span, about=found[1], help="make two steps of it")
        elif not reading.report.has_error_in(value.span):
            reading.report.error(
                "one-action",
                "this step does nothing",
                value.span.start(),
                about="step",
                help=f"a step has one of {one_of(f.name for f in ACTIONS)}",
            )


def _event(value: Value, read: dict[str, Any]) -> Happening:
    event = read["event"]
    if isinstance(event, str):
        return Happening(value.span, read.get("at"), event, None)
    return Happening(value.span, read.get("at"), event.get("name", ""), to_plain(event.get("data")))


_STEPS: dict[str, Callable[[Value, dict[str, Any]], Step]] = {
    "bot": lambda value, read: Bot(value.span, read["bot"]),
    "not": lambda value, read: Not(value.span, read["not"]),
    "keys": lambda value, read: Keys(value.span, read.get("at"), read["keys"]),
    "hear": lambda value, read: Hear(value.span, read.get("at"), read["hear"]),
    "silence": lambda value, read: Silence(value.span, read.get("at"), read["silence"]),
    "event": _event,
    "transfer": lambda value, read: TransferEnds(value.span, read["transfer"]),
    "machine": lambda value, _: Machine(value.span),
    "hang_up": lambda value, read: HangUp(value.span, read.get("at")),
    "node": lambda value, read: Enter(value.span, read["node"]),
    "end": lambda value, read: End(value.span, read["end"], read.get("return", "")),
}
