"""Who may come in: signatures by policy, and which flow a call gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowengine.server.addresses import PublicAddresses
from flowengine.settings import Settings
from flowengine.telephony.dialect import Dialect, SignedRequest, Verdict

EMBEDDED_DEFAULT = "front-desk"


class Doors:
    """Checks requests against the settings."""

    def __init__(self, settings: Settings, dialects: Mapping[str, Dialect], flows: Sequence[str]) -> None:
        self.settings = settings
        self.dialects = dialects
        self.addresses = PublicAddresses(settings.public_url)
        self._flows = flows

    def webhook(
        self,
        dialect: Dialect,
        method: str,
        target: tuple[str, str],
        headers: Mapping[str, str],
        fields: Sequence[tuple[str, str]],
        body: bytes,
    ) -> bool:
        """Say whether a request is the carrier's; ``target`` is its path and query."""
        url = self.addresses.request(*target)
        return self._passes(dialect, SignedRequest(method, url, headers, fields, body))

    def upgrade(self, dialect: Dialect, path: str, query: str, headers: Mapping[str, str]) -> Verdict:
        """Say what the signature of a WebSocket upgrade says; ``MISSING`` where signatures are off."""
        carrier = self.settings.carrier(dialect.name)
        if carrier.signatures == "off" or not carrier.token:
            return Verdict.MISSING
        request = SignedRequest("GET", self.addresses.upgrade(path, query), headers, ())
        return dialect.verify(request, carrier.token)

    def upgrade_required(self, dialect: Dialect) -> bool:
        """Say whether an unsigned upgrade with a token is refused."""
        signed = dialect.capabilities.upgrade_signed
        return signed and self.settings.carrier(dialect.name).signatures == "required"

    def _passes(self, dialect: Dialect, request: SignedRequest) -> bool:
        carrier = self.settings.carrier(dialect.name)
        if carrier.signatures == "off":
            return True
        verdict = dialect.verify(request, carrier.token) if carrier.token else Verdict.MISSING
        return verdict is Verdict.VALID or (verdict is Verdict.MISSING and carrier.signatures == "if-present")

    def flow_for(self, called: str, named: str) -> str:
        """Choose the flow: named in the address, by the called number, or the default."""
        if named:
            return named
        for route in self.settings.flows.routes:
            if route.to == called:
                return route.flow
        return self.default_flow()

    def default_flow(self) -> str:
        """Give the default flow: as set, the only one there is, or `front-desk`; empty where none is."""
        if self.settings.flows.default:
            return self.settings.flows.default
        if len(self._flows) == 1:
            return self._flows[0]
        return EMBEDDED_DEFAULT if EMBEDDED_DEFAULT in self._flows else ""
