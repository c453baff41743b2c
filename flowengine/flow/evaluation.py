"""Parsed expressions -> functions of a run; each node of the syntax that ``fence`` lets pass becomes one closure.

Two budgets bound a run: the characters that it may write, counted as they are written, and its costly steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import nodes

from flowengine.flow.filters import FILTERS, TESTS
from flowengine.flow.operators import (
    MAX_RESULT,
    Missing,
    Refusal,
    arithmetic,
    attribute,
    compare,
    entry,
    kind,
    negative,
    present,
    truth,
)
from flowengine.flow.writing import Format, form_of, printed

MAX_ENTRIES = 100
MAX_STEPS = 5_000


class Run:
    """One evaluation: the scope, the names of a loop, what was written, and what is left of the budgets."""

    __slots__ = ("encode", "form", "loop", "parts", "room", "scope", "steps")

    def __init__(self, scope: Mapping[str, Any], encode: Callable[[str], str] | None = None) -> None:
        self.scope = scope
        self.encode = encode
        self.form: Format = form_of(scope)
        self.loop: Mapping[str, Any] = {}
        self.parts: list[str] = []
        self.room = MAX_RESULT
        self.steps = MAX_STEPS

    def write(self, text: str) -> None:
        """Add to the text; refuses one that becomes too long."""
        self.room -= len(text)
        if self.room < 0:
            raise Refusal(f"the text is longer than {MAX_RESULT} characters")
        self.parts.append(text)

    def step(self) -> None:
        """Count a costly step; refuses too many."""
        self.steps -= 1
        if self.steps < 0:
            raise Refusal("this template does too much")


Evaluate = Callable[[Run], Any]
Write = Callable[[Run], None]


def expression(node: nodes.Node) -> Evaluate:
    """Give the function that evaluates an expression; it may give ``Missing`` and raises ``Refusal``."""
    return _EXPRESSIONS[type(node)](node)


def block(body: Sequence[nodes.Node]) -> Write:
    """Give the function that writes a template's body; it raises ``Refusal``."""
    writers = [writer for node in body for writer in _writers(node)]

    def write(run: Run) -> None:
        for one in writers:
            one(run)

    return write


def _writers(node: nodes.Node) -> list[Write]:
    if isinstance(node, nodes.Output):
        return [_output(part) for part in node.nodes]
    if isinstance(node, nodes.If):
        return [_if(node)]
    if isinstance(node, nodes.For):
        return [_for(node)]
    raise TypeError(f"the fence let {type(node).__name__} pass")


def _output(node: nodes.Node) -> Write:
    if isinstance(node, nodes.TemplateData):
        data = node.data
        return lambda run: run.write(data)
    value = expression(node)
    trusted = isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "env"

    def write(run: Run) -> None:
        text = printed(value(run), run.form)
        run.write(text if trusted or run.encode is None else run.encode(text))

    return write


def _if(node: nodes.If) -> Write:
    cases = [(expression(one.test), block(one.body)) for one in (node, *node.elif_)]
    otherwise = block(node.else_)

    def write(run: Run) -> None:
        for test, body in cases:
            if truth(test(run)):
                body(run)
                return
        otherwise(run)

    return write


def _for(node: nodes.For) -> Write:
    name = getattr(node.target, "name", "")
    listed = expression(node.iter)
    test = expression(node.test) if node.test else None
    body, otherwise = block(node.body), block(node.else_)

    def write(run: Run) -> None:
        entries = present(listed(run))
        if not isinstance(entries, list | tuple):
            raise Refusal(f"`for` goes over a list, not over {kind(entries)}")
        if len(entries) > MAX_ENTRIES:
            raise Refusal(f"`for` goes over {MAX_ENTRIES} entries at most; there are {len(entries)}")
        if test is not None:
            chosen = []
            for one in entries:
                run.loop = {name: one}
                if truth(test(run)):
                    chosen.append(one)
            entries = chosen
        for number, one in enumerate(entries, 1):
            place = {"index": number, "first": number == 1, "last": number == len(entries), "length": len(entries)}
            run.loop = {name: one, "loop": place}
            body(run)
        run.loop = {}
        if not entries:
            otherwise(run)

    return write


