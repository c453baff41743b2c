"""Which hosts HTTP tools may reach: those that the settings name, and never a private address that they do not name.

A host that may be reached by its name may still resolve to an address of our own network, today or a minute later: so
the name is judged before the request, and each address in the very moment in which it is connected to.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from flowengine.errors import EnvironmentProblem

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# IPv6 addresses with an IPv4 address in their last 32 bits, which a translator puts in their place (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCALHOST = "localhost"


class Hosts:
    """The hosts of `tools.hosts`: names, addresses, networks; a name or an address may have the one port that counts.

    A name allows the public addresses that it resolves to. An address or network that is written allows itself, private
    or not, by number and to every name that is allowed. `localhost` is this machine by definition (RFC 6761): it allows
    its loopback.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        """Read the entries; raises ``EnvironmentProblem`` for one that is no host."""
        self._names: set[tuple[str, int | None]] = set()
        self._networks: list[tuple[Network, int | None]] = []
        for entry in entries:
            host, port = _split(entry)
            try:
                self._networks.append((ipaddress.ip_network(host), port))
            except ValueError:
                if "/" in host or ":" in host or not host.strip("."):
                    raise EnvironmentProblem(f"tools.hosts: {entry} is neither a host nor a network") from None
                self._names.add((_plain(host), port))

    def allows(self, host: str, port: int) -> bool:
        """Say whether a request to this host may be made at all."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return not self._names.isdisjoint({(_plain(host), None), (_plain(host), port)})
        return self._named(address, port)

    def connects(self, host: str, address: str, port: int) -> bool:
        """Say whether a host that is allowed may be reached at this address."""
        number = ipaddress.ip_address(address)
        if self._named(number, port):
            return True
        if _plain(host) == _LOCALHOST:
            return _inner(number).is_loopback
        return public(number)

    def _named(self, address: Address, port: int) -> bool:
        return any(
            one.version == network.version and one in network and only in (None, port)
            for network, only in self._networks
            for one in {address, _inner(address)}
        )


def public(address: Address) -> bool:
    """Say whether an address is one of the internet, also where an IPv6 address stands for one of IPv4."""
    inner = _inner(address)
    return inner.is_global and not inner.is_multicast and not inner.is_unspecified and not inner.is_reserved


def _inner(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 address carries (mapped, 6to4, Teredo's client, NAT64), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


def _split(entry: str) -> tuple[str, int | None]:
    """Part `host:port` and `[address]:port`; a bare IPv6 address has no port."""
    host, port = entry, ""
    if entry.startswith("["):
        host, end, port = entry[1:].partition("]")
        if not end or (port and not port.startswith(":")):
            raise EnvironmentProblem(f"tools.hosts: {entry} is neither a host nor a network")
        port = port.removeprefix(":")
    elif entry.count(":") == 1:
        host, _, port = entry.partition(":")
    if not port:
        return host, None
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise EnvironmentProblem(f"tools.hosts: {entry} has no port from 1 to 65535")
    return host, int(port)


def _plain(host: str) -> str:
    return host.lower().removesuffix(".")
