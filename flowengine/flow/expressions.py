"""Templates and conditions: Jinja2 inside a fence.

Everything is parsed at load and held against a whitelist of syntax nodes, so that no template can call, loop, build
large texts or reach an attribute of a Python object: names are looked up in mappings only. What a caller or a carrier
says is data and is never rendered. Errors at run time are ``EvaluationError`` and become the event `error.template`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.exceptions import TemplateError
from jinja2.runtime import StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from flowengine.flow.diagnostics import Span, did_you_mean

MAX_RESULT = 4_000
_SINGLE = re.compile(r"\s*\{\{-?(.*?)-?\}\}\s*\Z", re.DOTALL)

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.Getattr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Test,
    nodes.Filter,
    nodes.Add,
    nodes.Sub,
    nodes.Neg,
    nodes.If,
    nodes.List,
    nodes.Tuple,
    nodes.CondExpr,
)
# What is forbidden, by the syntax node that it would have been: words for it, and how it is written.
_FORBIDDEN = {
    "Call": ("a call", "("),
    "For": ("a loop", "for"),
    "Getitem": ("an index in [ ]", "["),
    "Concat": ("the operator ~", "~"),
    "Mul": ("the operator *", "*"),
    "Div": ("the operator /", "/"),
    "FloorDiv": ("the operator //", "//"),
    "Mod": ("the operator %", "%"),
    "Pow": ("the operator **", "**"),
    "Dict": ("a mapping", "{"),
    "Assign": ("{% set %}", "set"),
    "AssignBlock": ("{% set %}", "set"),
    "Macro": ("a macro", "macro"),
    "Include": ("{% include %}", "include"),
    "Import": ("{% import %}", "import"),
}
# Jinja's words for what does not parse, and ours; the group is the offending word.
_UNPARSED = (
    (r"got '='|unexpected '='", "`=` does not compare", "=", "write `==`"),
    (r"got '&'|unexpected char '&'", "`&` is no operator", "&", "write `and`"),
    (r"unexpected char '!'", "`!` is no operator", "!", "write `not`, or `!=` to compare"),
    (r"unexpected char '(.)'", "`{0}` can not stand here", "", ""),
    (r"unexpected end of template, expected 'end of print", "a `{{{{` is not closed", "{{", "close it with `}}}}`"),
    (
        r"looking for the following tags: .*'endif'",
        "a `{{% if %}}` is not closed",
        "if",
        "close it with `{{% endif %}}`",
    ),
    (r"expected '\)'|expected token '\)'", "a `(` is not closed", "(", "close it with `)`"),
    (r"end of print statement'$|unexpected end of|Expected an expression", "the expression is not complete", "", ""),
    (r"got '(.+)'|unexpected '(.+)'|unknown tag '(.+)'", "`{0}` can not stand here", "", ""),
)


class EvaluationError(Exception):
    """A template could not be evaluated with the values at hand. ``span`` is where it stands in the flow."""

    def __init__(self, reason: str, span: Span) -> None:
        super().__init__(f"{span.file}:{span.line}:{span.column}: {reason}")
        self.reason = reason
        self.span = span


class ExpressionError(Exception):
    """The author's text is not a template or expression of the language; ``about`` is the offending word.

    ``more`` are further mistakes in the same text.
    """

    def __init__(self, reason: str, about: str = "", help_: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.about = about
        self.help = help_
        self.more: tuple[ExpressionError, ...] = ()


def _known(value: Any) -> bool:
    return value is not None and not isinstance(value, Undefined)


def _spell(value: Any) -> str:
    return " ".join(_printed(value).replace(" ", ""))


def _only_digits(value: Any) -> str:
    return "".join(c for c in _printed(value) if c.isascii() and c.isdigit())


def _last4(value: Any) -> str:
    return _printed(value)[-4:]


def _default(value: Any, other: Any = "") -> Any:
    return value if _known(value) else other


def _printed(value: Any) -> str:
    """Give a value's text; null has none (`error.template`)."""
    if value is None:
        raise TemplateError("a null value can not be printed; use `default` or test with `is set`")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "spell": _spell,
    "digits": _only_digits,
    "last4": _last4,
    "default": _default,
}
TESTS: Mapping[str, Callable[..., bool]] = {"set": _known}


