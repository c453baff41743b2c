"""Which hosts and addresses HTTP tools may reach."""

from __future__ import annotations

import ipaddress

import pytest

from flowengine.errors import EnvironmentProblem
from flowengine.tools.hosts import Hosts, public


@pytest.mark.parametrize(
    ("entries", "host", "port", "allowed"),
    [
        ([], "api.example.com", 443, False),
        (["api.example.com"], "api.example.com", 443, True),
        (["api.example.com"], "api.example.com", 8443, True),
        (["API.Example.com"], "api.example.COM.", 443, True),
        (["api.example.com:8443"], "api.example.com", 8443, True),
        (["api.example.com:8443"], "api.example.com", 443, False),
        (["api.example.com"], "evil.api.example.com", 443, False),
        (["api.example.com"], "api.example.com.evil.org", 443, False),
        (["api.example.com"], "xapi.example.com", 443, False),
        (["api.example.com"], "93.184.216.34", 443, False),
        (["93.184.216.34"], "93.184.216.34", 443, True),
        (["10.0.0.0/8"], "10.1.2.3", 80, True),
        (["10.0.0.0/8"], "11.1.2.3", 80, False),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", 80, True),
        (["127.0.0.1:8000"], "127.0.0.1", 8000, True),
        (["127.0.0.1:8000"], "127.0.0.1", 8001, False),
        (["[::1]:8000"], "::1", 8000, True),
        (["[::1]:8000"], "::1", 80, False),
        (["::1"], "::1", 80, True),
        (["fd00::/8"], "fd12::1", 80, True),
        (["localhost"], "localhost", 80, True),
        (["localhost"], "127.0.0.1", 80, False),
        # Other ways to write 127.0.0.1: they are names here, and no entry is such a name.
        (["127.0.0.1"], "2130706433", 80, False),
        (["127.0.0.1"], "0x7f.1", 80, False),
        (["127.0.0.1"], "127.1", 80, False),
    ],
)
def test_a_request_goes_to_named_hosts_alone(entries: list[str], host: str, port: int, allowed: bool) -> None:
    assert Hosts(entries).allows(host, port) is allowed


PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104  # an address to refuse, not one to listen on
    "255.255.255.255",
    "224.0.0.1",
    "240.0.0.1",
    "192.0.2.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:a00:1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_no_name_leads_to_a_private_address(address: str) -> None:
    assert not public(ipaddress.ip_address(address))
    assert not Hosts(["api.example.com"]).connects("api.example.com", address, 443)
    assert Hosts(["api.example.com", address]).connects("api.example.com", address, 443)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_a_name_leads_to_public_addresses(address: str) -> None:
    assert Hosts(["api.example.com"]).connects("api.example.com", address, 443)


def test_localhost_is_this_machine_and_nothing_else() -> None:
    hosts = Hosts(["localhost", "api.example.com"])
    assert hosts.connects("localhost", "127.0.0.1", 80)
    assert hosts.connects("localhost", "::1", 80)
    assert not hosts.connects("localhost", "10.0.0.1", 80)
    assert not hosts.connects("localhost", "93.184.216.34", 80)
    assert not hosts.connects("api.example.com", "127.0.0.1", 80)


def test_the_port_of_an_address_counts_when_a_name_leads_to_it() -> None:
    hosts = Hosts(["crm.internal", "10.1.2.3:8443"])
    assert hosts.connects("crm.internal", "10.1.2.3", 8443)
    assert not hosts.connects("crm.internal", "10.1.2.3", 443)


@pytest.mark.parametrize("entry", ["10.0.0.300/8", "a:0", "a:65536", "a:b", "", ".", "[::1", "10.0.0.1/8"])
def test_what_is_no_host_is_told(entry: str) -> None:
    with pytest.raises(EnvironmentProblem, match=r"tools\.hosts"):
        Hosts([entry])
