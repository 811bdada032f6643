"""Listening to the frames of some machines on network devices: packet sockets with a filter in the kernel."""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from types import TracebackType
from typing import Self

from provisioner.errors import UnavailableError

# asm-generic/socket.h, linux/if_packet.h and linux/bpf_common.h; Python's socket module does not name them.
_ATTACH_FILTER, _TIMESTAMPS = 26, 35
_ALL_PROTOCOLS, _OUTGOING, _PACKET_LEVEL, _STATISTICS = 0x0003, 4, 263, 6
_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE = 0x20, 0x28, 0x30
_LOAD_WORD_AT_X, _LOAD_HALF_AT_X, _HEADER_TO_X = 0x40, 0x48, 0xB1
_JUMP_IF_EQUAL, _RETURN = 0x15, 0x06

_IPV4, _UDP = 0x0800, 17
_ETHERNET_HEADER = 14
# Behind the IP header: 8 octets of UDP, then the message, whose octet 28 begins the hardware address.
_CHADDR = _ETHERNET_HEADER + 8 + 28
_WHOLE = 0x40000
_BUFFER = 8 << 20
_LARGEST = 70_000
_BILLION = 1_000_000_000

Instruction = tuple[int, int, int, int]
_Test = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Heard:
    """One frame: nanoseconds since 1970, the device, whether this machine sent it, and its octets."""

    time: int
    device: str
    outgoing: bool
    data: bytes


def program(macs: Iterable[bytes], addresses: Iterable[IPv4Address]) -> list[Instruction]:
    """A filter (classic BPF): frames from and to these hardware and IPv4 addresses, and DHCP messages about them.

    The latter are told by the hardware address inside, so those to everybody and those of relays count too.
    """
    chains: list[list[_Test | int]] = []
    macs = list(macs)
    for mac in macs:
        first, second = struct.unpack("!IH", mac)
        chains.append([(_LOAD_WORD, 0, first), (_LOAD_HALF, 4, second)])
        first, second = struct.unpack("!HI", mac)
        chains.append([(_LOAD_HALF, 6, first), (_LOAD_WORD, 8, second)])
    for address in map(int, addresses):
        chains += ([(_LOAD_HALF, 12, _IPV4), (_LOAD_WORD, place, address)] for place in (26, 30))
    for mac in macs:
        first, second = struct.unpack("!IH", mac)
        datagram: list[_Test | int] = [(_LOAD_HALF, 12, _IPV4), (_LOAD_BYTE, 23, _UDP), _HEADER_TO_X]
        chains.append([*datagram, (_LOAD_WORD_AT_X, _CHADDR, first), (_LOAD_HALF_AT_X, _CHADDR + 4, second)])
    return [*(each for chain in chains for each in _compiled(chain)), (_RETURN, 0, 0, 0)]


def _compiled(chain: Sequence[_Test | int]) -> Iterator[Instruction]:
    """A chain of tests that all have to hold for a frame to be taken; else what follows is tried."""
    left = sum(1 if isinstance(each, int) else 2 for each in chain) + 1
    for each in chain:
        if isinstance(each, int):
            left -= 1
            yield (each, 0, 0, _ETHERNET_HEADER)
            continue
        load, place, wanted = each
        left -= 2
        yield (load, 0, 0, place)
        yield (_JUMP_IF_EQUAL, 0, left, wanted)
    yield (_RETURN, 0, 0, _WHOLE)


class Sniffer:
    """Frames of some machines on some devices. Needs the right to open packet sockets (CAP_NET_RAW).

    Raises UnavailableError where that is missing, or a device.
    """

    def __init__(self, devices: Sequence[str], wanted: Sequence[Instruction]) -> None:
        self._opened: dict[int, tuple[str, socket.socket]] = {}
        for device in devices:
            opened = _opened(device, wanted)
            self._opened[opened.fileno()] = (device, opened)

    def __enter__(self) -> Self:
        """Nothing more."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        for _, opened in self._opened.values():
            opened.close()

    def frames(self, deadline: float) -> Iterator[Heard | None]:
        """Frames as they come, until a moment of the monotonic clock; None whenever a quarter second passed."""
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select(list(self._opened), [], [], min(left, 0.25))
            if not ready:
                yield None
            for handle in ready:
                yield _received(*self._opened[handle])

    def dropped(self) -> int:
        """How many frames came faster than they were taken, since the last call."""
        return sum(
            struct.unpack("II", opened.getsockopt(_PACKET_LEVEL, _STATISTICS, 8))[1]
            for _, opened in self._opened.values()
        )


def _opened(device: str, wanted: Sequence[Instruction]) -> socket.socket:
    opened: socket.socket | None = None
    try:
        # Of no protocol until the filter is there: nothing else may be queued meanwhile.
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        code = b"".join(struct.pack("HBBI", *each) for each in wanted)
        held = ctypes.create_string_buffer(code, len(code))
        opened.setsockopt(
            socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", len(wanted), ctypes.addressof(held))
        )
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        opened.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        opened.bind((device, _ALL_PROTOCOLS))
    except OSError as error:
        if opened is not None:
            opened.close()
        hint = "run prov as root" if isinstance(error, PermissionError) else "ip link; --device NAME"
        raise UnavailableError(f"cannot listen on {device}: {error.strerror}", hint=hint) from None
    return opened


def _received(device: str, opened: socket.socket) -> Heard | None:
    try:
        data, extra, _, source = opened.recvmsg(_LARGEST, 64)
    except OSError:
        # The device went down; it may come back.
        return None
    moment = next(
        (value for level, kind, value in extra if (level, kind) == (socket.SOL_SOCKET, _TIMESTAMPS)), None
    )
    seconds, rest = struct.unpack("qq", moment) if moment else divmod(time.time_ns(), _BILLION)
    outgoing = source[2] == _OUTGOING
    # The loopback device shows everything twice.
    return None if outgoing and device == "lo" else Heard(seconds * _BILLION + rest, device, outgoing, data)
