"""Which names an expression reads, which of them must not be null, and which it proves to be not null.

Names are dotted: ``account``, ``call.from``. What the engine always gives (``call``, ``now`` …) is never null itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

from jinja2 import nodes

from flowengine.flow.filters import FILTERS, TESTS

Names = frozenset[str]
_NONE: Names = frozenset()
_NEVER_NULL = frozenset({"call", "env", "args", "shared", "node", "now", "today", "loop"})


class _Use(Enum):
    """What a place does with null: refuses it; takes it; takes also what is missing altogether."""

    NEED = auto()
    TAKE = auto()
    LENIENT = auto()


def read(tree: nodes.Node, *, hidden_by: str = "") -> tuple[str, ...]:
    """Give the names that are read, of two parts at most; those of a loop are none.

    What goes through the filter ``hidden_by`` is left out.
    """
    found: dict[str, None] = {}

    def visit(node: nodes.Node, bound: Names) -> None:
        path = _path(node)
        if path:
            if path[0] not in bound:
                found[".".join(path[:2])] = None
        elif isinstance(node, nodes.Filter) and node.name == hidden_by:
            return
        elif isinstance(node, nodes.For):
            visit(node.iter, bound)
            inside = bound | _bound(node)
            for child in (*([node.test] if node.test else ()), *node.body):
                visit(child, inside)
            for child in node.else_:
                visit(child, bound)
        else:
            for child in node.iter_child_nodes():
                visit(child, bound)

    visit(tree, _NONE)
    return tuple(found)


def shown(tree: nodes.Node) -> tuple[str, ...]:
    """Give the names of which more can be read than their last four characters."""
    return read(tree, hidden_by="last4")


def needed(tree: nodes.Node) -> tuple[str, ...]:
    """Give the names whose null would be refused when the template is written or the expression evaluated."""
    found = _Needs()
    if isinstance(tree, nodes.Expr):
        found.expression(tree, _Use.TAKE, _NONE)
    else:
        found.body(getattr(tree, "body", ()), _NONE)
    return tuple(found.names)


def proved(node: nodes.Node, outcome: bool) -> Names:
    """Give the names that are not null when the expression came out as true, or as false."""
    if isinstance(node, nodes.Not):
        return proved(node.node, not outcome)
    if isinstance(node, nodes.And | nodes.Or):
        return _joined(node.left, node.right, outcome, both=isinstance(node, nodes.And) is outcome)
    known = _sure(node)
    path = _path(node)
    if path and outcome:
        return known | _with_prefixes(path)
    if isinstance(node, nodes.Test) and TESTS[node.name].lenient and outcome:
        return known | _with_prefixes(_path(node.node))
    if isinstance(node, nodes.Compare):
        return known | _compared(node, outcome)
    return known


def _joined(left: nodes.Node, right: nodes.Node, outcome: bool, *, both: bool) -> Names:
    """Join two sides: both came out so; or the first did, or else the second after the first did not."""
    if both:
        return proved(left, outcome) | proved(right, outcome)
    return proved(left, outcome) & (proved(left, not outcome) | proved(right, outcome))


def _sure(node: nodes.Node) -> Names:
    """Give the names that were needed on every way through an expression that came to an end."""
    found = _Needs(sure=True)
    found.expression(node, _Use.TAKE, _NONE)
    return frozenset(found.names)


def _compared(node: nodes.Compare, outcome: bool) -> Names:
    sides = [node.expr, *(operand.expr for operand in node.ops)]
    if not outcome and len(node.ops) > 1:
        return _NONE
    found: Names = _NONE
    for left, operand, right in zip(sides, node.ops, sides[1:], strict=False):
        same = (operand.op == "eq") is outcome if operand.op in ("eq", "ne") else None
        for one, other in ((left, right), (right, left)):
            if same is not None and _is_constant(other, null=not same):
                found |= _with_prefixes(_path(one))
        if operand.op in ("in", "notin") and (operand.op == "in") is outcome:
            found |= _with_prefixes(_path(right))
            if isinstance(right, nodes.List | nodes.Tuple) and all(_is_constant(i, null=False) for i in right.items):
                found |= _with_prefixes(_path(left))
    return found


def _is_constant(node: nodes.Node, *, null: bool) -> bool:
    return isinstance(node, nodes.Const) and (node.value is None) is null


def _path(node: nodes.Node) -> tuple[str, ...]:
    """Give the parts of a dotted name; none for anything else."""
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        inner = _path(node.node)
        return (*inner, node.attr) if inner else ()
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        inner = _path(node.node)
        return (*inner, node.arg.value) if inner else ()
    return ()


def _with_prefixes(path: tuple[str, ...]) -> Names:
    return prefixes(".".join(path)) | {".".join(path)} if path else _NONE


def prefixes(name: str) -> Names:
    """Give what stands before the dots of a name and can be null: of ``result.a.b`` it is ``result``, ``result.a``."""
    parts = name.split(".")
    found = (".".join(parts[:count]) for count in range(1, len(parts)))
    return frozenset(one for one in found if one not in _NEVER_NULL)


def _bound(node: nodes.For) -> Names:
    return frozenset({getattr(node.target, "name", ""), "loop"})


class _Needs:
    """Walks an expression with what is known on the way; with ``sure`` only along what is always evaluated."""

    def __init__(self, *, sure: bool = False) -> None:
        self.names: dict[str, None] = {}
        self.bound: Names = _NONE
        self.sure = sure

    def body(self, body: Iterable[nodes.Node], known: Names) -> None:
        for node in body:
            if isinstance(node, nodes.Output):
                for part in node.nodes:
                    self.expression(part, _Use.NEED, known)
            elif isinstance(node, nodes.If):
                self._if(node, known)
            elif isinstance(node, nodes.For):
                self._for(node, known)

    def _if(self, node: nodes.If, known: Names) -> None:
        for case in (node, *node.elif_):
            self.expression(case.test, _Use.TAKE, known)
            self.body(case.body, known | proved(case.test, True))
            known |= proved(case.test, False)
        self.body(node.else_, known)

    def _for(self, node: nodes.For, known: Names) -> None:
        self.expression(node.iter, _Use.NEED, known)
        self.bound = _bound(node)
        # A name of the loop hides what was known of one outside.
        inside = frozenset(name for name in known if name.partition(".")[0] not in self.bound)
        if node.test:
            self.expression(node.test, _Use.TAKE, inside)
            inside |= proved(node.test, True)
        self.body(node.body, inside)
        self.bound = _NONE
        self.body(node.else_, known)

    def expression(self, node: nodes.Node, use: _Use, known: Names) -> None:
        path = _path(node)
        if path:
            self._name(path, use, known)
        elif isinstance(node, nodes.And | nodes.Or):
            # What `and` gives may be its left side, when that is null; `or` gives a left side only when it is true.
            need = isinstance(node, nodes.And) and use is _Use.NEED
            self.expression(node.left, _Use.NEED if need else _Use.TAKE, known)
            if not self.sure:
                self.expression(node.right, use, known | proved(node.left, isinstance(node, nodes.And)))
        elif isinstance(node, nodes.CondExpr):
            self.expression(node.test, _Use.TAKE, known)
            if not self.sure:
                self.expression(node.expr1, use, known | proved(node.test, True))
                self.expression(node.expr2 or nodes.Const(None), use, known | proved(node.test, False))
        elif isinstance(node, nodes.Compare):
            self._compare(node, known)
        elif isinstance(node, nodes.Filter):
            self._filter(node, use, known)
        elif isinstance(node, nodes.Test):
            self.expression(node.node, _Use.LENIENT if TESTS[node.name].lenient else _Use.NEED, known)
        elif isinstance(node, nodes.Not | nodes.List | nodes.Tuple):
            # A list that is printed or goes through a filter: its entries may be looked at as well.
            inner = _Use.NEED if use is _Use.NEED and not self.sure and not isinstance(node, nodes.Not) else _Use.TAKE
            for child in node.iter_child_nodes():
                self.expression(child, inner, known)
        elif isinstance(node, nodes.Getattr | nodes.Getitem):
            self.expression(node.node, _Use.LENIENT if use is _Use.LENIENT else _Use.NEED, known)
            if isinstance(node, nodes.Getitem):
                self.expression(node.arg, _Use.NEED, known)
        else:
            for child in node.iter_child_nodes():
                self.expression(child, _Use.NEED, known)

    def _name(self, path: tuple[str, ...], use: _Use, known: Names) -> None:
        name = ".".join(path)
        if use is _Use.LENIENT or path[0] in self.bound:
            return
        needs = sorted(prefixes(name), key=len)
        if use is _Use.NEED and name not in _NEVER_NULL:
            needs.append(name)
        for one in needs:
            if one not in known:
                self.names[one] = None

    def _compare(self, node: nodes.Compare, known: Names) -> None:
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        ordering = [operand.op in ("lt", "lteq", "gt", "gteq") for operand in node.ops]
        for at, side in enumerate(sides[:2] if self.sure else sides):
            need = any(ordering[max(at - 1, 0) : min(at + 1, 1) if self.sure else at + 1])
            self.expression(side, _Use.NEED if need else _Use.TAKE, known)

    def _filter(self, node: nodes.Filter, use: _Use, known: Names) -> None:
        value = node.node or nodes.Const(None)
        if not FILTERS[node.name].lenient:
            for child in (value, *node.args):
                self.expression(child, _Use.NEED, known)
            return
        self.expression(value, _Use.LENIENT, known)
        path = _path(value)
        if not self.sure and not (path and ".".join(path) in known):
            for argument in node.args:
                self.expression(argument, use, known)
