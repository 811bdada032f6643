from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP

from provisioner.dhcp.frame import udp_packet

_addresses = st.integers(1, 2**32 - 1).map(IPv4Address)
_ports = st.integers(1, 65535)


@given(st.binary(max_size=600), _addresses, _ports, _addresses, _ports)
def test_a_packet_is_the_one_that_scapy_makes(
    payload: bytes, source: IPv4Address, port: int, target: IPv4Address, their_port: int
) -> None:
    header = IP(src=str(source), dst=str(target), flags="DF", id=0, ttl=64)

    assert udp_packet(payload, (source, port), (target, their_port)) == bytes(
        header / UDP(sport=port, dport=their_port) / payload
    )


def test_a_sum_of_zero_is_not_sent_as_no_checksum() -> None:
    one, other = (IPv4Address("10.0.0.1"), 67), (IPv4Address("10.0.0.2"), 68)
    sums = {UDP(udp_packet(number.to_bytes(2, "big"), one, other)[20:]).chksum for number in range(65536)}

    assert 0 not in sums
    assert 0xFFFF in sums
