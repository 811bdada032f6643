"""Programs that hold ports of ours."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import ConflictError
from provisioner.model.written import Ports
from provisioner.operations.setup.holders import Holder, clashes, demand_free, read_holders
from provisioner.operations.setup.place import Place

PLACE = Place("eth1", IPv4Address("10.0.0.1"), IPv4Network("10.0.0.0/16"))
# As iproute2 6.1 prints it.
LISTED = """\
udp UNCONN 0      0      127.0.0.53%lo:53    0.0.0.0:*    users:(("systemd-resolve",pid=400,fd=13))
udp UNCONN 0      0      0.0.0.0%virbr0:67   0.0.0.0:*    users:(("dnsmasq",pid=500,fd=3))
udp UNCONN 0      0            0.0.0.0:69    0.0.0.0:*    users:(("in.tftpd",pid=600,fd=4),("in.tftpd",pid=1,fd=4))
tcp LISTEN 0      4096            [::]:8080     [::]:*    users:(("java",pid=700,fd=9))
tcp LISTEN 0      128          0.0.0.0:22    0.0.0.0:*
tcp LISTEN 0      128                *:9100        *:*    users:(("node exporter",pid=800,fd=3))
"""


def test_sockets_are_read_with_their_device_and_program() -> None:
    assert list(read_holders(LISTED)) == [
        Holder("udp", "127.0.0.53", "lo", 53, "systemd-resolve", 400),
        Holder("udp", "0.0.0.0", "virbr0", 67, "dnsmasq", 500),
        Holder("udp", "0.0.0.0", "", 69, "in.tftpd", 600),
        Holder("tcp", "::", "", 8080, "java", 700),
        Holder("tcp", "0.0.0.0", "", 22),
        Holder("tcp", "*", "", 9100, "node exporter", 800),
    ]


@given(st.text())
def test_whatever_is_listed_is_read_without_an_error(listed: str) -> None:
    assert all(each.port >= 0 for each in read_holders(listed))


def test_only_what_stands_in_our_way_is_a_clash() -> None:
    found = clashes(read_holders(LISTED), PLACE, Ports())

    assert [(each.service, each.holder.program) for each in found] == [("HTTP", "java"), ("TFTP", "in.tftpd")]


@pytest.mark.parametrize(
    ("address", "device", "is_clash"),
    [
        ("0.0.0.0", "", True),
        ("0.0.0.0", "eth1", True),
        ("0.0.0.0", "eth0", False),
        ("10.0.0.1", "", True),
        ("10.0.0.2", "", False),
        ("127.0.0.1", "", False),
    ],
)
def test_a_socket_elsewhere_takes_nothing(address: str, device: str, is_clash: bool) -> None:
    assert bool(clashes([Holder("udp", address, device, 67, "dhcpd", 5)], PLACE, Ports())) is is_clash


def test_our_own_daemon_is_not_in_the_way() -> None:
    own = Holder("udp", "0.0.0.0", "eth1", 67, "prov", 5, "provisioner.service")

    assert not clashes([own], PLACE, Ports())


def test_a_service_that_is_switched_off_needs_no_port() -> None:
    resolver = Holder("udp", "0.0.0.0", "", 53, "named", 5, "named.service")

    assert clashes([resolver], PLACE, Ports())
    assert not clashes([resolver], PLACE, Ports(dns=0))


@pytest.mark.parametrize(
    ("holder", "fix"),
    [
        (
            Holder("udp", "0.0.0.0", "", 67, "dnsmasq", 5, "dnsmasq.service"),
            "systemctl disable --now dnsmasq.service",
        ),
        (Holder("udp", "0.0.0.0", "", 69, "systemd", 1, "tftp.socket"), "systemctl disable --now tftp.socket"),
        (Holder("udp", "0.0.0.0", "", 67, "systemd-network", 5, "systemd-networkd.service"), "DHCPServer=no"),
        (Holder("udp", "0.0.0.0", "", 67, "dnsmasq", 5, "libvirtd.service"), "virsh net-destroy NAME"),
        (Holder("udp", "10.0.0.1", "", 53, "systemd-resolve", 5, "systemd-resolved.service"), "resolved.conf"),
        (Holder("udp", "0.0.0.0", "", 69, "tftpd", 77), "kill 77"),
        (Holder("udp", "0.0.0.0", "", 69), "ss -lnp 'sport = :69'"),
    ],
)
def test_every_clash_says_what_to_type(holder: Holder, fix: str) -> None:
    (clash,) = clashes([holder], PLACE, Ports())

    assert fix in str(clash)


def test_all_clashes_are_told_at_once() -> None:
    with pytest.raises(ConflictError) as told:
        demand_free(clashes(read_holders(LISTED), PLACE, Ports()))

    assert "udp port 69 (TFTP) is held by in.tftpd (pid 600): kill 600" in told.value.message
    assert "java" in told.value.message
    assert "nothing was changed" in str(told.value.hint)
