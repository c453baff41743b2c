"""Makes `README.md` here: ten mistakes of a first-time author, and what three programs print of them.

``python tests/peers/compare.py VENV`` writes it; VENV has the other two: `pip install pipecat-ai check-jsonschema`.
Each mistake is a file under ``mistakes/``, with the like of it in the other format beside it. What is found, and in
which line, is told by the outputs; a remedy counts when the words that are given for it here stand in the output.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE / "README.md"
MISTAKES = HERE / "mistakes"
OURS, SCHEMA, PIPECAT = "flowengine check", "check-jsonschema", "pipecat"
TOOLS = (OURS, SCHEMA, PIPECAT)
# Seconds for one run of a program; pipecat imports much.
DEADLINE = 120.0
# What its documentation lets an application do at its start; `place_order` is the tool that the flows name.
LOAD = """
import sys
from pipecat.flows import Flow, FlowConfig

async def place_order(flow_manager):
    "Place the order."

try:
    Flow(FlowConfig.from_file(sys.argv[1]), handlers={"place_order": place_order})
except Exception as error:
    print(f"{type(error).__name__}: {error}")
    sys.exit(1)
"""
VERSIONS = "import importlib.metadata as m, sys; print(*(m.version(name) for name in sys.argv[1:]))"


@dataclass(frozen=True)
class Mistake:
    """A mistake: ``name`` of its files, its line in ours and in the other, and the words of each program's remedy."""

    name: str
    what: str
    like: str
    line: int
    other: int
    remedies: dict[str, str] = field(default_factory=dict)


TEN = (
    Mistake(
        "comma",
        "A comma in a text inside braces",
        "the same",
        *(7, 5),
        {OURS: "put the whole text in quotes"},
    ),
    Mistake("field", "A misspelt field", "a misspelt field of a node", 5, 4, {OURS: 'did you mean "say"?'}),
    Mistake("node", "A misspelt name of a node", "the same", 7, 11, {OURS: 'did you mean "pizza"?'}),
    Mistake(
        "outcome",
        "A transfer that says what follows one outcome of five",
        "a result of a tool that says what follows one value, without `default`: the program stays in the node then, "
        "by design",
        *(7, 11),
        {OURS: "add `else: NODE`"},
    ),
    Mistake(
        "unit",
        "A duration without its unit",
        "a number where the format wants true or false: it has no durations",
        *(8, 7),
        {OURS: "write 6s for seconds", PIPECAT: "should be a valid boolean"},
    ),
    Mistake("twice", "A field that stands twice", "the same", 6, 5, {OURS: "rename or delete one of the two"}),
    Mistake(
        "braces", "A text that begins with `{{`, without quotes", "the same", 6, 6, {OURS: "put the text in quotes"}
    ),
    Mistake("tab", "Tabs in the indentation", "the same", 5, 4, {OURS: "use spaces"}),
    Mistake(
        "star", "The key `*` without quotes", "the same, as a value of a result", 8, 11, {OURS: 'write star or "*"'}
    ),
    Mistake(
        "variable",
        "A misspelt variable",
        "a placeholder that nothing fills; the program raises an error when a call comes to the node",
        *(6, 6),
        {OURS: 'did you mean "size"?'},
    ),
)


@dataclass(frozen=True)
class Said:
    """What a program printed of a mistake, and whether it refused the file."""

    text: str
    refused: bool


def ours(mistake: Mistake) -> Said:
    """Run our own checker."""
    return _run(sys.executable, "-m", "flowengine", "check", f"{mistake.name}.yaml")


def others(mistake: Mistake, venv: Path) -> dict[str, Said]:
    """Run the others, which are in an environment of their own."""
    schema = ("--schemafile", "../../../schemas/flow.schema.json")
    return {
        SCHEMA: _run(str(venv / "bin" / "check-jsonschema"), *schema, f"{mistake.name}.yaml"),
        PIPECAT: _run(str(venv / "bin" / "python"), "-c", LOAD, f"{mistake.name}.pipecat.yaml", log=False),
    }


def _run(*command: str, log: bool = True) -> Said:
    done = subprocess.run(command, cwd=MISTAKES, capture_output=True, text=True, timeout=DEADLINE, check=False)
    text = done.stdout + (done.stderr if log else "")
    return Said("\n".join(line.rstrip() for line in text.strip().splitlines()), done.returncode != 0)


