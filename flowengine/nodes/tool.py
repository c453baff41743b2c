"""`tool`: run one tool without a model."""

from __future__ import annotations

from flowengine.flow.kinds import Reading, Schema
from flowengine.flow.model import ToolRun
from flowengine.flow.source import Value
from flowengine.flow.tooling import ToolRunKind
from flowengine.runtime.node import AsksNothing, Context, NodeEvent, PromptOver, TimerDue, ToolDone

OUTCOMES = {"done": "The tool has answered."}


class ToolNode(AsksNothing):
    """Runs a tool; its answer is `result` until the next one."""

    key = "tool"
    about = "Runs one tool; its answer is `result`."
    example = """\
lookup:
  tool: get_balance
  catch:
    error.http.404: {say: I can not find that account., goto: ask}
  set: {balance: "{{ result.balance }}"}
  goto: bye
"""
    timed = True
    pauses = False
    events = ("error.tool",)
    known_outcomes = OUTCOMES
    fields = ToolRunKind.mapping.fields

    def schema(self) -> Schema:
        """Give the schema: a tool's name, or a mapping."""
        return ToolRunKind().schema()

    def read(self, value: Value | None, reading: Reading) -> ToolRun | None:
        """Read which tool runs, and with what."""
        return ToolRunKind().read(value, reading) if value is not None else None

    def outcomes(self, spec: ToolRun | None) -> tuple[str, ...]:
        """Give the one outcome."""
        return ("done",)

    def enter(self, ctx: Context) -> None:
        """Speak while the tool runs: what takes long is hidden behind words."""
        spec: ToolRun = ctx.node.spec
        ctx.run_tool(spec)
        filler = spec.filler or ctx.flow.tools[spec.name].filler
        if filler:
            ctx.start_timer("filler", filler.after)
        ctx.speak(cuttable=False)

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """Go on when both the words and the tool are done."""
        local = ctx.local
        if isinstance(event, ToolDone):
            ctx.stop_timer("filler")
            local["answered"] = True
        elif isinstance(event, PromptOver):
            local["heard"] = True
        elif isinstance(event, TimerDue) and local.get("heard"):
            spec: ToolRun = ctx.node.spec
            filler = spec.filler or ctx.flow.tools[spec.name].filler
            ctx.say(filler.say if filler else None)
        if local.get("answered") and local.get("heard"):
            ctx.done("done")

    def shows(self, spec: ToolRun | None) -> str:
        """Show the tool."""
        return spec.name if spec else ""


NODE = ToolNode()
