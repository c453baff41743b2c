"""The record's definition: every field of it has words, a type, and the name that the record has."""

from __future__ import annotations

from dataclasses import fields

from flowengine.call.record import ENDED_REASONS, FAULTS, CallRecord, record_schema


def test_the_schema_names_every_field_once_and_explains_it() -> None:
    schema = record_schema()
    assert len(schema["properties"]) == len(fields(CallRecord))
    assert schema["required"] == list(schema["properties"])
    assert {"from", "to"} < set(schema["properties"])
    assert all(field["description"].endswith(".") for field in schema["properties"].values())


def test_whose_doing_an_end_was_is_what_stands_before_the_dot() -> None:
    assert FAULTS == ("caller", "flow", "provider", "carrier", "api", "engine")
    assert record_schema()["properties"]["ended_reason"]["enum"] == list(ENDED_REASONS)
