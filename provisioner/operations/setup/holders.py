"""Which programs hold ports that the daemon needs, told before anything is changed, with what to type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from provisioner.errors import ConflictError
from provisioner.model.written import Ports
from provisioner.operations.setup.place import Place

OUR_UNIT = "provisioner.service"
_EVERYWHERE = frozenset({"0.0.0.0", "::", "*"})  # noqa: S104 - compared, not bound
_OWNER = re.compile(r'\("(?P<program>.*?)",pid=(?P<pid>\d+)')
_LOCAL = re.compile(r"(?P<address>.+?)(?:%(?P<device>[^:%]+))?:(?P<port>\d+)")
# What helps where the unit itself is wanted for something else.
_ADVICE: Mapping[str, str] = {
    "systemd-resolved.service": "set DNSStubListenerExtra= to nothing in /etc/systemd/resolved.conf, then "
    "systemctl restart systemd-resolved",
    "systemd-networkd.service": "set DHCPServer=no in the .network file of {device}, then networkctl reload",
    "libvirtd.service": "virsh net-list; virsh net-destroy NAME && virsh net-autostart --disable NAME",
}


@dataclass(frozen=True, slots=True)
class Holder:
    """A socket that waits: `device` is what it is bound to, `unit` the systemd unit of its program; or empty."""

    protocol: str
    address: str
    device: str
    port: int
    program: str = ""
    pid: int = 0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Clash:
    """A port that the daemon needs and another program holds, and what to type."""

    service: str
    holder: Holder
    fix: str

    def __str__(self) -> str:
        """One sentence, and the command."""
        each = self.holder
        named = f"{each.program} (pid {each.pid}{f', {each.unit}' if each.unit else ''})" if each.program else ""
        return f"{each.protocol} port {each.port} ({self.service}) is held by {named or 'a program'}: {self.fix}"


def read_holders(listed: str) -> Iterator[Holder]:
    """Sockets as `ss -H -lnptu` of iproute2 lists them; lines that are none are left out. `unit` stays empty."""
    for line in listed.splitlines():
        words = line.split(maxsplit=6)
        local = _LOCAL.fullmatch(words[4]) if len(words) >= 6 and words[0] in ("udp", "tcp") else None
        if local is None:
            continue
        owner = _OWNER.search(words[6]) if len(words) > 6 else None
        address = local["address"].strip("[]")
        program, pid = (owner["program"], int(owner["pid"])) if owner else ("", 0)
        yield Holder(words[0], address, local["device"] or "", int(local["port"]), program, pid)


def clashes(holders: Iterable[Holder], place: Place, ports: Ports) -> tuple[Clash, ...]:
    """What is in the way at a place; a program on another address or device takes nothing from us."""
    wanted = {("udp", ports.dhcp): "DHCP", ("udp", ports.tftp): "TFTP", ("tcp", ports.http): "HTTP"}
    wanted |= {("udp", ports.dns): "DNS", ("tcp", ports.dns): "DNS", ("tcp", ports.https): "HTTPS"}
    wanted |= {("tcp", ports.nbd): "NBD"}
    found = {
        (each.protocol, each.port, each.pid): Clash(wanted[each.protocol, each.port], each, _fix(each))
        for each in holders
        if each.port and (each.protocol, each.port) in wanted and _in_the_way(each, place)
    }
    return tuple(found[key] for key in sorted(found))


def demand_free(found: Iterable[Clash]) -> None:
    """Raise ConflictError that names every clash; nothing happens where there is none."""
    told = [str(each) for each in found]
    if told:
        hint = "nothing was changed; free the ports, or move ours with `ports:` in provisioner.yaml"
        raise ConflictError("\n".join(told), hint=hint)


def _in_the_way(holder: Holder, place: Place) -> bool:
    if holder.unit == OUR_UNIT or holder.device not in ("", place.device):
        return False
    return holder.address in _EVERYWHERE or holder.address == str(place.address)


def _fix(holder: Holder) -> str:
    if holder.unit in _ADVICE:
        return _ADVICE[holder.unit].format(device=holder.device or "the device")
    if holder.unit:
        return f"systemctl disable --now {holder.unit}"
    return f"kill {holder.pid}" if holder.pid else f"ss -lnp 'sport = :{holder.port}'"
