"""What an application is told of a call, as JSON Schema: the envelope of an event, and its data."""

from __future__ import annotations

from typing import Any

from flowengine.call.record import record_schema

ID = "https://flowengine.dev/schemas/events.schema.json"
CALL_ENDED = "call.ended"


def events_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of everything that an application is told."""
    properties = {
        "id": {"type": "string", "description": "The event's id; the same one if it has to be sent again."},
        "type": {
            "enum": [CALL_ENDED],
            "description": "What happened. `call.ended`: the call is over; data is its record.",
        },
        "at": {"type": "string", "format": "date-time", "description": "When it happened, in UTC."},
        "call": {"type": "string", "description": "The call's id."},
        "data": {"type": "object", "description": "What belongs to this type of event."},
    }
    ended = {
        "if": {"properties": {"type": {"const": CALL_ENDED}}, "required": ["type"]},
        "then": {"properties": {"data": {"$ref": "#/$defs/record"}}},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Events of flowengine",
        "description": "What an application is told of calls.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "allOf": [ended],
        "$defs": {"record": record_schema()},
    }
