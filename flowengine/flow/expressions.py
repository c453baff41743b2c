"""Templates and conditions: Jinja2's syntax inside a fence.

Everything is parsed at load and held against a whitelist of syntax nodes (``fence``); what passes is carried out by
functions of our own (``evaluation``, ``operators``, ``filters``), so that no template can call, build large texts or
reach an attribute of a Python object. What a caller or a carrier says is data and is never rendered. Errors at run
time are ``EvaluationError`` and become the event `error.template`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

from jinja2 import nodes

from flowengine.flow import needs
from flowengine.flow.diagnostics import Span
from flowengine.flow.evaluation import Run, block, expression
from flowengine.flow.fence import ExpressionError, parse, parse_expression, single
from flowengine.flow.filters import FILTERS, TESTS
from flowengine.flow.hours import OpenHours
from flowengine.flow.operators import MAX_RESULT, Missing, Refusal, attribute, equal, present, truth
from flowengine.flow.writing import FORMAT, Format

__all__ = [
    "FILTERS",
    "FORMAT",
    "MAX_RESULT",
    "TESTS",
    "Condition",
    "Equalities",
    "EvaluationError",
    "ExpressionError",
    "Format",
    "Template",
]
_Result = TypeVar("_Result")


class EvaluationError(Exception):
    """A template could not be evaluated with the values at hand. ``span`` is where it stands in the flow."""

    def __init__(self, reason: str, span: Span) -> None:
        super().__init__(f"{span.file}:{span.line}:{span.column}: {reason}")
        self.reason = reason
        self.span = span


class Template:
    """A text with ``{{ }}``. Without any it is constant. One that is a single ``{{ }}`` keeps its value's type.

    ``names`` are the dotted names that it reads.
    """

    def __init__(self, source: str, span: Span) -> None:
        """Parse; raises ``ExpressionError``."""
        self.source = source
        self.span = span
        self.names: tuple[str, ...] = ()
        self.constant = "{" not in source or not re.search(r"\{[{%#]", source)
        self._tree: nodes.Template | None = None
        self._single: nodes.Expr | None = None
        if not self.constant:
            self._tree = parse(source)
            self.names = needs.read(self._tree)
            self._single = single(self._tree)

    def __repr__(self) -> str:
        return f"Template({self.source!r})"

    @property
    def single(self) -> bool:
        """Whether it is one ``{{ }}`` alone, whose value keeps its type; as a value null is fine there."""
        return self._single is not None

    @property
    def bare(self) -> bool:
        """Whether it is one name alone, so that its value is that name's."""
        return isinstance(self._single, nodes.Name | nodes.Getattr) and len(self.names) == 1

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """The dotted names of which more than the last characters can be read in its text."""
        return needs.shown(self._tree) if self._tree is not None else ()

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """The dotted names whose null makes ``text`` an error, unless the template itself sees to it.

        With ``a.b.c`` also ``a`` and ``a.b`` are needed; what the engine always gives is left out.
        """
        return needs.needed(self._tree) if self._tree is not None else ()

    @cached_property
    def _write(self) -> Callable[[Run], None]:
        return block(self._tree.body if self._tree is not None else ())

    @cached_property
    def _evaluate(self) -> Callable[[Run], Any] | None:
        return expression(self._single) if self._single is not None else None

    def compile(self) -> None:
        """Make ready now, so that no caller waits for it."""
        if not self.constant:
            _ = self._write, self._evaluate

    def text(self, scope: Mapping[str, Any], encode: Callable[[str], str] | None = None) -> str:
        """Give the text to be spoken or sent; raises ``EvaluationError``.

        ``encode`` changes every value that is put in, but for those of the environment.
        """
        if self.constant:
            return self.source
        run = Run(scope, encode)
        _guarded(self.span, lambda: self._write(run))
        return "".join(run.parts)

    def value(self, scope: Mapping[str, Any]) -> Any:
        """Give the typed value of a single ``{{ }}``, else the text; raises ``EvaluationError``."""
        evaluate = self._evaluate
        if evaluate is None:
            return self.text(scope)
        return _guarded(self.span, lambda: _value(evaluate(Run(scope))))


