"""A call's variables: what templates read, and what assignments write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from flowengine.flow.expressions import FORMAT, Format, Template
from flowengine.flow.hours import OpenHours
from flowengine.flow.model import Assignment, Flow
from flowengine.flow.values import UnfitValueError, fit
from flowengine.runtime.state import State


class Variables:
    """Reads and writes the variables in a call's state; each assignment is told to ``note`` by its name alone."""

    def __init__(
        self,
        state: State,
        flow: Flow,
        env: Mapping[str, str],
        note: Callable[..., None],
    ) -> None:
        self._state = state
        self._flow = flow
        self._declared = flow.vars
        self._env = env
        self._note = note

    def scope(self, lang: str = "") -> Mapping[str, Any]:
        """Give the names that templates and conditions read; values are written in ``lang``, else the call's."""
        state, visit = self._state, self._state.visit
        node = {
            "visits": state.frame.visits.get(visit.node, 0),
            "failures": visit.failures,
            "turns": visit.turns,
            "event": visit.event,
        }
        defaults = self._flow.defaults
        now = self._now()
        return {
            **state.vars,
            **state.tentative,
            **{name: OpenHours(hours, now) for name, hours in self._flow.hours.items()},
            FORMAT: Format(lang or state.call.get("lang") or defaults.lang, defaults.currency, defaults.lang),
            "now": now,
            "today": now.date(),
            "call": {**state.call, "failures": state.failures},
            "args": state.args,
            "env": self._env,
            "shared": state.shared,
            "node": node,
            "result": state.result,
        }

    def _now(self) -> datetime:
        """Give the time of day where the flow is: the wall clock of the call's beginning, and what passed since."""
        began = datetime.fromisoformat(self._state.started)
        return (began + timedelta(seconds=self._state.at)).astimezone(zone(self._flow.defaults.zone))

    def propose(self, name: str, value: Any) -> None:
        """Hold a tentative value under a name; raises ``UnfitValueError``."""
        self._state.tentative[name] = self._fit(name, value)

    def store(self, name: str) -> None:
        """Store the tentative value."""
        self._state.vars[name] = self._state.tentative.pop(name)
        self._note("assigned", name=name)

    def assign(self, set_: Iterable[Assignment], add: Iterable[Assignment]) -> None:
        """Run assignments in order; raises ``EvaluationError`` and ``UnfitValueError``."""
        for one in set_:
            self._write(one.name, value_of(one.value, self.scope()))
        for one in add:
            self._write(one.name, self._added(one))

    def _added(self, one: Assignment) -> Any:
        value = value_of(one.value, self.scope())
        current: Any = self.scope()
        for part in one.name.split("."):
            current = current.get(part)
        declared = self._declared.get(one.name)
        if isinstance(current, list) or (current is None and declared is not None and declared.kind == "list"):
            return [*(current or []), value]
        total, more = fit("money", current or 0), fit("money", value)
        if more is None:
            raise UnfitValueError("null can not be added")
        return total + more

    def _write(self, name: str, value: Any) -> None:
        root, _, rest = name.partition(".")
        if root == "shared" and rest:
            self._state.shared[rest] = value
        elif name == "call.lang":
            self._state.call["lang"] = language(value)
        else:
            self._state.vars[name] = self._fit(name, value)
        self._note("assigned", name=name)

    def _fit(self, name: str, value: Any) -> Any:
        variable = self._declared[name]
        return fit(variable.kind, value, variable.choices)


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """Give a time zone that the loader has found to be one."""
    return ZoneInfo(name)


def language(value: Any) -> str:
    """Give a language tag; raises ``UnfitValueError`` for what is none."""
    if not isinstance(value, str) or not re.match(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z", value):
        raise UnfitValueError("this is no language tag such as en-US or de")
    return value


def value_of(value: Any, scope: Mapping[str, Any]) -> Any:
    """Give a value of the model as it is now: its templates rendered, in maps and lists, too."""
    if isinstance(value, Template):
        return value.value(scope)
    if isinstance(value, Mapping):
        return {key: value_of(inner, scope) for key, inner in value.items()}
    if isinstance(value, list):
        return [value_of(inner, scope) for inner in value]
    return value
