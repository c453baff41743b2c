from __future__ import annotations

import pytest

from flowengine.audio.position import CarrierLine

FAR = 1_778_597_597.0  # an epoch clock of the carrier's, far from ours


def test_before_anything_nothing_is_played() -> None:
    line = CarrierLine(8000)
    assert line.at(5.0) == 0
    assert line.ahead(5.0) == 0
    assert line.due(0) == 0.0


def test_a_mark_anchors_the_run_on_the_carriers_clock() -> None:
    line = CarrierLine(8000)
    line.media_seen(10.0, FAR)
    line.write(10.0, 16000)
    line.mark(2400, 10.5, FAR + 0.4)
    # A second after the mark on the carrier's clock, whenever we get to know of it.
    assert line.at(line.moment(11.7, FAR + 1.4)) == pytest.approx(2400 + 8000, abs=2)
    assert line.at(line.moment(13.0, FAR + 1.4)) == pytest.approx(2400 + 8000, abs=2)


def test_further_marks_narrow_the_begin_and_a_contradiction_replaces_it() -> None:
    line = CarrierLine(8000)
    line.media_seen(0.0, 0.0)
    line.write(0.0, 80000)
    line.mark(2400, 0.4, 0.32)
    line.mark(10400, 1.4, 1.33)
    narrow = line.at(line.moment(2.0, 2.0))
    assert narrow == pytest.approx((2.01 - 0.035) * 8000, abs=2)
    line.mark(18400, 2.9, 2.82)  # half a second late: the carrier ran dry
    assert line.at(line.moment(3.0, 2.82)) == pytest.approx(18400, abs=2)


def test_the_delay_learnt_in_one_run_places_the_next() -> None:
    line = CarrierLine(8000)
    line.media_seen(0.0, 0.0)
    line.write(1.0, 8000)
    line.mark(2400, 1.6, 1.5)  # began to play at 1.2 to 1.22
    line.cut()
    assert line.write(5.0, 8000) is False
    assert line.at(line.moment(5.5, 5.5)) == pytest.approx(8000 + (5.51 - 5.21) * 8000, abs=2)


def test_a_run_that_follows_closely_waits_for_the_one_before() -> None:
    line = CarrierLine(8000)
    line.media_seen(0.0, 0.0)
    line.write(0.0, 8000)
    line.mark(2400, 0.6, 0.5)  # began at 0.2: it plays until 1.2
    assert line.write(1.0, 8000) is True
    assert line.at(1.21) == pytest.approx(8000, abs=1)
    assert line.at(1.31) == pytest.approx(8800, abs=1)
    assert line.due(16000) == pytest.approx(2.21)


def test_without_timestamps_our_clock_stands_in() -> None:
    line = CarrierLine(8000)
    line.write(0.0, 8000)
    line.mark(2400, 0.5, None)
    assert line.at(line.moment(0.75, None)) == pytest.approx(4400, abs=1)


def test_the_fastest_message_tells_how_late_an_event_without_timestamp_is() -> None:
    line = CarrierLine(8000)
    line.media_seen(10.08, FAR)
    line.media_seen(10.12, FAR + 0.10)
    assert line.moment(11.0, None) == pytest.approx(11.06)
    assert line.moment(11.5, FAR + 1.0) == pytest.approx(11.08 + 0.01)


def test_long_calls_keep_a_bounded_number_of_runs() -> None:
    line = CarrierLine(8000)
    for second in range(100):
        line.write(float(second), 800)
    assert line.sent == 80000
    assert line.at(200.0) == 80000
    assert line.at(0.0) >= 80000 - 8 * 800
