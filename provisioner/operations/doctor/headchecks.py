"""Checks of the head node itself: the daemon, ports, addresses, disks, limits of the kernel, rights, clock."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from provisioner.config.paths import Paths
from provisioner.model.written import DhcpMode, Network
from provisioner.operations.doctor.evidence import Evidence
from provisioner.operations.doctor.finding import Finding, Severity, Witness, of_head
from provisioner.operations.doctor.hostfacts import Listener, day

_FAULT, _WARNING, _NOTE = Severity
_LITTLE, _VERY_LITTLE = 1 << 30, 64 << 20
_FEW_INODES = 1000
_MONTH = 30 * 86400
_SPARE = 1.25
_STRICT = 1
_AHEAD = 60.0
_DROPS = re.compile(
    r"hook input\b[^}]*?(policy drop|\breject\b|\bdrop\b)|^:INPUT (DROP|REJECT)\b", re.DOTALL | re.MULTILINE
)


def daemon(evidence: Evidence) -> Iterator[Finding]:
    """Whether the daemon runs and answers."""
    if evidence.daemon_fault:
        message = f"the daemon does not answer: {evidence.daemon_fault}"
        yield of_head(
            "daemon-silent", _FAULT, message, "systemctl restart provisioner", "journalctl -u provisioner"
        )
    elif evidence.daemon is None:
        message = "the daemon does not run: nothing answers DHCP, TFTP, HTTP and DNS"
        yield of_head("daemon-down", _FAULT, message, *_start(evidence))


def network(evidence: Evidence) -> Iterator[Finding]:
    """What the network of this machine lacks. That of a lab is another one, and is not seen from here."""
    if evidence.elsewhere:
        message = "the daemon runs in another network namespace: its addresses and ports are not seen from here"
        there = f"nsenter --net --target $(lsns --noheadings --output PID {evidence.elsewhere} | head -n 1)"
        yield of_head("other-namespace", _NOTE, message, f"{there} {_prov(evidence)} doctor")
        return
    for check in (addresses, ports, firewall, neighbours, route_filter):
        yield from check(evidence)


def addresses(evidence: Evidence) -> Iterator[Finding]:
    """Whether this machine has the head's address in each network, on a device that works."""
    for name, network in _served(evidence):
        head = network.own_head(evidence.host.addresses)
        device = evidence.host.addresses[head] if head else None
        if device is None:
            heads = " or ".join(map(str, network.heads))
            message = f"no network device has {heads}, the head node's address in the network {name}"
            fix = f"ip address add {network.head}/{network.cidr.prefixlen} dev DEVICE"
            yield of_head("address-missing", _FAULT, message, fix)
            continue
        facts = evidence.host.devices.get(device)
        if facts and not facts.up:
            message = f"{device}, which has {head}, is down or has no cable"
            yield of_head("link-down", _FAULT, message, f"ip link set {device} up", f"ip -s link show {device}")
        if facts and network.mtu and facts.mtu != network.mtu:
            message = f"the network {name} has an MTU of {network.mtu}, and {device} of {facts.mtu} bytes"
            fix = f"ip link set {device} mtu {network.mtu}"
            yield of_head("mtu-differs", _FAULT if facts.mtu < network.mtu else _WARNING, message, fix)


def ports(evidence: Evidence) -> Iterator[Finding]:
    """Whether our ports are ours: nobody else has them, and the daemon does."""
    if evidence.host.listeners is None:
        return
    for service, protocol, port in _wanted_ports(evidence):
        there = [each for each in evidence.host.listeners if (each.protocol, each.port) == (protocol, port)]
        there = [each for each in there if _in_the_way(evidence, each)]
        others = sorted({each.program or "another program" for each in there if not _ours(evidence, each)})
        if others:
            message = f"{' and '.join(others)} listens on {protocol} port {port}, which is for {service}"
            unit = others[0] if others[0] != "another program" else "PROGRAM"
            fixes = (f"ss -lnp 'sport = :{port}'", f"systemctl disable --now {unit}")
            yield of_head("port-taken", _FAULT, message, *fixes)
        elif evidence.daemon and not there:
            message = f"the daemon runs, but nothing listens on {protocol} port {port} ({service})"
            yield of_head("port-unserved", _FAULT, message, "systemctl restart provisioner")


