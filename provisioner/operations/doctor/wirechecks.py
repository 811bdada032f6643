"""Checks of what machines do before they have a boot: DHCP, the loader, the way to the script."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from provisioner.model.address import MacAddress
from provisioner.model.event import Event, Level, Stage
from provisioner.model.slip import slips
from provisioner.operations.doctor.evidence import Evidence
from provisioner.operations.doctor.finding import NODE, Finding, Severity, Witness, of_head, of_node
from provisioner.operations.doctor.trail import Trail, program_of

_FAULT, _WARNING, _NOTE = Severity.FAULT, Severity.WARNING, Severity.NOTE

_PATIENCE = 30.0
"""How many seconds a machine may take from one step to the next before it is said to hang."""

_LATELY = 3600.0
_AGAIN = 600.0
_OFTEN = 3
_NAKS = 5
_ONE_PORT = (
    "edit provisioner.yaml: networks.NAME.tftp: {one_port: true}",
    "or let UDP from the head node's ports 32768-60999 through",
)
_IN_USE = frozenset({"script.stranger", "access.denied"})
_NO_NETWORK = re.compile(r"no network of this site holds (\S+)")


def silence(evidence: Evidence) -> Iterator[Finding]:
    """Machines of nodes that ask by DHCP and get no answer."""
    for trail in _recent(evidence):
        last = trail.last("dhcp.ignored", "dhcp.offer", "dhcp.ack")
        # Machines ask by both families, and a node may have an address of one alone.
        over6 = trail.last("dhcp6.reply")
        if over6 and last and abs(over6.time - last.time) < _AGAIN:
            continue
        if last and last.name == "dhcp.ignored" and trail.node and not _NO_NETWORK.search(last.message):
            message = f"asks by DHCP and gets no answer: {last.message.replace(trail.node, NODE)}"
            yield of_node(
                "dhcp-unanswered",
                _FAULT,
                trail.node,
                message,
                f"prov node show {NODE}",
                evidence=[Witness.of(last)],
            )


def relays(evidence: Evidence) -> Iterator[Finding]:
    """Relays, and addresses, of networks that the site does not know."""
    seen: dict[str, Event] = {}
    for event in evidence.named("dhcp.ignored"):
        if found := _NO_NETWORK.search(event.message):
            seen.setdefault(found[1], event)
    for address, event in seen.items():
        message = f"DHCP messages come from a network of {address}, which the site does not have"
        fix = "edit provisioner.yaml: networks.NAME: {cidr: ...} that holds it"
        yield Finding("relay-unknown", _FAULT, address, message, (fix,), (Witness.of(event),))


def offers(evidence: Evidence) -> Iterator[Finding]:
    """Machines that get offers and never take one: they do not hear us, or take another's."""
    for trail in _recent(evidence):
        last = trail.last("dhcp.offer", "dhcp.ack", "dhcp.nak", "dhcp.ignored")
        offered = trail.named("dhcp.offer", since=evidence.now - _LATELY)
        if last and last.name == "dhcp.offer" and len(offered) >= _OFTEN and evidence.age(last.time) > _PATIENCE:
            message = "gets offers by DHCP and takes none: it does not hear them, or another server is faster"
            fixes = (
                f"tcpdump -eni {evidence.device} 'port 67 or port 68'",
                "at the switch: port fast for the ports of nodes",
            )
            yield _about(trail, "offer-not-taken", message, *fixes, seen=last)


def foreign(evidence: Evidence) -> Iterator[Finding]:
    """Other DHCP servers on our networks."""
    chosen = [each for each in evidence.named("dhcp.ignored") if "it chose the server" in each.message]
    for event in [*evidence.named("dhcp.foreign"), *chosen][:1]:
        message = f"another DHCP server answers on a network that is ours: {event.message}"
        fixes = (f"tcpdump -eni {evidence.device} 'udp and src port 67'", "switch it off, or write dhcp: off here")
        yield of_head("foreign-dhcp", _FAULT, message, *fixes, evidence=[Witness.of(event)])


def declines(evidence: Evidence) -> Iterator[Finding]:
    """Addresses that two machines use."""
    for trail in _recent(evidence):
        if event := trail.last("dhcp.decline"):
            address = event.address or "its address"
            message = f"found that another machine uses {address}"
            yield _about(
                trail,
                "address-taken",
                message,
                f"arping -c 3 -I {evidence.device} {address}",
                f"ip neigh show {address}",
                seen=event,
            )


