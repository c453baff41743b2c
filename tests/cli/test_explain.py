"""`flowengine explain`: one code, all codes, and a code that there is not."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from flowengine.cli.main import main
from flowengine.flow.explanations import EXPLANATIONS


def explain(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["explain", *arguments])


def test_one_code() -> None:
    result = explain("unknown-node")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "unknown-node: a `goto` to a node that there is not\n\n"
        "The call would have nowhere to go.\n\n"
        "For example:\n\n"
        "    flow: example\n    version: 1\n    nodes:\n      main:\n        say: Hello.\n        goto: mian\n\n"
        "Remedy: correct the name, or write the node; again, back and end lead without a node\n"
    )


def test_all_codes_with_their_headlines() -> None:
    result = explain()
    assert result.exit_code == 0
    listed = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert listed == [[one.code, one.headline] for one in EXPLANATIONS.values()]
    assert max(map(len, result.stdout.splitlines())) <= 100


@pytest.mark.parametrize(
    ("code", "help_"),
    [("unknown-nod", 'did you mean "unknown-node"?'), ("xyzzy", "`flowengine explain` lists them all")],
)
def test_a_code_that_there_is_not_is_wrong_usage(code: str, help_: str) -> None:
    result = explain(code)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f'there is no code "{code}": {help_}' in result.stderr
