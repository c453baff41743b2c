"""The explanations of what is wrong with the tests of a flow."""

from __future__ import annotations

from flowengine.flow.explanation import Explanation, flow

_FILE = "flow.test.yaml"
_FLOW = flow("nodes:\n  main:\n    say: Hello.\n    goto: end\n")
_NEEDY = flow("args: {who: {type: text, required: true}}\nnodes:\n  main:\n    say: Hello.\n    goto: end\n")


def _tests(*lines: str, name: str = "example") -> str:
    return f"flow: {name}\ntests:\n  - name: it says hello\n" + "".join(f"    {line}\n" for line in lines)


TESTS = (
    Explanation(
        "duplicate-test",
        "two tests of one name",
        "A report calls a test by its name, and nobody could tell which of the two has failed.",
        "say in the name what is different about it",
        _tests("talk: [{bot: Hello}]", "path: [main]") + "  - {name: it says hello, talk: []}\n",
        _FLOW,
        _FILE,
    ),
    Explanation(
        "not-a-test",
        "there are no tests in the file",
        "A file whose name ends in .test.yaml holds the tests of a flow.",
        "begin with `flow: NAME` and `tests:`, or give the file another name",
        "just words\n",
        _FLOW,
        _FILE,
    ),
    Explanation(
        "one-action",
        "a step that does two things, or none",
        "Steps happen one after another. With two actions in one step nobody could say which comes first.",
        "write one step for each: `- bot: Hello` and `- keys: 1`",
        _tests("talk: [{bot: Hello, keys: 1}]"),
        _FLOW,
        _FILE,
    ),
    Explanation(
        "step-after-end",
        "a step after `end`",
        "When the call is over nothing can be said or pressed any more, so the step would never be looked at.",
        "move `end` to the last place, or delete what follows",
        _tests("talk: [{end: hangup}, {bot: Hello}]"),
        _FLOW,
        _FILE,
    ),
    Explanation(
        "useless-field",
        "a field that says nothing beside this step",
        "`at` is the moment at which the caller acts, and `return` the outcome of a flow that ends with `end: return`.",
        "delete it",
        _tests("talk: [{bot: Hello, at: 50%}]"),
        _FLOW,
        _FILE,
    ),
)
