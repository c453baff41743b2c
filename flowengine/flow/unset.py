"""The rule that nothing is read before it has a value: which variables can be null on some way to a node.

A forward analysis over the graph. With each node goes the set of variables that can be null when it is entered: the
union over all ways that lead there. A way takes out what it assigns, collects, or proves by its conditions. Global
commands and the flow's handlers lead away from everywhere, so their targets get what any node may lack.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from flowengine.flow.diagnostics import Span
from flowengine.flow.expressions import Condition, Equalities, Template
from flowengine.flow.kinds import Reading
from flowengine.flow.model import (
    Assignment,
    Catch,
    Flow,
    Node,
    NodeType,
    Prompt,
    Scoped,
    Segment,
    Tool,
    ToolRun,
    fields_of,
)

EVERYWHERE = ""
Names = frozenset[str]
# Tells of a name that is read at a place where it can be null.
Found = Callable[[str, Span], None]


def maybe_unset(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """A variable that is printed, counted or compared has a value on every way there."""
    if flow.start not in flow.nodes:
        return
    lacks = _Lacks(flow)
    lacks.spread()
    wrong = {d.about for d in reading.report.diagnostics}
    for place in (*flow.nodes, EVERYWHERE):
        told: set[str] = set()

        def found(name: str, span: Span, place: str = place, told: set[str] = told) -> None:
            if name in told or name in wrong or reading.report.has_error_in(span):
                return
            told.add(name)
            way = lacks.way(place, name)
            reading.report.warning(
                "maybe-unset",
                f'"{name}" can be null here: nothing gives it a value on the way {way}',
                reading.locate(span, name.rpartition(".")[2]),
                about=name,
                help=_remedy(name),
            )

        if place == EVERYWHERE:
            lacks.uses_everywhere(found)
        elif place in lacks.at:
            lacks.uses(flow.nodes[place], found)


def _remedy(name: str) -> str:
    if name.startswith("args."):
        return f"give the argument a default, or write `required: true`, or `{name} | default(…)`"
    return f"give it a default under `vars`, or test `{name} is set` first, or write `{name} | default(…)`"


class _Lacks:
    """What can be null at each node, and by which way that came."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.at: dict[str, Names] = {}
        self._from: dict[tuple[str, str], str] = {}
        self._waiting: deque[str] = deque()

    def spread(self) -> None:
        """Follow every way from the start until nothing more comes."""
        flow = self.flow
        unset = {v.name for v in flow.vars.values() if v.default is None}
        unset |= {f"args.{v.name}" for v in flow.args.values() if v.default is None and not v.required}
        self._arrive(flow.start, frozenset(unset), None)
        while self._waiting:
            name = self._waiting.popleft()
            for target, lacks in self._everywhere() if name == EVERYWHERE else self._leave(flow.nodes[name]):
                self._arrive(target, lacks, name)

    def _arrive(self, target: str, lacks: Names, source: str | None) -> None:
        if target != EVERYWHERE and target not in self.flow.nodes:
            return
        before = self.at.get(target)
        new = lacks if before is None else lacks - before
        if before is not None and not new:
            return
        for name in new:
            if source is not None:
                self._from.setdefault((target, name), source)
        self.at[target] = lacks | (before or frozenset())
        if target not in self._waiting:
            self._waiting.append(target)

    def way(self, place: str, name: str) -> str:
        """Give a way from the start to a place on which a name gets no value, for people."""
        path = [place]
        while (path[-1], name) in self._from and len(path) < 50:
            path.append(self._from[path[-1], name])
        shown = [step or "(from anywhere)" for step in reversed(path)]
        if len(shown) > 6:
            shown = [*shown[:3], "…", *shown[-2:]]
        return " → ".join(shown)

    # Ways

    def _everywhere(self) -> Iterator[tuple[str, Names]]:
        lacks = self.at[EVERYWHERE]
        for command in self.flow.always:
            if command.target:
                yield command.target.node, lacks
        yield from self._caught(self.flow.catch, lacks)

    def _caught(self, catches: Mapping[str, Catch], lacks: Names) -> Iterator[tuple[str, Names]]:
        for catch in catches.values():
            for handler in catch.handlers:
                if handler.target:
                    yield handler.target.node, _assigned((*handler.set, *handler.add), lacks)

    def _leave(self, node: Node) -> Iterator[tuple[str, Names]]:
        lacks = self.at[node.name]
        yield EVERYWHERE, lacks
        yield from self._caught(node.catch, lacks)
        if node.resume:
            yield node.resume.node, lacks
        kind = node.type
        for branch in kind.branches(node.spec):
            left = lacks - _proved(branch.condition, True) - frozenset(kind.gives(node.spec, branch.name))
            left -= _printed(node.say)
            yield branch.target.node, _assigned((*branch.assigned, *node.set, *node.add), left)
        for outcome in kind.outcomes(node.spec):
            left = _assigned((*node.set, *node.add), self._after(node, outcome))
            for case in node.cases(outcome):
                yield case.target.node, _assigned((*case.set, *case.add), left - _proved(case.condition, True))
                left -= _proved(case.condition, False)

    def _after(self, node: Node, outcome: str) -> Names:
        """Give what can be null when a node ends by an outcome, before anything is assigned."""
        lacks = self.at[node.name] - frozenset(node.type.gives(node.spec, outcome)) - _printed(node.say)
        tool = self.flow.tools.get(node.spec.name) if isinstance(node.spec, ToolRun) else None
        return _assigned(tool.save, lacks) if tool else lacks

    # Uses

    def uses_everywhere(self, found: Found) -> None:
        """Tell what the flow's own handlers read."""
        lacks = self.at.get(EVERYWHERE, frozenset())
        for catch in self.flow.catch.values():
            for handler in catch.handlers:
                self._read(handler, lacks, found)

    def uses(self, node: Node, found: Found) -> None:
        """Tell what a node reads that can be null there."""
        lacks = self.at[node.name]
        for prompt in (node.say, *node.reprompt):
            self._read(prompt, lacks, found)
        for catch in node.catch.values():
            self._read(catch, lacks, found)
        # What the type gives is there while it checks and confirms it.
        own = lacks - frozenset(node.type.gives(node.spec, "done"))
        self._read(node.spec, own, found)
        for outcome in node.type.outcomes(node.spec):
            left = self._after(node, outcome)
            for assignment in (*node.set, *node.add):
                self._read(assignment, left, found)
                left = _assigned((assignment,), left)
            for case in node.cases(outcome):
                self._read(case.condition, left, found)
                taken = left - _proved(case.condition, True)
                self._read((case.set, case.add), taken, found)
                left -= _proved(case.condition, False)

    def _read(self, value: Any, lacks: Names, found: Found, *, printed: bool = True) -> None:
        """Tell what is read in a part of the model; ``printed`` is False where a template's value is wanted."""
        if isinstance(value, Template | Condition | Equalities):
            bare = isinstance(value, Template) and not printed and value.bare
            for name in () if bare else value.needs:
                root = ".".join(name.split(".")[:2]) if name.startswith("args.") else name.partition(".")[0]
                if root in lacks:
                    found(root, value.span)
        elif isinstance(value, Assignment):
            self._read(value.value, lacks, found, printed=False)
        elif isinstance(value, Segment):
            self._segment(value, lacks, found)
        elif isinstance(value, Scoped):
            self._read(value.part, lacks - frozenset(value.names), found)
        elif isinstance(value, ToolRun):
            self._run(value, lacks, found)
        elif isinstance(value, Mapping):
            for inner in value.values():
                self._read(inner, lacks, found, printed=False)
        elif isinstance(value, tuple | list):
            for inner in value:
                self._read(inner, lacks, found, printed=printed)
        else:
            for inner in fields_of(value):
                self._read(inner, lacks, found)

    def _segment(self, segment: Segment, lacks: Names, found: Found) -> None:
        self._read(segment.condition, lacks, found)
        lacks -= _proved(segment.condition, True)
        self._read((segment.text, segment.one_of), lacks, found)
        self._read(tuple(segment.languages.values()), lacks, found)
        text = self.flow.texts.get(segment.named.name) if segment.named else None
        if text is not None:
            self._read(text.prompt, lacks, found)

    def _run(self, run: ToolRun, lacks: Names, found: Found) -> None:
        self._read(run.values, lacks, found)
        tool: Tool | None = self.flow.tools.get(run.name)
        if tool is not None:
            hidden = lacks - frozenset(run.values) - frozenset(tool.args or ())
            self._read((tool.url, tool.headers, tool.query, tool.body), hidden, found)


def _printed(prompt: Prompt | None) -> Names:
    """Give the names that were printed on the way through a node: null would not have got so far."""
    texts = [s.text for s in (prompt.segments if prompt else ()) if s.text is not None and s.condition is None]
    return frozenset(name for text in texts for name in text.needs)


def _proved(condition: Condition | Equalities | None, outcome: bool) -> Names:
    return condition.proves(outcome) if condition is not None else frozenset()


def _assigned(assignments: Iterable[Assignment], lacks: Names) -> Names:
    """Give what can be null after assignments."""
    for one in assignments:
        value = one.value
        copied = isinstance(value, Template) and value.bare and value.names[0] in lacks
        lacks = lacks | {one.name} if value is None or copied else lacks - {one.name}
    return lacks