def naks(evidence: Evidence) -> Iterator[Finding]:
    """Machines that ask again and again for an address that is not theirs."""
    for trail in _recent(evidence):
        found = trail.named("dhcp.nak", since=evidence.now - _AGAIN)
        if len(found) >= _NAKS:
            message = f"asks for an address that is not its own: {found[-1].message}"
            yield _about(
                trail, "nak-loop", message, f"tcpdump -eni {evidence.device} 'port 67 or port 68'", seen=found[-1]
            )


def loaders(evidence: Evidence) -> Iterator[Finding]:
    """Machines whose firmware got an address and not the loader."""
    for trail in _recent(evidence):
        ack = trail.last("dhcp.ack")
        if ack is None or program_of(ack) != "pxe" or evidence.age(ack.time) < _PATIENCE:
            continue
        later = trail.after(ack)
        if ack.data.get("firmware") == "unknown":
            message = "has firmware that no loader is known for (DHCP option 93)"
            yield _about(trail, "firmware-unknown", message, "prov node list --where interfaces.*.mac", seen=ack)
        elif mute := next((each for each in later if each.name == "loader.unheard"), None):
            message = "asked for the loader by TFTP and never answered: a packet filter that knows port 69 only?"
            yield _about(trail, "loader-unheard", message, *_ONE_PORT, seen=mute)
        elif broken := next((each for each in later if each.name == "loader.failed"), None):
            message = f"breaks off the loader: {broken.message}"
            yield _about(
                trail,
                "loader-broken",
                message,
                f"ip -s link show {evidence.device}",
                "ping -M do -s 1440 ADDRESS",
                seen=broken,
            )
        elif not later:
            message = "got its address and never asked for the loader by TFTP: a packet filter, or a relay?"
            fixes = (f"tcpdump -ni {evidence.device} 'udp port 69'", "firewall-cmd --permanent --add-service=tftp")
            yield _about(trail, "loader-not-fetched", message, *fixes, seen=ack)


def missing_loaders(evidence: Evidence) -> Iterator[Finding]:
    """Loaders that were asked for and are not served."""
    seen: dict[str, Event] = {}
    for event in evidence.named("loader.missing"):
        seen.setdefault(event.message, event)
    for message, event in list(seen.items())[:_OFTEN]:
        fix = f"cp FILE {evidence.paths.state}/loaders/, then systemctl restart provisioner"
        yield of_head(
            "loader-missing",
            _WARNING,
            f"machines ask for what TFTP does not have: {message}",
            fix,
            evidence=[Witness.of(event)],
        )


def loader_loops(evidence: Evidence) -> Iterator[Finding]:
    """Machines that fetch the loader again and again, and never speak by it."""
    for trail in _recent(evidence):
        sent = trail.named("loader.sent", since=evidence.now - _LATELY)
        if len(sent) < _OFTEN or any(_speaks(each) for each in trail.after(sent[0])):
            continue
        message = (
            f"fetched a loader {len(sent)} times and never came back with it: it cannot use this network card, or"
            " Secure Boot refuses it (the screen says Access Denied or Security Violation)"
        )
        fixes = (f"prov node set {NODE} boot.loader=shim", f"prov node set {NODE} boot.loader=ipxe")
        yield _about(trail, "loader-loop", message, *fixes, seen=sent[-1])


def _speaks(event: Event) -> bool:
    """Whether a loader runs: iPXE asks by DHCP, GRUB only for its script."""
    return _is_ipxe(event) or event.stage is Stage.SCRIPT


def scripts(evidence: Evidence) -> Iterator[Finding]:
    """Machines whose iPXE got an address and not its script."""
    for trail in _recent(evidence):
        ack = trail.last("dhcp.ack")
        if ack is None or not _is_ipxe(ack) or evidence.age(ack.time) < _PATIENCE or trail.after(ack):
            continue
        port = evidence.snapshot.site.ports.http if evidence.snapshot else 8080
        message = f"runs iPXE, got its address and never asked for its script by HTTP (port {port})"
        fixes = (
            f"firewall-cmd --permanent --add-port={port}/tcp && firewall-cmd --reload",
            f"curl -v http://HEAD:{port}/",
        )
        yield _about(trail, "script-not-fetched", message, *fixes, seen=ack)


def alarms(evidence: Evidence) -> Iterator[Finding]:
    """What nobody honest does: tokens used after their time, and by others."""
    found: defaultdict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in evidence.named(*{each.name for each in evidence.events if each.level is Level.ALARM}):
        if event.level is Level.ALARM and event.name != "dhcp.foreign":
            found[event.name, event.node or event.address or "somebody"].append(event)
    for (name, who), events in found.items():
        check = "token-alarm" if name in _IN_USE or name.startswith("token.") else "alarm"
        message = f"{len(events)} alarms {name}: {events[0].message}"
        nodes = (who,) if who in evidence.nodes else ()
        evidences = (Witness.of(events[0]),)
        yield Finding(
            check, _WARNING, who, message, (f"prov boot list {who}" if nodes else "prov status",), evidences, nodes
        )


