"""Traces: JSON lines that hold everything but what is private."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

from flowengine.runtime import trace
from flowengine.runtime.effects import Note, Pause, PlayPrompt, Policy, Recording, RunTool, Speech
from flowengine.runtime.events import CallerHungUp, DigitPressed


def prompt(*parts: Speech | Pause | Recording) -> PlayPrompt:
    return PlayPrompt("e1.p1", "main", parts, Policy("123"))


def test_a_line_is_a_fact_with_its_effects() -> None:
    speech = Speech("Hello.", "default", "en", 1.0, constant=True)
    line = json.loads(trace.line(CallerHungUp(1.23456), [prompt(speech, Pause(0.5))]))
    assert (line["at"], line["event"]["type"], line["event"]["reason"]) == (1.2346, "CallerHungUp", "caller.hangup")
    assert line["effects"][0]["type"] == "PlayPrompt"
    assert line["effects"][0]["parts"][0]["text"] == "Hello."
    assert line["effects"][0]["parts"][1]["seconds"] == 0.5


def test_what_is_private_is_covered() -> None:
    private = Speech("Your number is 4 2.", "default", "en", 1.0, constant=False, shown="Your number is • •.")
    text = trace.line(DigitPressed(1.0, "7"), [prompt(private)], hidden=True)
    line = json.loads(text)
    assert line["event"]["digit"] == "•"
    assert line["effects"][0]["parts"][0]["text"] == "Your number is • •."
    assert "4 2" not in text
    assert json.loads(trace.line(DigitPressed(1.0, "7"), []))["event"]["digit"] == "7"


def test_keys_of_other_systems_are_in_no_trace() -> None:
    request = {"method": "POST", "url": "https://api.example/pay", "headers": {"Authorization": "Bearer 1"}, "body": 2}
    run = RunTool("e1.t1", "pay", "http", "POST", {"what": "bread"}, request, 8.0, "c.e1.t1")
    effect = json.loads(trace.line(CallerHungUp(1.0), [run]))["effects"][0]
    assert effect["request"] == {**request, "headers": {"Authorization": "•••"}}
    assert (effect["tool"], effect["args"]) == ("pay", {"what": "bread"})


def test_values_of_a_flow_can_all_be_written() -> None:
    note = Note("set", {"amount": Decimal("12.50"), "day": date(2026, 1, 5), "name": "Ä\n\u2028", "none": None})
    line = trace.line(CallerHungUp(1.0), [note])
    assert "\n" not in line
    data = json.loads(line)["effects"][0]["data"]
    assert data == {"amount": "12.50", "day": "2026-01-05", "name": "Ä\n\u2028", "none": None}


def test_header_and_notes() -> None:
    assert json.loads(trace.header({"id": "c"})) == {"v": trace.VERSION, "call": {"id": "c"}}
    assert json.loads(trace.note(0.5, "bug", error="x")) == {"at": 0.5, "note": "bug", "error": "x"}