def firewall(evidence: Evidence) -> Iterator[Finding]:
    """Whether the packet filter drops what comes in and names none of our ports."""
    rules = evidence.host.ruleset
    if not _DROPS.search(rules):
        return
    shut = [
        (service, protocol, port) for service, protocol, port in _wanted_ports(evidence) if not _named(rules, port)
    ]
    if shut:
        named = ", ".join(f"{service} ({protocol} {port})" for service, protocol, port in shut)
        opened = " ".join(f"--add-port={port}/{protocol}" for _, protocol, port in shut)
        message = f"the packet filter drops what comes in, and no rule of it names {named}"
        yield of_head(
            "firewall-drops", _WARNING, message, f"firewall-cmd --permanent {opened}", "firewall-cmd --reload"
        )


def disks(evidence: Evidence) -> Iterator[Finding]:
    """Whether there is room for events, snapshots and images."""
    for disk in evidence.host.disks:
        severity = _FAULT if disk.free < _VERY_LITTLE else _WARNING
        if disk.free < min(_LITTLE, disk.size // 20) or disk.free < _VERY_LITTLE:
            message = f"{disk.path} has {disk.free >> 20} MiB left of {disk.size >> 20} MiB"
            yield of_head("disk-full", severity, message, "prov image gc", f"du -xsh {disk.path}/*")
        elif disk.inodes and disk.free_inodes < _FEW_INODES:
            message = f"{disk.path} has {disk.free_inodes} inodes left"
            yield of_head("disk-full", _FAULT, message, "prov image gc")


def neighbours(evidence: Evidence) -> Iterator[Finding]:
    """Whether the kernel's table of neighbours holds all nodes: a full one drops packets to some of them."""
    most, nodes = evidence.host.neighbours, len(evidence.nodes)
    if most is not None and nodes * _SPARE > most:
        wanted = 1 << max(13, (2 * nodes).bit_length())
        message = f"the kernel remembers {most} neighbours (gc_thresh3), and the site has {nodes} nodes"
        fix = (
            f"sysctl -w net.ipv4.neigh.default.gc_thresh3={wanted} net.ipv4.neigh.default.gc_thresh2={wanted // 2}"
        )
        yield of_head("neighbours-few", _FAULT if nodes > most else _WARNING, message, fix)


def route_filter(evidence: Evidence) -> Iterator[Finding]:
    """Whether strict filtering by route may drop what comes through relays."""
    relayed = Counter(str(each.data["relay"]) for each in evidence.events if each.data.get("relay"))
    if not relayed:
        return
    for name, network in _served(evidence):
        device = evidence.host.addresses.get(network.own_head(evidence.host.addresses) or network.head, "")
        facts = evidence.host.devices.get(device)
        if facts and facts.rp_filter == _STRICT:
            relay, count = relayed.most_common(1)[0]
            message = f"{device} ({name}) drops what comes another way than answers go (rp_filter 1)"
            witness = Witness(f"{count} messages came through the relay {relay}")
            fix = f"sysctl -w net.ipv4.conf.{device}.rp_filter=2 net.ipv4.conf.all.rp_filter=2"
            yield of_head("rp-filter-strict", _WARNING, message, fix, evidence=[witness])


def clock(evidence: Evidence) -> Iterator[Finding]:
    """Whether the clock is right: tokens, certificates and munge end with it."""
    if evidence.host.synchronised is False:
        message = "nothing keeps this machine's clock right, and nodes take their time from it"
        yield of_head("clock-free", _WARNING, message, "systemctl enable --now chronyd", "chronyc tracking")
    ahead = [each for each in evidence.events if evidence.age(each.time) < -_AHEAD]
    if ahead:
        message = f"{len(ahead)} events are from the future: the clock went back"
        yield of_head("clock-jumped", _FAULT, message, "timedatectl", evidence=[Witness.of(ahead[-1])])


def secrets(evidence: Evidence) -> Iterator[Finding]:
    """Whether only their owner can read the site's keys and secrets."""
    for path, mode in evidence.host.exposed:
        message = f"others may read {path} (mode {mode:o})"
        yield of_head("secret-exposed", _FAULT, message, f"chmod 600 {path}")


def certificates(evidence: Evidence) -> Iterator[Finding]:
    """Whether certificates end soon."""
    for each in evidence.host.certificates:
        left = each.ends - evidence.now
        if left < _MONTH:
            message = f"the certificate {each.path} {'ended' if left < 0 else 'ends'} on {day(each.ends)}"
            yield of_head(
                "certificate-ends",
                _FAULT if left < 0 else _WARNING,
                message,
                f"openssl x509 -text -in {each.path}",
            )


def unreadable(evidence: Evidence) -> Iterator[Finding]:
    """What could not be looked at."""
    for reason in evidence.unreadable:
        yield of_head("unreadable", _FAULT, reason, f"ls -la {evidence.paths.state} {evidence.paths.site}")


def _start(evidence: Evidence) -> tuple[str, ...]:
    if evidence.paths == Paths.below(None):
        return ("systemctl start provisioner", "journalctl -u provisioner -e")
    return (f"{_prov(evidence)} serve",)


def _prov(evidence: Evidence) -> str:
    return "prov" if evidence.paths == Paths.below(None) else f"prov --root {evidence.paths.site}"


def _served(evidence: Evidence) -> list[tuple[str, Network]]:
    """The networks where the daemon has to stand: those with our DHCP, or the only one."""
    networks = evidence.snapshot.site.networks if evidence.snapshot else {}
    here = {name: each for name, each in networks.items() if not each.relayed}
    return [(name, each) for name, each in here.items() if each.dhcp is not DhcpMode.OFF or len(here) == 1]


def _wanted_ports(evidence: Evidence) -> list[tuple[str, str, int]]:
    if evidence.snapshot is None:
        return []
    ports = evidence.snapshot.site.ports
    ours_to_give = any(each.dhcp is not DhcpMode.OFF for each in evidence.snapshot.site.networks.values())
    wanted = [("DHCP", "udp", ports.dhcp if ours_to_give else 0), ("TFTP", "udp", ports.tftp)]
    wanted += [("DNS", "udp", ports.dns), ("HTTP", "tcp", ports.http)]
    return [each for each in wanted if each[2]]


def _in_the_way(evidence: Evidence, listener: Listener) -> bool:
    """Whether a socket has our address or all of them; one on 127.0.0.53 takes nothing from us."""
    ours = {str(head) for _, network in _served(evidence) for head in network.heads}
    return listener.address in {*ours, "0.0.0.0", "::", ""}  # noqa: S104 - compared, not bound


def _ours(evidence: Evidence, listener: Listener) -> bool:
    if evidence.daemon is None:
        return False
    # Without rights nobody tells whose a socket is; the daemon runs, so it is most likely its own.
    return listener.pid is None or listener.pid == evidence.daemon.get("pid")


def _named(rules: str, port: int) -> bool:
    """Whether a rule speaks of a port, alone, in a set, or in a range."""
    if re.search(rf"(dport|dports|port)\b[^\n]*\b{port}\b", rules):
        return True
    ranges = re.findall(r"dport[^\n]*?\b(\d+)[-:](\d+)\b", rules)
    return any(int(first) <= port <= int(last) for first, last in ranges)


CHECKS = (
    daemon,
    network,
    disks,
    clock,
    secrets,
    certificates,
    unreadable,
)
