"""The arguments of a run: what Stream parameters, the answer address or a calling flow gave, held against `args`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowengine.errors import RemoteError
from flowengine.flow.model import Flow
from flowengine.flow.values import UnfitValueError, fit


class BadArgumentError(RemoteError):
    """An argument is missing or does not fit its type. The message names the flow and the argument, not the value."""


def bind(flow: Flow, given: Mapping[str, str]) -> dict[str, Any]:
    """Give the flow's arguments, typed; what it does not declare is left out. Raises ``BadArgumentError``."""
    bound: dict[str, Any] = {}
    for name, argument in flow.args.items():
        if name not in given:
            if argument.required and argument.default is None:
                raise BadArgumentError(f'the flow "{flow.name}" needs the argument "{name}"')
            bound[name] = argument.default
            continue
        text: Any = given[name]
        if argument.kind in ("bool", "yesno"):
            text = {"true": True, "false": False}.get(given[name], given[name])
        try:
            bound[name] = fit(argument.kind, text, argument.choices)
        except UnfitValueError:
            raise BadArgumentError(f'the argument "{name}" of the flow "{flow.name}" is no {argument.kind}') from None
    return bound