def _value(value: Any) -> Any:
    if isinstance(present(value), OpenHours):
        raise Refusal("opening hours are no value; ask them with `is open`, or for `.opens`")
    if isinstance(value, str) and len(value) > MAX_RESULT:
        raise Refusal(f"the text is longer than {MAX_RESULT} characters")
    return value


def _guarded(span: Span, evaluate: Callable[[], _Result]) -> _Result:
    try:
        return evaluate()
    except Refusal as refusal:
        raise EvaluationError(str(refusal), span) from None
    except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        # No value is known that comes here; a call goes on with its `error.template` all the same.
        raise EvaluationError("this can not be evaluated with the values at hand", span) from error


class Condition:
    """An `if` or `check`: an expression without braces; its error at run time is an error, never false.

    What it gives counts as true or false: null, false, zero and what is empty are false, so that `verified` means the
    same alone, behind `not`, and beside `and`. A name that is not there at all is an error.
    """

    def __init__(self, source: str, span: Span) -> None:
        """Parse; raises ``ExpressionError``."""
        self.source = source
        self.span = span
        self._expression = parse_expression(source)
        self.names = needs.read(self._expression)

    def __repr__(self) -> str:
        return f"Condition({self.source!r})"

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """The dotted names whose null makes it an error, unless the condition itself sees to it."""
        return needs.needed(self._expression)

    def proves(self, outcome: bool) -> frozenset[str]:
        """Give the dotted names that are not null when it came out like this."""
        return needs.proved(self._expression, outcome)

    @cached_property
    def _evaluate(self) -> Callable[[Run], Any]:
        return expression(self._expression)

    def compile(self) -> None:
        """Make ready now, so that no caller waits for it."""
        _ = self._evaluate

    def holds(self, scope: Mapping[str, Any]) -> bool:
        """Say whether it holds; raises ``EvaluationError``."""
        return _guarded(self.span, lambda: truth(self._evaluate(Run(scope))))


class Equalities:
    """The map form of an `if`: every name has exactly the value given."""

    def __init__(
        self, pairs: Mapping[str, Any], span: Span, places: Mapping[str, tuple[Span, Span]] | None = None
    ) -> None:
        """Take the pairs; ``places`` has the spans of each name and its value."""
        self.pairs = dict(pairs)
        self.span = span
        self.places = dict(places or {})
        self.names = tuple(pairs)
        self.source = " and ".join(f"{name} = {value}" for name, value in pairs.items())

    def __repr__(self) -> str:
        return f"Equalities({self.pairs!r})"

    @property
    def needs(self) -> tuple[str, ...]:
        """The dotted names whose null makes it an error: what stands before a dot."""
        return tuple(sorted(frozenset().union(*(needs.prefixes(name) for name in self.pairs))))

    def proves(self, outcome: bool) -> frozenset[str]:
        """Give the dotted names that are not null when it came out like this."""
        first = next(iter(self.pairs), "")
        if not outcome:
            # Only the first pair is looked at in any case, and which one was unequal is known of a single one.
            single_null = len(self.pairs) == 1 and self.pairs[first] is None
            return needs.prefixes(first) | (frozenset({first}) if single_null else frozenset())
        given = {name for name, value in self.pairs.items() if value is not None}
        return frozenset().union(given, *(needs.prefixes(name) for name in self.pairs))

    def compile(self) -> None:
        """Do nothing: there is nothing to compile."""

    def convert(self, fitted: Callable[[str, Any], Any]) -> None:
        """Give each value the type of its variable, so that a written `2026-01-05` equals the date."""
        self.pairs = {name: fitted(name, value) for name, value in self.pairs.items()}

    def holds(self, scope: Mapping[str, Any]) -> bool:
        """Say whether all are equal; raises ``EvaluationError`` for a name that has no value here."""
        for dotted, expected in self.pairs.items():
            value: Any = scope
            for part in dotted.split("."):
                value = attribute(value, part)
            if isinstance(value, Missing):
                raise EvaluationError(f"{dotted} is not there", self.span)
            if not equal(value, expected):
                return False
        return True


Test = Condition | Equalities
