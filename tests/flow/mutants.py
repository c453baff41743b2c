"""Texts that nobody meant: bytes, YAML of any shape, and flows with slips, drawn by a seeded source of randomness."""

from __future__ import annotations

import random
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PIECES = (
    *("{", "}", "[", "]", ": ", ",", "#", " #", "*", "&a", "<<: ", "!x ", "|", ">", "'", '"', "- ", "? ", "\t", "  "),
    *(
        "{{ ",
        " }}",
        "{% if ",
        "%}",
        "~",
        "null",
        "true",
        "no",
        "0x1F",
        "1e9",
        "..",
        "\r\n",
        "\u2028",
        "\ufeff",
        "é",
        "漢",
    ),
    *("goto: ", "if: ", "say: ", "menu: ", "collect: ", "chat: ", "tool: ", "wait: ", "again", "back", "end", "else"),
    *(
        "t: ",
        "en: ",
        "set: ",
        "catch: ",
        "include: [x.yaml]",
        "| money",
        "is open",
        "(",
        ")",
        "**",
        "9" * 40,
        "a" * 300,
    ),
)
WORDS = (
    *("flow", "version", "nodes", "vars", "texts", "hours", "tools", "defaults", "always", "catch", "include", "start"),
    *("say", "goto", "menu", "collect", "chat", "tool", "subflow", "return", "transfer", "record", "wait", "press"),
    *("key", "hear", "if", "set", "add", "name", "into", "type", "prompt", "exits", "when", "fill", "else", "hangup"),
)


def sources() -> list[str]:
    """Give the flows to begin with: the shipped ones, the whole language, and every golden mistake."""
    folders = (ROOT / "flows", HERE / "flows", HERE / "valid", HERE / "errors")
    paths = sorted(path for folder in folders for path in folder.glob("*.yaml") if ".test." not in path.name)
    return [path.read_bytes().decode("utf-8", "replace") for path in paths if path.stat().st_size < 20_000]


def mutant(rng: random.Random, texts: list[str]) -> str:
    """Give one of the texts with a few slips in it."""
    text = rng.choice(texts)
    for _ in range(rng.randint(1, 6)):
        text = _slip(rng, text, rng.choice(texts))
    return text


def _slip(rng: random.Random, text: str, other: str) -> str:
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    kind = rng.randrange(9)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, rng.choice(lines))
    elif kind == 2:
        lines[at] = " " * rng.randrange(12) + lines[at].lstrip()
    elif kind == 3:
        begin = rng.randrange(len(lines))
        lines[at:at] = lines[begin : begin + rng.randint(1, 8)]
    elif kind == 4:
        lines[at] = rng.choice(other.split("\n"))
    else:
        column = rng.randrange(len(lines[at]) + 1)
        end = column + rng.choice((0, 0, 1, 2, 5))
        lines[at] = lines[at][:column] + ("" if kind == 5 else rng.choice(PIECES)) + lines[at][end:]
    return "\n".join(lines)


def shapeless(rng: random.Random, depth: int = 0) -> str:
    """Give YAML of any shape in flow style, with the words of the language in it."""
    kind = rng.randrange(5 if depth < 6 else 2)
    if kind == 0:
        return rng.choice((*WORDS, "1", "12.5", "true", "null", "''", '"{{ x }}"', "5s", "x y", '"*"', "2026-01-05"))
    if kind == 1:
        return rng.choice(PIECES).replace("\n", " ")
    if kind == 2:
        return "[" + ", ".join(shapeless(rng, depth + 1) for _ in range(rng.randrange(4))) + "]"
    return "{" + ", ".join(f"{rng.choice(WORDS)}: {shapeless(rng, depth + 1)}" for _ in range(rng.randrange(5))) + "}"


def document(rng: random.Random) -> str:
    """Give a document of any shape."""
    lines = [f"{rng.choice(WORDS)}: {shapeless(rng)}" for _ in range(rng.randint(1, 7))]
    return "flow: x\nversion: 1\n" + "\n".join(lines) + "\n"


def noise(rng: random.Random) -> bytes:
    """Give bytes that mean nothing."""
    return bytes(rng.choices((*range(32, 127), 10, 9, 13, 0, 0xC3, 0xA9, 0xEF, 0xBB, 0xBF, 0xFF), k=rng.randrange(200)))
