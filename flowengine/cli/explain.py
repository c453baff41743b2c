"""``flowengine explain``: what a finding means, a flow that has it, and its remedy."""

from __future__ import annotations

import click


@click.command()
@click.argument("code", required=False)
def command(code: str | None) -> None:
    """Explain the code of a finding, with an example and its remedy; without CODE list them all.

    \b
    Example:
      flowengine explain unmapped-outcome
    """
    from flowengine.flow.diagnostics import did_you_mean
    from flowengine.flow.explanations import EXPLANATIONS

    if code is None:
        width = max(map(len, EXPLANATIONS))
        for one in EXPLANATIONS.values():
            click.echo(f"{one.code:<{width}}  {one.headline}")
    elif code in EXPLANATIONS:
        click.echo(EXPLANATIONS[code].text(), nl=False)
    else:
        near = did_you_mean(code, EXPLANATIONS) or "`flowengine explain` lists them all"
        raise click.UsageError(f'there is no code "{code}": {near}')