def _name(node: nodes.Name) -> Evaluate:
    name = node.name
    missing = Missing(f"`{name}` has no value here")

    def evaluate(run: Run) -> Any:
        if name in run.loop:
            return run.loop[name]
        return run.scope.get(name, missing)

    return evaluate


def _const(node: nodes.Const) -> Evaluate:
    value = node.value
    return lambda run: value


def _attribute(node: nodes.Getattr) -> Evaluate:
    inner, name = expression(node.node), node.attr
    return lambda run: attribute(inner(run), name)


def _item(node: nodes.Getitem) -> Evaluate:
    inner, index = expression(node.node), expression(node.arg)
    return lambda run: entry(inner(run), present(index(run)))


def _list(node: nodes.List | nodes.Tuple) -> Evaluate:
    items = [expression(item) for item in node.items]
    return lambda run: [present(item(run)) for item in items]


def _and(node: nodes.And) -> Evaluate:
    left, right = expression(node.left), expression(node.right)

    def evaluate(run: Run) -> Any:
        value = left(run)
        return right(run) if truth(value) else value

    return evaluate


def _or(node: nodes.Or) -> Evaluate:
    left, right = expression(node.left), expression(node.right)

    def evaluate(run: Run) -> Any:
        value = left(run)
        return value if truth(value) else right(run)

    return evaluate


def _not(node: nodes.Not) -> Evaluate:
    inner = expression(node.node)
    return lambda run: not truth(inner(run))


def _negative(node: nodes.Neg) -> Evaluate:
    inner = expression(node.node)
    return lambda run: negative(inner(run))


def _choice(node: nodes.CondExpr) -> Evaluate:
    test, one, other = expression(node.test), expression(node.expr1), expression(node.expr2 or nodes.Const(None))
    return lambda run: one(run) if truth(test(run)) else other(run)


def _compare(node: nodes.Compare) -> Evaluate:
    first = expression(node.expr)
    rest = [(operand.op, expression(operand.expr)) for operand in node.ops]

    def evaluate(run: Run) -> bool:
        left = first(run)
        for op, operand in rest:
            run.step()
            right = operand(run)
            if not compare(op, left, right):
                return False
            left = right
        return True

    return evaluate


def _arithmetic(node: nodes.BinExpr) -> Evaluate:
    sign = node.operator
    left, right = expression(node.left), expression(node.right)
    return lambda run: arithmetic(str(sign), left(run), right(run))


def _filter(node: nodes.Filter) -> Evaluate:
    known = FILTERS[node.name]
    value = expression(node.node or nodes.Const(None))
    arguments = [expression(argument) for argument in node.args]

    def evaluate(run: Run) -> Any:
        run.step()
        given = value(run)
        if known.lenient:
            return known.function(run.form, given, *(argument(run) for argument in arguments))
        results = [present(one) for one in (given, *(argument(run) for argument in arguments))]
        if None in results:
            raise Refusal(f"`{known.name}` can not take null; use `default` before it, or test with `is set`")
        result = known.function(run.form, *results)
        if isinstance(result, str) and len(result) > MAX_RESULT:
            raise Refusal(f"the text is longer than {MAX_RESULT} characters")
        return result

    return evaluate


def _test(node: nodes.Test) -> Evaluate:
    known = TESTS[node.name]
    value = expression(node.node)
    if known.lenient:
        return lambda run: known.function(value(run))
    return lambda run: known.function(present(value(run)))


_EXPRESSIONS: Mapping[type[nodes.Node], Callable[[Any], Evaluate]] = {
    nodes.Name: _name,
    nodes.Const: _const,
    nodes.Getattr: _attribute,
    nodes.Getitem: _item,
    nodes.List: _list,
    nodes.Tuple: _list,
    nodes.And: _and,
    nodes.Or: _or,
    nodes.Not: _not,
    nodes.Neg: _negative,
    nodes.CondExpr: _choice,
    nodes.Compare: _compare,
    nodes.Filter: _filter,
    nodes.Test: _test,
    **dict.fromkeys((nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod), _arithmetic),
}
