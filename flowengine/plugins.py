"""Finds node types, dialects, providers and tools by module name and by entry point. The only user of importlib.

The built-in ones come through the same door as a stranger's: the name in YAML or in an address is the name of the
module (``-`` becomes ``_``, a Python keyword gets a trailing underscore), a third party's is an entry point of the
groups ``flowengine.nodes``, ``flowengine.dialects`` and ``flowengine.providers``.
"""

from __future__ import annotations

import importlib
import keyword
import os
import pkgutil
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import flowengine.nodes
from flowengine.errors import EnvironmentProblem

if TYPE_CHECKING:
    from flowengine.flow.model import NodeType
    from flowengine.telephony.dialect import Dialect


@lru_cache(maxsize=1)
def node_types() -> dict[str, NodeType]:
    """Give every node type by its key in YAML; the step's is empty."""
    found = {node.key: node for node in (cast("NodeType", m.NODE) for m in _modules(flowengine.nodes))}
    for point in entry_points(group="flowengine.nodes"):
        node: NodeType = point.load()
        found.setdefault(node.key, node)
    return found


@lru_cache(maxsize=1)
def dialects() -> dict[str, Dialect]:
    """Give every carrier's dialect by its name."""
    # Imported here: `check` knows no carrier and starts a tenth of a second sooner without them.
    package = importlib.import_module("flowengine.telephony.dialects")
    found: dict[str, Dialect] = {dialect.name: dialect for dialect in (m.DIALECT for m in _modules(package))}
    for point in entry_points(group="flowengine.dialects"):
        dialect: Dialect = point.load()
        found.setdefault(dialect.name, dialect)
    return found


def provider(name: str) -> ModuleType:
    """Import one provider; its SDK comes with it. Raises ``EnvironmentProblem`` for a name that nobody provides."""
    for point in entry_points(group="flowengine.providers", name=name):
        return cast(ModuleType, point.load())
    module = name.replace("-", "_") + ("_" if keyword.iskeyword(name) else "")
    try:
        return importlib.import_module(f"flowengine.providers.{module}")
    except ModuleNotFoundError as error:
        if error.name and not error.name.startswith("flowengine.providers"):
            raise EnvironmentProblem(f"the provider {name} needs the package {error.name}") from None
        raise EnvironmentProblem(f'there is no provider "{name}"') from None


def function(target: str) -> Callable[..., Any]:
    """Import a tool's function, `module:function`; raises ``EnvironmentProblem`` where there is none.

    A module may stand in the folder in which the server was started; what is installed is found before it.
    """
    module, _, name = target.partition(":")
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # a module of the author's may raise anything while it is imported
        raise EnvironmentProblem(f"the module {module} can not be imported: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise EnvironmentProblem(f"there is no function {name} in the module {module}")
    return cast("Callable[..., Any]", found)


def _modules(package: ModuleType) -> list[ModuleType]:
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names]