def typing_mistakes(evidence: Evidence) -> Iterator[Finding]:
    """Unknown machines whose MAC is almost that of a node that nobody ever saw."""
    for trail in _unknown(evidence):
        for written in slips(trail.mac):
            node = evidence.node_of(written)
            if node is None or written in evidence.trails or node.name in evidence.newest:
                continue
            message = f"the machine {trail.mac} asks; {NODE} has almost its MAC, {written}, which nobody saw"
            interface = node.interface_of(MacAddress(written))
            fix = f"prov node set {NODE} interfaces.{interface.name if interface else 'eth0'}.mac={trail.mac}"
            last = trail.last()
            yield of_node("mac-typo", _FAULT, node.name, message, fix, evidence=[Witness.of(last)] if last else ())


def unknown_machines(evidence: Evidence) -> Iterator[Finding]:
    """Machines that are no nodes, and wait."""
    found = list(_unknown(evidence))
    if found:
        last = [Witness.of(event) for each in found[:_OFTEN] if (event := each.last())]
        named = ", ".join(each.mac for each in found[:_OFTEN])
        message = f"{len(found)} machines that are no nodes ask to boot: {named}"
        yield of_head("machines-unknown", _NOTE, message, "prov discover", evidence=last)


def shared_uuids(evidence: Evidence) -> Iterator[Finding]:
    """Different nodes whose machines show one UUID, so that it tells nothing."""
    holders: defaultdict[str, set[str]] = defaultdict(set)
    for trail in evidence.trails.values():
        if trail.uuid and trail.node:
            holders[trail.uuid].add(trail.node)
    for uuid, names in holders.items():
        for name in sorted(names) if len(names) > 1 else ():
            message = f"several machines show the UUID {uuid}: it cannot tell them apart"
            yield of_node(
                "uuid-shared",
                _WARNING,
                name,
                message,
                "set the UUID with the board's own tool (dmidecode -s system-uuid)",
            )


def architectures(evidence: Evidence) -> Iterator[Finding]:
    """Nodes whose machine has another processor than their image."""
    for trail in evidence.trails.values():
        node = evidence.nodes.get(trail.node or "")
        generation = evidence.catalogue.find(node.image) if node and node.image else None
        if node is None or generation is None or trail.firmware is None:
            continue
        shows = "aarch64" if "arm64" in trail.firmware else "x86_64"
        if generation.architecture != shows:
            message = f"the machine is {shows}, and the image {generation.name} is for {generation.architecture}"
            yield of_node("architecture-differs", _FAULT, node.name, message, f"prov node set {NODE} image=IMAGE")


def malformed(evidence: Evidence) -> Iterator[Finding]:
    """What comes in that is no DHCP or TFTP."""
    found = list(evidence.named("dhcp.malformed", "loader.malformed"))
    if len(found) >= _OFTEN:
        message = f"{len(found)} packets that are none: {found[0].message}"
        yield of_head(
            "packets-odd",
            _WARNING,
            message,
            f"tcpdump -xxni {evidence.device} 'udp port 67 or udp port 69'",
            evidence=[Witness.of(found[0])],
        )


def _recent(evidence: Evidence) -> Iterator[Trail]:
    """The machines that asked within the last hour."""
    for trail in evidence.trails.values():
        last = trail.last()
        if last and evidence.age(last.time) < _LATELY:
            yield trail


def _unknown(evidence: Evidence) -> Iterator[Trail]:
    return (each for each in _recent(evidence) if evidence.node_of(each.mac) is None)


def _is_ipxe(event: Event) -> bool:
    return program_of(event) == "ipxe" or event.name.startswith("script.")


def _about(trail: Trail, check: str, message: str, *fix: str, seen: Event) -> Finding:
    nodes = (trail.node,) if trail.node else ()
    return Finding(check, _FAULT, trail.node or trail.mac, message, fix, (Witness.of(seen),), nodes)


CHECKS = (
    silence,
    relays,
    offers,
    foreign,
    declines,
    naks,
    loaders,
    missing_loaders,
    loader_loops,
    scripts,
    alarms,
    typing_mistakes,
    unknown_machines,
    shared_uuids,
    architectures,
    malformed,
)
