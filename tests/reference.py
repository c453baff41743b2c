"""Makes the tables of the language reference, `schemas/README.md`, from the definitions that the program reads by.

``python tests/reference.py`` writes them between their marks, ``<!-- NAME -->`` and ``<!-- end -->``; what stands
outside is written by hand. ``make schemas`` runs it, and a test holds the page against it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flowengine.flow import choosing, conversing, document, handling, names, prompting, tooling
from flowengine.flow.declaring import VariablesKind
from flowengine.flow.explanations import EXPLANATIONS
from flowengine.flow.filters import FILTERS, TESTS
from flowengine.flow.kinds import Field, Kind, Schema, sentence_of
from flowengine.flow.model import NodeType
from flowengine.flow.timetable import HoursKind
from flowengine.plugins import node_types

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "schemas" / "README.md"
GOLDEN = (
    ROOT / "tests" / "flow" / "errors",
    ROOT / "tests" / "flow" / "folders",
    ROOT / "tests" / "testing" / "mistakes",
)
_SECTION = re.compile(r"<!-- ([a-z -]+) -->\n(.*?)<!-- end -->", re.DOTALL)
# What a kind holds that the schema states once, and where the page tells of it.
_NAMED = {
    "segment": "a [prompt](#prompts)",
    "prompt": "a [prompt](#prompts)",
    "goto": "a [target](#targets)",
    "catch": "[handlers](#events-and-handlers)",
}


def page(text: str) -> str:
    """Give the page with its tables made anew."""
    return _SECTION.sub(lambda match: f"<!-- {match[1]} -->\n{section(match[1])}<!-- end -->", text)


def section(name: str) -> str:
    """Give what stands between the marks of one name."""
    if name in _TABLES:
        return table(_TABLES[name])
    if name.startswith("type "):
        return node_type(node_types()[name.removeprefix("type ").replace("step", "")])
    return _TEXTS[name]()


def rows(head: Iterable[str], cells: Iterable[Iterable[str]]) -> str:
    """Give a Markdown table."""
    listed = [list(head)]
    listed.append(["---"] * len(listed[0]))
    listed += [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in cells]
    return "".join(f"| {' | '.join(row)} |\n" for row in listed)


def table(fields: Iterable[Field]) -> str:
    """Give the table of the fields of a mapping."""
    return rows(
        ("field", "holds", "meaning", "default"), ((f"`{f.name}`", holds(f.kind), f.about, default(f)) for f in fields)
    )


def default(field: Field) -> str:
    """Give what counts where a field is left out, as an author writes it."""
    if field.required:
        return "**required**"
    if field.default is None:
        return ""
    value = field.default
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def section_fields(name: str) -> tuple[Field, ...]:
    """Give the fields that a section tells of."""
    return _TABLES[name]


def holds(kind: Kind) -> str:
    """Say what a field of this kind holds, in the words of its own error."""
    return _holds(kind.schema())


def _holds(schema: Schema) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return _NAMED.get(name, name)
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(word) if isinstance(word, bool) else word}`" for word in schema["enum"])
    sentence = sentence_of(schema)
    if (
        schema.get("type") == "array"
        and sentence.startswith("must be a list")
        and sentence != "must be a list of options"
    ):
        inner = _holds(schema["items"])
        return f"a list: {inner}" if inner else "a list"
    return sentence.removeprefix("must be ") or "any value"


def node_type(kind: NodeType) -> str:
    """Give the part of the page about one node type."""
    parts = [f"{kind.about}\n"]
    if kind.fields:
        parts.append(table(kind.fields))
    outcomes = dict(kind.known_outcomes)
    if outcomes:
        parts.append(rows(("outcome", "when"), ((f"`{name}`", about) for name, about in outcomes.items())))
    if kind.events:
        parts.append(f"Events of its own: {', '.join(f'`{event}`' for event in kind.events)}.\n")
    parts.append(f"```yaml\n{kind.example}```\n")
    return "\n".join(parts)


def _events() -> str:
    return rows(("event", "when"), ((f"`{name}`", about) for name, about in handling.EVENTS.items()))


def _filters() -> str:
    return rows(
        ("filter", "gives", "for example"),
        ((f"`{one.name}`", one.about, _examples(one.examples)) for one in FILTERS.values()),
    )


def _tests() -> str:
    return rows(
        ("test", "holds when", "for example"),
        ((f"`is {one.name}`", one.about, _examples(one.examples)) for one in TESTS.values()),
    )


def _examples(examples: Iterable[Any]) -> str:
    shown = []
    for one in list(examples)[:3]:
        lang = "" if one.lang == "en-US" else f" ({one.lang})"
        shown.append(f"`{one.source}` → `{one.result}`{lang}")
    return "<br>".join(shown)


def _given() -> str:
    listed = []
    for name, fields in names.GIVEN.items():
        listed.append((f"`{name}`", ", ".join(f"`.{field}`" for field in fields) if fields else ""))
    return rows(("name", "what can be read of it"), listed)


def _findings() -> str:
    files = dict(triggers())
    cells = []
    for one in EXPLANATIONS.values():
        mark = "" if severity(one.code) == "error" else " *w*"
        file = files.get(one.code, "")
        cells.append(
            (f"`{one.code}`{mark}", one.headline, f"[{Path(file).name}](../{file})" if file else "`flowengine explain`")
        )
    return rows(("code", "what is wrong", "a file that has it"), cells)


def triggers() -> Iterator[tuple[str, str]]:
    """Give for each code a file of the tests that has the finding, the shortest one."""
    found: dict[str, Path] = {}
    for golden in sorted(path for folder in GOLDEN for path in folder.glob("*.out")):
        source = golden.with_suffix(".yaml")
        source = source if source.exists() else golden.with_suffix("") / "main.yaml"
        source = source if source.exists() else golden.with_suffix(".test.yaml")
        for code in set(
            re.findall(r"^(?:error|warning)\[([^\]]+)\]", golden.read_text(encoding="utf-8"), re.MULTILINE)
        ):
            if code not in found or source.stat().st_size < found[code].stat().st_size:
                found[code] = source
    return ((code, path.relative_to(ROOT).as_posix()) for code, path in found.items())


def severity(code: str) -> str:
    """Give the severity of a code, as the golden files and the examples show it."""
    for folder in GOLDEN:
        for golden in folder.glob("*.out"):
            match = re.search(rf"^(error|warning)\[{code}\]", golden.read_text(encoding="utf-8"), re.MULTILINE)
            if match:
                return match[1]
    # Only a server knows of it: the flow is left out, the others are served.
    return "warning" if code == "no-model" else "error"


_TABLES: Mapping[str, tuple[Field, ...]] = {
    "document": document.DOCUMENT_FIELDS,
    "node": document.NODE_FIELDS,
    "prompt": prompting.SEGMENT_FIELDS,
    "barge in": prompting.BargeInKind.fields,
    "option": choosing.OPTION,
    "exit": conversing.EXIT_FIELDS,
    "handler": handling.HANDLER_FIELDS,
    "command": handling.CommandKind.mapping.fields,
    "variable": VariablesKind.mapping.fields,
    "tool": tooling.TOOL_FIELDS,
    "defaults": document.DEFAULTS.fields,
    "timeouts": document.TIMEOUTS.fields,
    "limits": document.LIMITS.fields,
    "hours": HoursKind.mapping.fields,
    "filler": tooling.FillerKind.mapping.fields,
    "retry": tooling.RetryKind.mapping.fields,
}
_TEXTS: Mapping[str, Callable[[], str]] = {
    "events": _events,
    "filters": _filters,
    "tests": _tests,
    "names": _given,
    "findings": _findings,
}


SECTIONS = tuple(_TABLES)


def yaml_blocks(text: str) -> list[str]:
    """Give the YAML examples of a page."""
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
