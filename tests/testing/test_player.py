"""The world of a test: when prompts end, which keys cut them, and when nothing happens any more."""

from __future__ import annotations

from flowengine.flow.loader import load
from flowengine.plugins import node_types
from flowengine.runtime import events as fact
from flowengine.runtime.program import Program
from flowengine.testing.player import EveryName, Player

HEAD = "flow: x\nversion: 1\n"


def begun(text: str) -> Player:
    flow = load("x.yaml", HEAD + text, node_types()).flow
    assert flow is not None
    player = Player(Program(flow), {})
    player.begin(fact.CallStarted(0.0, {"from": "+1", "to": "+2"}, "2026-01-05T10:00:00+00:00", 1, {}))
    return player


MENU = "nodes:\n  main:\n    say: Press 1.\n    menu: [{key: 1, goto: end}]\n"


def test_speech_lasts_60_ms_a_character_and_a_pause_its_time() -> None:
    player = begun(
        "nodes:\n  a: {say: [Hello., {pause: 2s}, {audio: a.wav, text: There.}, {audio: b.wav}], goto: end}\n"
    )
    (spoken,) = player.spoken
    assert (spoken.text, spoken.node, spoken.begins) == ("Hello. There.", "a", 0.0)
    assert round(spoken.length, 6) == round(12 * 0.06 + 2.0, 6)


def test_a_waiting_point_is_where_only_the_silence_is_counted() -> None:
    player = begun(MENU)
    assert [(player.waiting, player.step()), (player.waiting, player.step())] == [(False, True), (True, False)]
    assert round(player.at, 6) == 0.48


def test_what_is_due_at_a_moment_happens_before_it_or_after() -> None:
    player = begun(MENU)
    player.step()
    due = player.at + 6.0
    player.advance(due, including=False)
    assert len(player.spoken) == 1
    player.advance(due)
    assert player.spoken[1].text == "Sorry, I did not hear you. Press 1."


def test_a_key_at_the_very_end_of_a_prompt_is_in_it() -> None:
    player = begun(MENU)
    player.advance(player.spoken[0].ends, including=False)
    assert player.playing
    player.press("1")
    assert player.ended == "flow.hangup"


def test_a_prompt_that_ends_and_a_timer_of_the_same_instant() -> None:
    """Time passes before the prompt is told to be over (call semantics, "Order of events")."""
    player = begun(MENU.replace("    menu", "    timeouts: {node: 480ms}\n    menu"))
    player.advance(player.spoken[0].ends)
    assert player.spoken[-1].text.startswith("I am sorry")


def test_a_transfer_goes_on_from_what_was_journaled_when_it_began() -> None:
    player = begun(
        "defaults: {timeouts: {call: 30s}}\nnodes:\n"
        "  a: {transfer: '+15550100', goto: {else: b}}\n  b: {say: Back., menu: [{key: 1, goto: end}]}\n"
    )
    assert player.ringing is not None
    assert not player.step()
    player.advance(600.0)
    player.press("1")
    player.answer("busy")
    assert player.spoken[-1].text == "Back."
    assert player.path == ["a", "b"]
    assert player.ended == ""


def test_watchers_are_told_of_every_fact_and_its_effects() -> None:
    player = begun(MENU)
    seen: list[str] = []
    player.watchers.append(lambda event, effects: seen.append(f"{type(event).__name__} {len(effects)}"))
    player.step()
    player.hang_up()
    assert seen == ["PromptFinished 0", "CallerHungUp 1"]


def test_a_name_of_the_environment_that_is_not_given_reads_as_itself() -> None:
    names = EveryName({"A": "x"})
    assert (names["A"], names["B"], "C" in names) == ("x", "B", True)
