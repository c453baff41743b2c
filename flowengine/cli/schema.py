"""``flowengine schema``: the JSON Schema that editors use."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("which", type=click.Choice(["flow"]), default="flow")
def command(which: str) -> None:
    """Print the JSON Schema of flows.

    \b
    Example:
      flowengine schema flow > schemas/flow.schema.json
    """
    from flowengine.flow.schema import flow_schema
    from flowengine.plugins import node_types

    schemas = {"flow": flow_schema}
    click.echo(json.dumps(schemas[which](node_types()), indent=2, ensure_ascii=False))
