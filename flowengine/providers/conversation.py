"""What was said in a call, as vendors of language models take it: roles that alternate, and an answer to every call.

The history of a call is looser than vendors allow: a caller may say two things in a row, an answer may have been cut
before its first word, and what a node forgets may tear a call of a tool from its result. And half a letter (one half of
a surrogate pair, where somebody cut a text by UTF-16) can not be sent at all: it would fail every turn from then on.
"""

from __future__ import annotations

import json
import math
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowengine.call.ports import Called, ModelRequest
from flowengine.errors import ProviderError

BEGIN = "(the call begins)"
GO_ON = "(go on)"
_PENDING = "pending"
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST = 40  # characters of an id
_PER_TOKEN = 4  # characters of a token, about: what is not told is guessed by it
_ARGS = 64 * 1024  # characters of a call's arguments


@dataclass(slots=True)
class Turn:
    """What one side said at a time; ``calls`` are the model's, ``results`` their answers as texts, one for each."""

    role: str
    text: str = ""
    calls: list[Called] = field(default_factory=list)
    results: list[str] = field(default_factory=list)


def turns(messages: Sequence[Mapping[str, Any]]) -> list[Turn]:
    """Give the turns of a conversation: the caller's first and last, in between they alternate.

    Two turns of the model follow each other only where the first one has calls: their results stand between. A result
    without its call is left out, a call without its result is `pending`. Empty texts are none. Ids of calls are made
    fit for every vendor: another's may be in a conversation, after it failed, and some use theirs again and again. All
    texts are ``whole``.
    """
    found: list[Turn] = []
    for message in messages:
        if message["role"] == "tool":
            _answer(found, message)
            continue
        text = whole(str(message.get("text") or "").strip())
        calls = [
            Called(str(one["id"]), whole(one["name"]), _whole_args(one.get("values") or {}))
            for one in message.get("calls") or ()
        ]
        if not text and not calls:
            continue
        last = found[-1] if found else None
        if last is not None and last.role == message["role"] and not last.calls:
            last.text = f"{last.text} {text}".strip()
            last.calls, last.results = calls, [_PENDING] * len(calls)
        else:
            found.append(Turn(message["role"], text, calls, [_PENDING] * len(calls)))
    _rename(found)
    if not found or found[0].role != "user":
        found.insert(0, Turn("user", BEGIN))
    if found[-1].role != "user" and not found[-1].calls:
        found.append(Turn("user", GO_ON))
    return found


def _answer(found: list[Turn], message: Mapping[str, Any]) -> None:
    """Put a result to its call: to the latest one of this id that has none."""
    wanted, result = str(message["id"]), message.get("result")
    for turn in reversed(found):
        for number, call in enumerate(turn.calls):
            if call.id == wanted and turn.results[number] == _PENDING:
                text = result if isinstance(result, str) and result.strip() else json.dumps(result, ensure_ascii=False)
                turn.results[number] = whole(text)
                return


def _rename(found: list[Turn]) -> None:
    """Give every call an id of its own, of letters that all vendors take, and no longer than they take."""
    seen: set[str] = set()
    for turn in found:
        for number, call in enumerate(turn.calls):
            name = fit = _UNFIT.sub("_", call.id)[:_LONGEST] or "_"
            again = len(seen)
            while fit in seen:
                fit = f"{name[: _LONGEST - 8]}_{again}"
                again += 1
            seen.add(fit)
            turn.calls[number] = Called(fit, call.name, call.args)


def whole(text: str) -> str:
    """Give a text without halves of letters: two that belong together are joined, others are replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _whole_args(args: Any) -> Any:
    return json.loads(whole(json.dumps(args, ensure_ascii=False)))


class Halves:
    """Keeps half a letter at the end of a piece of an answer for the next piece; one that nothing follows is lost."""

    def __init__(self) -> None:
        self._half = ""

    def whole(self, piece: str) -> str:
        """Take the next piece; give what there is in whole letters, which may be nothing."""
        text = self._half + piece
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return whole(text.removesuffix(self._half))


def guessed(characters: int) -> int:
    """Guess how many tokens a text of so many characters has."""
    return math.ceil(characters / _PER_TOKEN)


def guessed_input(request: ModelRequest) -> int:
    """Guess how many tokens a request has, until the vendor says it."""
    said = sum(len(str(one.get("text") or "")) + len(str(one.get("result") or "")) for one in request.messages)
    tools = sum(len(tool.name) + len(tool.about) + len(str(tool.args)) for tool in request.tools)
    return guessed(len(request.persona) + len(request.system) + said + tools)


@dataclass(slots=True)
class Fragments:
    """A call of a tool that comes in pieces; ``args`` are the pieces of its JSON."""

    id: str
    name: str
    args: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, provider: str, piece: str) -> None:
        """Take the next piece; raises ``ProviderError`` when it becomes more than any tool takes."""
        self.args.append(piece)
        self.size += len(piece)
        if self.size > _ARGS:
            raise ProviderError(
                provider, "garbage", retryable=True, detail=f"more than {_ARGS} characters of arguments"
            )

    def called(self, provider: str) -> Called:
        """Give the whole call, with an id where it had none; raises ``ProviderError`` when it is not whole."""
        try:
            args = _whole_args(json.loads("".join(self.args).strip() or "{}"))
        except (ValueError, RecursionError):
            args = None
        if not isinstance(args, dict) or not self.name:
            raise ProviderError(provider, "garbage", retryable=True, detail="the arguments of a call are not whole")
        return Called(whole(self.id) or f"call_{secrets.token_hex(8)}", whole(self.name), args)
