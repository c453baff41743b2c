"""A call's variables: what templates read, and what assignments write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flowengine.flow.expressions import FORMAT, Format, Template
from flowengine.flow.model import Assignment, Defaults, Variable
from flowengine.flow.values import UnfitValueError, fit
from flowengine.runtime.state import State


class Variables:
    """Reads and writes the variables in a call's state; each assignment is told to ``note`` by its name alone."""

    def __init__(
        self,
        state: State,
        declared: Mapping[str, Variable],
        env: Mapping[str, str],
        note: Callable[..., None],
        defaults: Defaults,
    ) -> None:
        self._state = state
        self._declared = declared
        self._env = env
        self._note = note
        self._defaults = defaults

    def scope(self, lang: str = "") -> Mapping[str, Any]:
        """Give the names that templates and conditions read; values are written in ``lang``, else the call's."""
        state, visit = self._state, self._state.visit
        node = {
            "visits": state.visits.get(visit.node, 0),
            "failures": visit.failures,
            "turns": 0,
            "event": visit.event,
        }
        return {
            **state.vars,
            **state.tentative,
            FORMAT: Format(
                lang or state.call.get("lang") or self._defaults.lang, self._defaults.currency, self._defaults.lang
            ),
            "call": {**state.call, "failures": state.failures},
            "args": state.args,
            "env": self._env,
            "shared": state.shared,
            "node": node,
            "result": state.result,
        }

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
            self._write(one.name, _value(one.value, self.scope()))
        for one in add:
            self._write(one.name, self._added(one))

    def _added(self, one: Assignment) -> Any:
        value = _value(one.value, self.scope())
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
        else:
            self._state.vars[name] = self._fit(name, value)
        self._note("assigned", name=name)

    def _fit(self, name: str, value: Any) -> Any:
        variable = self._declared[name]
        return fit(variable.kind, value, variable.choices)


def _value(value: Any, scope: Mapping[str, Any]) -> Any:
    if isinstance(value, Template):
        return value.value(scope)
    if isinstance(value, Mapping):
        return {key: _value(inner, scope) for key, inner in value.items()}
    if isinstance(value, list):
        return [_value(inner, scope) for inner in value]
    return value
