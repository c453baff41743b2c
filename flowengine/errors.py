"""The exception tree. Three kinds that are never mixed: the author's mistake, the other side's mistake, our bug."""

from __future__ import annotations


class FlowengineError(Exception):
    """Everything that flowengine raises on purpose."""


class AuthorError(FlowengineError):
    """The author of a flow or of the settings made a mistake. Diagnostics say where; this ends the command."""


class RemoteError(FlowengineError):
    """The other side (carrier, vendor, caller's line) broke its contract. It is counted and survived."""


class ProtocolError(RemoteError):
    """A carrier sent something that its dialect does not allow."""


class ProviderError(RemoteError):
    """A speech or language vendor failed.

    ``kind`` is one of ``timeout``, ``unavailable``, ``rejected``, ``quota``, ``garbage``; ``retryable`` says whether
    the same request may succeed when it is sent again; ``lasting``, that no request can for a while: the key is wrong,
    or the account is empty.
    """

    def __init__(self, provider: str, kind: str, *, retryable: bool, detail: str = "", lasting: bool = False) -> None:
        super().__init__(f"{provider}: {kind}" + (f" ({detail})" if detail else ""))
        self.provider = provider
        self.kind = kind
        self.retryable = retryable
        self.lasting = lasting


class ToolError(RemoteError):
    """A tool failed.

    ``error`` is what the flow learns: ``timeout``, ``http.404`` and the like, or ``error``. ``detail`` is for the log:
    it never holds what was sent or answered.
    """

    def __init__(self, error: str, detail: str = "") -> None:
        super().__init__(error + (f" ({detail})" if detail else ""))
        self.error = error


class EnvironmentProblem(FlowengineError):
    """The machine or the settings do not allow to start: a missing secret, a taken port. Commands exit with 3."""


class Bug(FlowengineError):
    """An invariant of ours does not hold."""
