"""A seed's world: one machine, the callers of its plan, what goes wrong, and what is left when all is over."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Sized
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from flowengine.runtime.program import Program
from flowengine.store.memory import MemoryStore
from flowengine.testing import virtual_time
from flowengine.testing.phone import Phone
from flowengine.testing.report import CallReport
from flowengine.testing.virtual_time import Deadlock, TimeIsUp, VirtualLoop, let_pass
from tests.simulated.machine import PROCESS, TOKEN, Machine, task_factory
from tests.simulated.plan import CallPlan, Faults, Plan, plan
from tests.simulated.wire import Line

# When the last caller has gone the server still waits for calls to come back, for documents to expire, and for
# what nobody owns any more.
SETTLED_WITHIN = 5 * 3600.0
LIMIT = 20 * 3600.0
LOGGER = logging.getLogger()


@dataclass
class Call:
    """A call that was placed, as its carrier and its line saw it."""

    plan: CallPlan
    line: Line
    report: CallReport


@dataclass
class World:
    """What a seed has left behind."""

    plan: Plan
    calls: list[Call] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    traces: dict[str, list[str]] = field(default_factory=dict)
    programs: dict[str, Program] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    sent_late: list[str] = field(default_factory=list)
    uncaught: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    failed: str = ""
    seconds: float = 0.0

    @property
    def digest(self) -> str:
        """Give what two runs of a seed must have in common: traces, records, and all that went over the wires."""
        wires = [(call.plan.number, call.line.log, repr(call.report.events)) for call in self.calls]
        text = json.dumps([self.traces, self.records, wires, self.seconds, self.failed], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class _Log(logging.Handler):
    """Keeps what living processes log as errors; a dying one may complain."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        process = PROCESS.get()
        if process is not None and not process.alive:
            return
        if record.exc_info or record.name == "asyncio":
            self._world.logged.append(f"{record.getMessage()} {record.exc_info and record.exc_info[1]!r}")


def run(seed: int) -> World:
    """Live a seed from its first call to silence."""
    return live(plan(seed))


def live(planned: Plan) -> World:
    """Live a plan; it can be lived once."""
    world = World(planned)
    handler = _Log(world)
    LOGGER.addHandler(handler)
    # What is said to people who watch a server would be said thousands of times here.
    loud = logging.lastResort
    logging.lastResort = None
    try:
        virtual_time.run(_live(world), limit=LIMIT, seed=planned.seed)
    except (Deadlock, TimeIsUp) as error:
        world.failed = str(error)
    finally:
        LOGGER.removeHandler(handler)
        logging.lastResort = loud
    return world


