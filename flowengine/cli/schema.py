"""``flowengine schema``: the JSON Schemas that editors and applications use."""

from __future__ import annotations

import json

import click

WHICH = ("flow", "included", "tests", "settings", "events")


@click.command()
@click.argument("which", type=click.Choice(WHICH), default="flow")
def command(which: str) -> None:
    """Print the JSON Schema of flows, of files that they include, of tests, of settings, or of events for applications.

    \b
    Example:
      flowengine schema flow > schemas/flow.schema.json
      flowengine schema tests > schemas/tests.schema.json
    """
    click.echo(text(which), nl=False)


def text(which: str) -> str:
    """Give one schema as the text of its file."""
    return json.dumps(_schema(which), indent=2, ensure_ascii=False) + "\n"


def _schema(which: str) -> dict[str, object]:
    if which == "tests":
        from flowengine.testing.reading import tests_schema

        return tests_schema()
    if which == "settings":
        from flowengine.settings import settings_schema

        return settings_schema()
    if which == "events":
        from flowengine.call.announcement import events_schema

        return events_schema()
    from flowengine.flow.schema import flow_schema, included_beside_flow
    from flowengine.plugins import node_types

    return included_beside_flow() if which == "included" else flow_schema(node_types())
