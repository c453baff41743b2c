"""What one code of a diagnostic means, and the short flows that show it."""

from __future__ import annotations

import re
from dataclasses import dataclass

SHOWN = 24
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


@dataclass(frozen=True, slots=True)
class Explanation:
    """One code: what is wrong, why that matters, the way out, and a file that has exactly this finding.

    ``file`` names the example (``flowengine.yaml`` holds the server's settings), ``beside`` is a second file to it.
    """

    code: str
    headline: str
    why: str
    remedy: str
    example: str | bytes
    beside: str = ""
    file: str = "flow.yaml"

    def text(self) -> str:
        """Give the explanation as a page for people."""
        parts = [f"{self.code}: {self.headline}", self.why, "For example:", _shown(self.example)]
        if self.beside:
            parts += ["and in a file beside it:", _shown(self.beside)]
        return "\n\n".join([*parts, f"Remedy: {self.remedy}"]) + "\n"


def _shown(example: str | bytes) -> str:
    text = example.decode("utf-8", "backslashreplace") if isinstance(example, bytes) else example
    lines = [f"    {line}" for line in text.split("\n")]
    if len(lines) > SHOWN:
        lines = [*lines[: SHOWN // 2], f"    … ({len(lines) - SHOWN // 2} more lines)"]
    # A character that does not show is written as its number.
    shown = "\n".join(lines).rstrip().replace("\t", "<tab>")
    return _CONTROL.sub(lambda match: f"<U+{ord(match[0]):04X}>", shown)


def flow(rest: str) -> str:
    """Give a flow: its first two lines, and the rest."""
    return f"flow: example\nversion: 1\n{rest}"


def node(*fields: str, above: str = "") -> str:
    """Give a flow with one node of these lines."""
    lines = "".join(f"    {field}\n" for field in fields)
    return flow(f"{above}nodes:\n  main:\n{lines}")
