"""The fence: Jinja2 parses what an author wrote, and what it gives is held against a whitelist of syntax nodes.

Jinja2 only parses: nothing is compiled to Python, and ``evaluation`` carries out the nodes that pass here. So no
template can call, reach an attribute of a Python object, nest loops, or be so deep or long that it burns time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes

from flowengine.flow.diagnostics import did_you_mean
from flowengine.flow.filters import FILTERS, TESTS
from flowengine.flow.operators import MAX_NUMBER, MAX_RESULT, is_number, kind

MAX_SOURCE = 16_000
MAX_DEPTH = 60
LOOP = ("index", "first", "last", "length")
"""What `loop` has inside a `{% for %}`: the number of the entry from 1, and whether it is the first or last one."""

_ALLOWED = frozenset(
    [
        nodes.Template,
        nodes.Output,
        nodes.TemplateData,
        nodes.Name,
        nodes.Const,
        nodes.Getattr,
        nodes.Getitem,
        nodes.Compare,
        nodes.Operand,
        nodes.And,
        nodes.Or,
        nodes.Not,
        nodes.Test,
        nodes.Filter,
        nodes.Add,
        nodes.Sub,
        nodes.Mul,
        nodes.Div,
        nodes.FloorDiv,
        nodes.Mod,
        nodes.Neg,
        nodes.If,
        nodes.For,
        nodes.List,
        nodes.Tuple,
        nodes.CondExpr,
    ]
)
# What is forbidden, by the syntax node that it would have been: words for it, and how it is written.
_FORBIDDEN = {
    "Call": ("a call", "("),
    "Slice": ("a slice in [ ]", ":"),
    "Concat": ("the operator ~", "~"),
    "Pow": ("the operator **", "**"),
    "Pos": ("a + without a number before it", "+"),
    "Dict": ("a mapping", "{"),
    "Assign": ("{% set %}", "set"),
    "AssignBlock": ("{% set %}", "set"),
    "Macro": ("a macro", "macro"),
    "Include": ("{% include %}", "include"),
    "Import": ("{% import %}", "import"),
    "FromImport": ("{% from %}", "from"),
    "Extends": ("{% extends %}", "extends"),
    "Block": ("{% block %}", "block"),
    "CallBlock": ("{% call %}", "call"),
    "FilterBlock": ("{% filter %}", "filter"),
    "With": ("{% with %}", "with"),
    "ScopedEvalContextModifier": ("{% autoescape %}", "autoescape"),
}
# Jinja's words for what does not parse, and ours; the group is the offending word.
_UNPARSED = (
    (r"got '='|unexpected '='", "`=` does not compare", "=", "write `==`"),
    (r"got '&'|unexpected char '&'", "`&` is no operator", "&", "write `and`"),
    (r"unexpected char '!'", "`!` is no operator", "!", "write `not`, or `!=` to compare"),
    (r"unexpected char '(.)'", "`{0}` can not stand here", "", ""),
    (r"unexpected end of template, expected 'end of print", "a `{{{{` is not closed", "{{", "close it with `}}}}`"),
    (
        r"innermost block that needs to be closed is '(\w+)'",
        "a `{{% {0} %}}` is not closed",
        "",
        "close it with `{{% end{0} %}}`",
    ),
    (r"expected '\)'|expected token '\)'", "a `(` is not closed", "(", "close it with `)`"),
    (r"end of print statement'$|unexpected end of|Expected an expression", "the expression is not complete", "", ""),
    (r"got '(.+)'|unexpected '(.+)'|unknown tag '(.+)'", "`{0}` can not stand here", "", ""),
)


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


_PARSER = Environment(cache_size=0, keep_trailing_newline=True)  # noqa: S701  # it only parses; nothing is rendered


def parse(text: str) -> nodes.Template:
    """Parse a template; raises ``ExpressionError`` for what the language does not have."""
    if len(text) > MAX_SOURCE:
        raise ExpressionError(f"a template has {MAX_SOURCE} characters at most", "", "make several prompts of it")
    try:
        tree = _PARSER.parse(text)
    except TemplateSyntaxError as error:
        raise _unparsed(error.message or "") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise _too_large("") from None
    _guard(tree)
    return tree


def parse_expression(text: str) -> nodes.Expr:
    """Parse an expression without braces; raises ``ExpressionError``."""
    if "{{" in text or "{%" in text:
        raise ExpressionError("a condition is written without braces", "{{", "write it bare: `balance < 0`")
    tree = parse("{{ " + text + " }}")
    expression = single(tree)
    if expression is None or "}}" in text:
        raise ExpressionError("`}}` can not stand here", "}}", "write the condition without braces")
    return expression


def single(tree: nodes.Template) -> nodes.Expr | None:
    """Give the expression of a template that is one ``{{ }}`` with nothing but space around it."""
    parts = [part for node in tree.body for part in (node.nodes if isinstance(node, nodes.Output) else [node])]
    parts = [part for part in parts if not (isinstance(part, nodes.TemplateData) and not part.data.strip())]
    only = parts[0] if len(parts) == 1 else None
    return only if isinstance(only, nodes.Expr) and not isinstance(only, nodes.TemplateData) else None


def _unparsed(message: str) -> ExpressionError:
    for pattern, reason, about, help_ in _UNPARSED:
        match = re.search(pattern, message)
        if match:
            groups = [group for group in match.groups() if group] or [""]
            return ExpressionError(reason.format(*groups), about or groups[0], help_.format(*groups))
    return ExpressionError(f"this does not parse: {message}")


def _too_deep() -> ExpressionError:
    help_ = f"{MAX_DEPTH} brackets or operators in one another are the limit"
    return ExpressionError("this template is nested too deeply", "", help_)


def _too_large(about: str) -> ExpressionError:
    return ExpressionError("this number is too large", about, "15 digits are the limit")


def _guard(tree: nodes.Template) -> None:
    errors: list[ExpressionError] = []
    # Children in the order of the text, and no recursion: how deep a tree is is found out here.
    open_: list[tuple[nodes.Node, int, bool]] = [(tree, 0, False)]
    while open_:
        node, depth, loop = open_.pop()
        if depth > MAX_DEPTH:
            raise _too_deep()
        kind_ = type(node)
        if kind_ in _ALLOWED:
            check = _CHECKS.get(kind_)
            errors += check(node, loop) if check else ()
        elif kind_ not in (nodes.Pair, nodes.Keyword):  # they are parts of what is told of already
            errors.append(_forbidden(node))
        loop = loop or kind_ is nodes.For
        open_ += reversed([(child, depth + 1, loop) for child in node.iter_child_nodes()])
    # What stands outside of every `if` and `for` is written in any case.
    parts = [part for node in tree.body if isinstance(node, nodes.Output) for part in node.nodes]
    if sum(len(part.data) for part in parts if isinstance(part, nodes.TemplateData)) > MAX_RESULT:
        errors.append(ExpressionError(f"a text with {{{{ }}}} has {MAX_RESULT} characters at most"))
    if errors:
        errors[0].more = tuple(errors[1:])
        raise errors[0]


def _forbidden(node: nodes.Node) -> ExpressionError:
    what, word = _FORBIDDEN.get(type(node).__name__, ("this", ""))
    help_ = "templates only read values"
    if isinstance(node, nodes.Call):
        word = getattr(node.node, "attr", getattr(node.node, "name", word))
        if word in FILTERS:
            help_ = f"filters are written behind the value: `x | {word}`"
    return ExpressionError(f"{what} is not allowed here", word, help_)


def _filter(node: nodes.Filter, _loop: bool) -> Iterator[ExpressionError]:
    known = FILTERS.get(node.name)
    if known is None:
        help_ = did_you_mean(node.name, FILTERS) or f"known here: {', '.join(FILTERS)}"
        yield ExpressionError(f'unknown filter "{node.name}"', node.name, help_)
    elif node.kwargs or node.dyn_args or node.dyn_kwargs:
        yield ExpressionError(f"`{node.name}` takes no named arguments", node.name, "write the value alone")
    elif not known.least <= len(node.args) <= known.most:
        takes = f"{known.least} to {known.most}" if known.least < known.most else str(known.most or "no")
        plural = "argument" if takes == "1" else "arguments"
        help_ = f"as in `{known.examples[0].source}`"
        yield ExpressionError(f"`{node.name}` takes {takes} {plural}", node.name, help_)
    elif known.texts:
        for value in (one.value for one in node.args if isinstance(one, nodes.Const)):
            if not isinstance(value, str) or not re.match(known.texts, value):
                yield ExpressionError(f"`{node.name}` can not take this", str(value)[:40], known.remedy)


def _test(node: nodes.Test, _loop: bool) -> Iterator[ExpressionError]:
    if node.name not in TESTS:
        help_ = did_you_mean(node.name, TESTS) or f"known here: {', '.join(TESTS)}"
        yield ExpressionError(f'unknown test "{node.name}"', node.name, help_)
    elif node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
        yield ExpressionError(f"`is {node.name}` takes no arguments", node.name)


def _attribute(node: nodes.Getattr, loop: bool) -> Iterator[ExpressionError]:
    if node.attr.startswith("_"):
        yield ExpressionError("a name that begins with _ can not be read", node.attr)
    elif loop and isinstance(node.node, nodes.Name) and node.node.name == "loop" and node.attr not in LOOP:
        yield ExpressionError(f"`loop` has no `{node.attr}`", node.attr, f"known here: {', '.join(LOOP)}")


def _constant(node: nodes.Const, _loop: bool) -> Iterator[ExpressionError]:
    value: Any = node.value
    if isinstance(value, int | float) and not -MAX_NUMBER <= value <= MAX_NUMBER:
        yield _too_large(str(value)[:40])
    elif isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        yield ExpressionError("half a character can not be written", "", "write the character itself")


def _arithmetic(node: nodes.BinExpr, _loop: bool) -> Iterator[ExpressionError]:
    for side in (node.left, node.right):
        value = side.value if isinstance(side, nodes.Const) else [] if isinstance(side, nodes.List) else 0
        if not is_number(value):
            help_ = "texts join by standing side by side: {{ a }}{{ b }}" if isinstance(value, str) else ""
            yield ExpressionError(f"`{node.operator}` takes numbers, not {kind(value)}", str(node.operator), help_)
    if isinstance(node, nodes.Div | nodes.FloorDiv | nodes.Mod) and node.right == nodes.Const(0):
        yield ExpressionError("nothing can be divided by zero", str(node.operator))


def _choice(node: nodes.CondExpr, _loop: bool) -> Iterator[ExpressionError]:
    if node.expr2 is None:
        yield ExpressionError("an `if` inside {{ }} needs its `else`", "if", "write `x if … else y`")


def _loop(node: nodes.For, inside: bool) -> Iterator[ExpressionError]:
    if inside:
        yield ExpressionError("loops can not be nested", "for", "one `{% for %}` in another is not allowed")
    if not isinstance(node.target, nodes.Name) or node.target.name == "loop":
        yield ExpressionError("a loop has one name", "for", "write `{% for x in list %}`")
    if node.recursive:
        yield ExpressionError("`recursive` is not allowed here", "recursive", "a loop goes over one list")


_CHECKS: Mapping[type[nodes.Node], Callable[[Any, bool], Iterator[ExpressionError]]] = {
    nodes.Filter: _filter,
    nodes.Test: _test,
    nodes.Getattr: _attribute,
    nodes.Const: _constant,
    nodes.CondExpr: _choice,
    nodes.For: _loop,
    **dict.fromkeys((nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod), _arithmetic),
}