async def _live(world: World) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.set_task_factory(task_factory)  # type: ignore[arg-type]  # typeshed's protocol has no room for options
    loop.set_exception_handler(lambda _, context: world.uncaught.append(_told(context)))
    begin = loop.time()
    machine = Machine(world.plan.faults, world.plan.seed)
    await machine.start()
    trouble = [loop.create_task(_trouble(machine, world.plan, loop))]
    if world.plan.faults.crash_at_await is not None:
        outside = copy_context()  # the instant comes within a task of the process that is to die

        def fall() -> None:
            trouble.append(loop.create_task(_fall(machine, world.plan.faults), context=outside))

        world.plan.faults.instants[world.plan.faults.crash_at_await] = fall
    callers = [loop.create_task(_caller(machine, world, call)) for call in world.plan.calls]
    world.calls = list(await asyncio.gather(*callers))
    await asyncio.gather(*trouble)
    for call in world.calls:
        await call.line.finish()
    await _settle(machine)
    world.seconds = round(loop.time() - begin, 6)
    await _look(world, machine)
    if machine.application is not None:
        await machine.application.aclose()
        await let_pass(0)
    world.left += [f"task {task.get_name()}" for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def _caller(machine: Machine, world: World, call: CallPlan) -> Call:
    await let_pass(call.begins)
    faults = world.plan.faults
    line = Line(machine, call, faults, world.plan.seed)
    place = f"https://voice.test/answer/{call.carrier}/{call.flow}"
    phone = Phone(
        call.carrier,
        line,
        answer_url=place,
        token=TOKEN,
        seed=world.plan.seed * 100 + call.number,
        delay=call.delay,
        jitter=call.jitter,
        frame=call.frame,
        status_url=f"https://voice.test/status/{call.carrier}" if call.told else None,
    )
    if call.at_await is not None:

        def hang_up() -> None:
            faults.injected["hangs up at an await"] += 1
            phone.hang_up()

        faults.instants[call.at_await] = hang_up
    report = await phone.run(call.script)
    _count(faults.injected, report)
    return Call(call, line, report)


def _count(injected: Counter[str], report: CallReport) -> None:
    """Count what the callers and carriers did that a server has to live with."""
    for event in report.of("hung_up", "dial_ended", "stream_closed"):
        name = {"hung_up": "hangs up", "dial_ended": f"transfer {event.data.get('outcome')}"}.get(event.kind)
        if event.kind == "stream_closed" and event.data["by"] == "dropped":
            name = f"drops with {event.data['code']}"
        if name:
            injected[name] += 1


async def _trouble(machine: Machine, plan: Plan, loop: VirtualLoop) -> None:
    """Let happen to the machine what the plan says."""
    faults, begin = plan.faults, loop.time()
    todo: list[tuple[float, str, float]] = [(at, "crash", 0.0) for at in faults.crashes]
    todo += [(at, "drain", 3.0) for at in faults.drains]
    todo += [(at, "process stopped for a while", seconds) for at, seconds in faults.stalls]
    for number, (at, kind, seconds) in enumerate(sorted(todo)):
        await let_pass(max(0.0, begin + at - loop.time()))
        faults.injected[kind] += 1
        if kind == "process stopped for a while":
            loop.stall(seconds)
            continue
        await (machine.crash() if kind == "crash" else machine.stop(seconds))
        await let_pass((0.0, 0.3, 2.0, 8.0)[(plan.seed + number) % 4])
        await machine.start()


async def _fall(machine: Machine, faults: Faults) -> None:
    """The process dies, and the next one starts soon."""
    faults.injected["crash at an await"] += 1
    await machine.crash()
    await let_pass(0.5)
    await machine.start()


async def _settle(machine: Machine) -> None:
    """Wait until the server has nothing left to do."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    while loop.time() < begin + SETTLED_WITHIN:
        if (application := machine.application) is None:
            await let_pass(1.0)
            continue
        webhooks = application.webhooks
        waits = application.engine.busy or (webhooks and webhooks.calls.offered)
        if not waits and not await _unfinished(machine.store):
            return
        # The longest wait is for the end of a dial that nobody tells of.
        await let_pass(1.0 if loop.time() < begin + 200.0 else 60.0)


async def _unfinished(store: MemoryStore) -> list[str]:
    return [f"{call.id} is {call.state}" for call in store._calls.values() if call.state != "ended"]


async def _look(world: World, machine: Machine) -> None:
    """Note what there is when all is over."""
    world.records = await machine.store.records(1000)
    world.traces = dict(machine.store.traces)
    world.unfinished = await _unfinished(machine.store)
    world.sent_late = machine.problems
    world.programs = {program.revision: program for program in machine.applications[-1].flows.programs.values()}
    for application in machine.applications:
        world.counts.update(application.engine.counts)
    application = machine.applications[-1]
    engine, webhooks = application.engine, application.webhooks
    assert webhooks is not None
    held: dict[str, Sized] = {
        "sessions": engine.sessions,
        "members of the wheel": engine.wheel,
        "documents": webhooks.calls.offered,
        "transfers that nobody asked for": webhooks.calls._unasked,
        "renderings": engine.voice._flight,
        "tasks of the process": engine._tasks,
        "tasks": [task for task in machine.process.tasks if "watch" not in task.get_name()] if machine.process else (),
    }
    world.left += [f"{name}: {len(what)}" for name, what in held.items() if len(what)]


def _told(context: dict[str, Any]) -> str:
    process = PROCESS.get()
    if process is not None and not process.alive:
        return ""
    return f"{context.get('message')} {context.get('exception')!r}"