def verdict(mistake: Mistake, tool: str, said: Said) -> str:
    """Say what an author learns: that something is wrong, in which line, and what to do."""
    if not said.refused:
        return "–"
    line = mistake.other if tool == PIPECAT else mistake.line
    told = ["found"]
    if re.search(rf"-->.*:{line}:|\bline {line}\b", said.text):
        told.append("line")
    words = mistake.remedies.get(tool)
    if words:
        if words not in said.text:
            raise ValueError(f"{tool} does not say {words!r} of {mistake.name} any more")
        told.append("remedy")
    return ", ".join(told)


def section(mistake: Mistake, said: dict[str, Said]) -> str:
    """Give the part of the page about one mistake."""
    own, other = ((MISTAKES / f"{mistake.name}{end}").read_text(encoding="utf-8") for end in (".yaml", ".pipecat.yaml"))
    outputs = {tool: f"```\n{one.text or '(nothing)'}\n```\n" for tool, one in said.items()}
    return (
        f"## {mistake.what}\n\n```yaml\n{own}```\n\n`{OURS}`:\n\n{outputs[OURS]}\n`{SCHEMA}`, with our schema:\n\n"
        f"{outputs[SCHEMA]}\nIn pipecat's format, {mistake.like}:\n\n```yaml\n{other}```\n\n{outputs[PIPECAT]}"
    )


def row(mistake: Mistake, said: dict[str, Said]) -> str:
    """Give the line of the table about one mistake."""
    return f"| {mistake.what} | {' | '.join(verdict(mistake, tool, said[tool]) for tool in TOOLS)} |\n"


HEAD = """\
# Ten mistakes of a first-time author, and what is printed of them

Each of the ten files has one mistake. They go through three programs:

- `flowengine check`, of this repository;
- `check-jsonschema` {schema} with our `schemas/flow.schema.json`: what a JSON Schema alone can say of a flow;
- pipecat-ai {pipecat}, whose `pipecat.flows` reads a flow from YAML: `FlowConfig.from_file`, and `Flow`, which joins
  it to its tools. It holds conversations of a language model and has no keys of a telephone, so what goes through it
  is the like of each mistake in its own format. (The package `pipecat-ai-flows` is deprecated in its favour, and reads
  no YAML.)

The outputs stand here word for word; of an exception of Python it is the name and text. Made on {date} by
`python tests/peers/compare.py VENV`; the tests hold our own part against the program.

*found*: the file is refused because of the mistake. *line*: its line is told. *remedy*: what to write instead is told.

| mistake | flowengine check | check-jsonschema | pipecat |
|---|---|---|---|
{rows}
## What can be learnt from it

We chose the mistakes, and our checker was made for them; a table by the others would have other rows. What holds all
the same:

- Where the YAML itself is broken (`{{{{`, a tab, `*`) all three find it in its line. The others' readers say what they
  expected there; what an author should write, only ours.
- A misspelt field, and a comma that makes a field of half a text, are found by all three. The others name the place by
  its path and not by a line, and say nothing of what was meant; pipecat's path is exact to the item of a list.
- pipecat finds a node that does not exist, as we do; the first one ends its check, and ours goes on. A schema can not
  find it: there a name is a text. The same holds for outcomes and variables.
- Of a number without a unit pipecat's sentence is as good as ours. `check-jsonschema` does not know the sentences of
  our schema: `6 is not of type 'string'` is true, and leads astray. Editors show our sentence.
- A field that stands twice is lost in pipecat without a word: the last one counts. `check-jsonschema` shows both lines,
  as we do, and says how to turn the check off, which we do not.
- Two rows are no mistakes in pipecat's eyes: a result without a case keeps the caller in the node, and a placeholder is
  looked up when a call comes to it, for the program may have filled it until then. That is more freedom, and it is
  paid for in the call.
- Ours is worse with tabs: one finding for each line of them, where the others stop at the first.

"""


def main(venv: Path) -> None:
    """Write the page."""
    said = [{OURS: ours(mistake), **others(mistake, venv)} for mistake in TEN]
    names = ("check-jsonschema", "pipecat-ai")
    asked = subprocess.run(
        (str(venv / "bin" / "python"), "-c", VERSIONS, *names),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    schema, pipecat = asked.stdout.split()
    rows = "".join(row(mistake, one) for mistake, one in zip(TEN, said, strict=True))
    head = HEAD.format(schema=schema, pipecat=pipecat, date=datetime.now(UTC).date(), rows=rows)
    sections = (section(mistake, one) for mistake, one in zip(TEN, said, strict=True))
    PAGE.write_text(head + "\n".join(sections), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tests/peers/compare.py VENV   (pip install pipecat-ai check-jsonschema)")
    main(Path(sys.argv[1]).absolute())
