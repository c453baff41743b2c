from __future__ import annotations

import pytest

from flowengine.flow.spot import LEAST_SWEEPS, WORK, Spot, sweeps


@pytest.mark.parametrize(("count", "expected"), [(0, 60), (10, 60), (WORK // 20, 20), (WORK, LEAST_SWEEPS)])
def test_a_large_picture_is_swept_less_often(count: int, expected: int) -> None:
    assert sweeps(60, [[Spot(0, 0, 0, 0, box=True)] * count]) == expected
