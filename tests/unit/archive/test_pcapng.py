"""Packet captures, read back by scapy."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from scapy.utils import RawPcapNgReader, RawPcapReader

from provisioner.archive.pcapng import Captured, pcap_packet, pcap_start, pcapng_packet, pcapng_start

PACKETS = st.lists(
    st.builds(
        Captured,
        time=st.integers(0, 2**62),
        device=st.integers(0, 1),
        data=st.binary(max_size=200),
        length=st.integers(200, 65_535),
        comment=st.text(max_size=50),
    ),
    max_size=5,
)


@given(PACKETS)
def test_every_packet_comes_back_with_its_time_device_and_length(packets: list[Captured]) -> None:
    written = pcapng_start(["eth0", "eth1"], "a comment") + b"".join(map(pcapng_packet, packets))

    read = list(RawPcapNgReader(io.BytesIO(written)))

    assert [data for data, _ in read] == [each.data for each in packets]
    assert [((meta.tshigh << 32) + meta.tslow, meta.wirelen) for _, meta in read] == [
        (each.time, each.length) for each in packets
    ]
    assert all(meta.ifname in {b"eth0", b"eth1"} for _, meta in read)


@given(PACKETS)
def test_the_older_format_has_packets_times_and_lengths(packets: list[Captured]) -> None:
    packets = [each for each in packets if each.time < 2**32 * 10**9]
    written = pcap_start() + b"".join(map(pcap_packet, packets))

    read = list(RawPcapReader(io.BytesIO(written)))

    assert [data for data, _ in read] == [each.data for each in packets]
    assert [(meta.sec * 10**9 + meta.usec, meta.wirelen) for _, meta in read] == [
        (each.time, each.length) for each in packets
    ]
