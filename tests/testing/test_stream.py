from __future__ import annotations

import asyncio
import random

from flowengine.testing.stream import Lag, Pipe
from flowengine.testing.virtual_time import let_pass, run


def test_a_pipe_delays_and_never_reorders() -> None:
    async def scene() -> list[tuple[int, float]]:
        loop = asyncio.get_running_loop()
        start = loop.time()
        out: list[tuple[int, float]] = []

        async def deliver(item: int) -> None:
            out.append((item, loop.time() - start))

        pipe: Pipe[int] = Pipe(Lag(0.1, 0.5, random.Random(3)), deliver)
        task = asyncio.create_task(pipe.run())
        for item in range(50):
            pipe.put(item)
            await let_pass(0.02)
        await let_pass(1)
        task.cancel()
        return out

    out = run(scene())
    assert [item for item, _ in out] == list(range(50))
    late = [at - item * 0.02 for item, at in out]
    assert min(late) > 0.099
    assert max(late) < 0.601
    assert max(late) - min(late) > 0.2