class _Fence(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "-"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look up in mappings only: no attribute of a Python object can be reached."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return self.undefined(obj=obj, name=attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        for side in (left, right):
            if isinstance(side, bool) or not isinstance(side, int | float | Decimal):
                kind = "null" if side is None else type(side).__name__
                raise TemplateError(f"`{operator}` takes numbers, not {kind}")
        if isinstance(left, Decimal) != isinstance(right, Decimal):
            left, right = Decimal(str(left)), Decimal(str(right))
        return left + right if operator == "+" else left - right


def _fence() -> _Fence:
    fence = _Fence(undefined=StrictUndefined, finalize=_printed, cache_size=0, keep_trailing_newline=True)
    fence.globals.clear()
    fence.filters = dict(FILTERS)
    fence.tests = {**TESTS, **{name: fence.tests[name] for name in ("==", "in") if name in fence.tests}}
    return fence


_FENCE = _fence()


def _guard(tree: nodes.Node) -> None:
    errors: list[ExpressionError] = []
    for node in _walk(tree):
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            help_ = did_you_mean(node.name, FILTERS) or f"known here: {', '.join(FILTERS)}"
            errors.append(ExpressionError(f'unknown filter "{node.name}"', node.name, help_))
        elif isinstance(node, nodes.Test) and node.name not in TESTS:
            help_ = did_you_mean(node.name, TESTS) or f"known here: {', '.join(TESTS)}"
            errors.append(ExpressionError(f'unknown test "{node.name}"', node.name, help_))
        elif isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            errors.append(ExpressionError("a name that begins with _ can not be read", node.attr))
        elif not isinstance(node, _ALLOWED):
            what, word = _FORBIDDEN.get(type(node).__name__, (type(node).__name__, ""))
            if isinstance(node, nodes.Call):
                word = getattr(node.node, "attr", getattr(node.node, "name", word))
            errors.append(ExpressionError(f"{what} is not allowed here", word, "templates only read values"))
    if errors:
        errors[0].more = tuple(errors[1:])
        raise errors[0]


def _walk(tree: nodes.Node) -> Iterator[nodes.Node]:
    yield tree
    for child in tree.iter_child_nodes():
        yield from _walk(child)


def _names(tree: nodes.Node) -> tuple[str, ...]:
    """Give the dotted names that are read: ``account``, ``call.from``."""
    found: dict[str, None] = {}

    def visit(node: nodes.Node) -> None:
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
            found[f"{node.node.name}.{node.attr}"] = None
            return
        if isinstance(node, nodes.Name):
            found[node.name] = None
        for child in node.iter_child_nodes():
            visit(child)

    visit(tree)
    return tuple(found)


def _parse(text: str) -> nodes.Template:
    try:
        tree = _FENCE.parse(text)
    except TemplateSyntaxError as error:
        raise _unparsed(error.message or "") from None
    except RecursionError:
        raise ExpressionError("this template is nested too deeply") from None
    _guard(tree)
    return tree


def _unparsed(message: str) -> ExpressionError:
    for pattern, reason, about, help_ in _UNPARSED:
        match = re.search(pattern, message)
        if match:
            word = about or next((group for group in match.groups() if group), "")
            return ExpressionError(reason.format(word), word, help_.format())
    return ExpressionError(f"this does not parse: {message}")


class Template:
    """A text with ``{{ }}``. Without any it is constant. One that is a single ``{{ }}`` keeps its value's type."""

    def __init__(self, source: str, span: Span) -> None:
        """Parse; raises ``ExpressionError``."""
        self.source = source
        self.span = span
        self.names: tuple[str, ...] = ()
        self.constant = "{" not in source or not re.search(r"\{[{%#]", source)
        self._single: str | None = None
        if not self.constant:
            tree = _parse(source)
            self.names = _names(tree)
            single = _SINGLE.match(source)
            if single and len(tree.body) == 1 and isinstance(tree.body[0], nodes.Output):
                parts = tree.body[0].nodes
                blanks = sum(isinstance(part, nodes.TemplateData) and not part.data.strip() for part in parts)
                if len(parts) - blanks == 1:
                    self._single = single[1]

    needs: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()

    @property
    def single(self) -> bool:
        return self._single is not None

    @property
    def bare(self) -> bool:
        return self._single is not None and self._single.strip() in self.names

    def __repr__(self) -> str:
        return f"Template({self.source!r})"

    @cached_property
    def _render(self) -> Callable[..., str]:
        return _FENCE.from_string(self.source).render

    @cached_property
    def _evaluate(self) -> Callable[..., Any]:
        return _FENCE.compile_expression(self._single or "none", undefined_to_none=False)

    def compile(self) -> None:
        """Compile now, so that no caller waits for it."""
        if not self.constant:
            _ = self._evaluate if self._single is not None else self._render

    def text(self, scope: Mapping[str, Any]) -> str:
        """Give the text to be spoken or sent; raises ``EvaluationError``."""
        if self.constant:
            return self.source
        result = _run(self.span, lambda: self._render(scope))
        if len(result) > MAX_RESULT:
            raise EvaluationError(f"the text is longer than {MAX_RESULT} characters", self.span)
        return str(result)

    def value(self, scope: Mapping[str, Any]) -> Any:
        """Give the typed value of a single ``{{ }}``, else the text; raises ``EvaluationError``."""
        if self._single is None:
            return self.text(scope)
        return _run(self.span, lambda: _defined(self._evaluate(scope)))


def _defined(value: Any) -> Any:
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    return value


def _run(span: Span, evaluate: Callable[[], Any]) -> Any:
    try:
        return evaluate()
    except (TemplateError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise EvaluationError(str(error), span) from None


class Condition:
    """An `if` or `check`: an expression without braces; its error at run time is an error, never false."""

    def __init__(self, source: str, span: Span) -> None:
        """Parse; raises ``ExpressionError``."""
        self.source = source
        self.span = span
        if "{{" in source or "{%" in source:
            raise ExpressionError("a condition is written without braces", "{{", "write it bare: `balance < 0`")
        self.names = _names(_parse("{{ " + source + " }}"))

    needs: tuple[str, ...] = ()

    def proves(self, outcome: bool) -> frozenset[str]:
        return frozenset()

    def __repr__(self) -> str:
        return f"Condition({self.source!r})"

    @cached_property
    def _evaluate(self) -> Callable[..., Any]:
        return _FENCE.compile_expression(self.source, undefined_to_none=False)

    def compile(self) -> None:
        """Compile now, so that no caller waits for it."""
        _ = self._evaluate

    def holds(self, scope: Mapping[str, Any]) -> bool:
        """Say whether it holds; raises ``EvaluationError``."""
        return bool(_run(self.span, lambda: _defined(self._evaluate(scope))))


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

    needs: tuple[str, ...] = ()

    def proves(self, outcome: bool) -> frozenset[str]:
        return frozenset()

    def __repr__(self) -> str:
        return f"Equalities({self.pairs!r})"

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
                if not isinstance(value, Mapping) or part not in value:
                    raise EvaluationError(f"{dotted} is not there", self.span)
                value = value[part]
            if value != expected:
                return False
        return True


Test = Condition | Equalities
