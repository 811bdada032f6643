"""A site at one revision, asked as its services would be, by their own policies and renderers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from ipaddress import IPv4Network
from types import MappingProxyType

from provisioner.archive.tree import Entry
from provisioner.boot.loader import NOT_LOOKED_AT, Shelf
from provisioner.boot.policy import decide
from provisioner.boot.script import Language, ScriptTokens, ScriptWriter
from provisioner.boot.unified import as_one
from provisioner.dhcp.answer import Answer
from provisioner.dhcp.case import Context as DhcpContext
from provisioner.dhcp.lease import Leases
from provisioner.dhcp.policy import answer
from provisioner.dhcp.v6.case import Context as Dhcp6Context
from provisioner.dhcp.v6.policy import Answer as Answer6
from provisioner.dhcp.v6.policy import answer as answer6
from provisioner.dns.message import Kind, Question, Record
from provisioner.dns.reverse import name_of
from provisioner.dns.zone import BMC_LABEL, Zones
from provisioner.model.address import MacAddress
from provisioner.model.boot import Boot, Decision, Machine
from provisioner.model.bootcontrol import NOTHING, Control
from provisioner.model.catalogue import Catalogue
from provisioner.model.hostnames import device_label
from provisioner.model.image import Generation
from provisioner.model.resolved import ResolvedInterface, ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Dhcp6Mode
from provisioner.operations.firmware import Asker
from provisioner.operations.firmware6 import SOURCE, solicit
from provisioner.overlay.context import Surroundings
from provisioner.overlay.library import Library
from provisioner.overlay.rendered import OverlayKind
from provisioner.overlay.source import Files
from provisioner.render.environment import Renderer
from provisioner.render.inputs import Inputs


class Side:
    """One revision. `surroundings` decide about keys: the real ones, or names that stand for them.

    `shelf` are the loaders of the head node, where somebody looked, `memories` the bytes of memory that machines
    have told of, by node. `controls` has what is ordered for the next boots of nodes, by name: nothing where the
    site alone is asked. `usable` tells whether the unified kernel image of a generation has the keys of today.
    """

    controls: Mapping[str, Control] = MappingProxyType({})
    usable: Callable[[Generation], bool] = staticmethod(lambda each: each.uki is not None)

    def __init__(
        self,
        files: Files,
        catalogue: Catalogue,
        surroundings: Surroundings,
        library: Library,
        renderer: Renderer,
        *,
        shelf: Shelf = NOT_LOOKED_AT,
        memories: Mapping[str, int] | None = None,
    ) -> None:
        self._shelf = shelf
        self.files = files
        self.catalogue = catalogue
        self.surroundings = surroundings
        self.library = library
        self._renderer = renderer
        self._memories = memories or {}
        self._templates: dict[str, str] = {}
        self._inputs: dict[str, Inputs] = {}

    @property
    def snapshot(self) -> Snapshot:
        """The site of this revision."""
        return self.surroundings.snapshot

    @cached_property
    def zones(self) -> Zones:
        """What DNS answers from."""
        return Zones.of(self.snapshot)

    def decide(self, mac: MacAddress) -> Decision:
        """What a machine boots."""
        node = self.snapshot.by_mac.get(mac)
        memory = self._memories.get(node.name) if node else None
        control = self.controls.get(node.name, NOTHING) if node else NOTHING
        decision = decide(self.snapshot, self.catalogue, Machine(mac, runs_ipxe=True, memory=memory), control)
        if not isinstance(decision, Boot):
            return decision
        return as_one(decision, usable=self.usable(decision.generation))

    def dhcp(self, asker: Asker, interface: ResolvedInterface, mac: MacAddress) -> Answer:
        """What a program in a machine is answered that asks in the interface's network, from an empty pool."""
        site = self.snapshot.site
        head = site.networks[interface.network].head
        context = DhcpContext(
            self.snapshot, self.catalogue, head, site.ports.http, Leases(), now=0.0, shelf=self._shelf
        )
        return answer(asker.discover(mac), context)

    def grub_script(self, decision: Boot, mac: MacAddress, tokens: ScriptTokens) -> str:
        """The script of a node for GRUB. Raises ProvisionerError where it cannot be made."""
        url = self.snapshot.boot_urls(decision.interface)[0]
        writer = ScriptWriter(self._renderer, self._grub_template, url, Language.GRUB)
        return writer.boot(decision, self.snapshot, tokens, mac=mac)

    def _grub_template(self, name: str) -> str:
        return self.files.read(f"templates/{name}.{Language.GRUB}.j2").decode()

    def dhcp6(self, asker: Asker, interface: ResolvedInterface, mac: MacAddress) -> Answer6 | None:
        """What a program is answered that asks by DHCPv6; None where nobody does, or nobody answers there."""
        network = self.snapshot.site.networks[interface.network]
        packet = solicit(asker, mac)
        if packet is None or network.dhcp6 is Dhcp6Mode.OFF or network.head6 is None:
            return None
        return answer6(packet, SOURCE, Dhcp6Context(self.snapshot, self.catalogue, network.head6))

    def script(self, decision: Decision, network: str, mac: MacAddress, tokens: ScriptTokens) -> str:
        """The script that iPXE gets. Raises ProvisionerError where it cannot be made."""
        if isinstance(decision, Boot):
            writer = ScriptWriter(self._renderer, self.template, self.snapshot.boot_urls(decision.interface)[0])
            return writer.boot(decision, self.snapshot, tokens, mac=mac)
        return ScriptWriter(self._renderer, self.template, self.snapshot.head_url(network)).other(decision, mac)

    def template(self, name: str) -> str:
        """The text of a boot script's template. NotFoundError when there is none of that name."""
        if name not in self._templates:
            self._templates[name] = self.files.read(f"templates/{name}.ipxe.j2").decode()
        return self._templates[name]

    def script_inputs(self, name: str) -> Inputs:
        """What a boot script's template reads. Raises what `template` raises, and RenderError for a bad one."""
        if name not in self._inputs:
            self._inputs[name] = self._renderer.inputs(f"templates/{name}.ipxe.j2", self.template(name))
        return self._inputs[name]

    def tree(self, node: ResolvedNode, kind: OverlayKind) -> list[Entry]:
        """The files of a node's overlays. Raises what `Library.tree` raises."""
        return self.library.tree(kind.names(node), kind.view(self.surroundings.context(node)))

    def has_secrets(self, node: ResolvedNode, kind: OverlayKind) -> bool:
        """Whether a node's overlays may have secrets in them. Raises what `Library.pieces` raises."""
        pieces = self.library.pieces(kind.names(node), self.surroundings.context(node))
        return any(piece.secrets for piece in pieces)

    def records(self, names: frozenset[str]) -> frozenset[tuple[str, str, str]]:
        """The DNS records at some names: name, type and value."""
        found: list[Record] = []
        for name in names:
            found += self.zones.answer(Question(name, Kind.ANY)).answers
        own = (each for each in found if each.kind not in {Kind.SOA, Kind.NS})
        return frozenset((each.name, each.kind.name, str(each.value)) for each in own)


def dns_names(node: ResolvedNode) -> Iterator[str]:
    """Every name by which DNS may know a node: its own, those of interfaces and its BMC, and the reverse ones."""
    yield node.fqdn.lower()
    for interface in node.interfaces:
        yield f"{node.name}-{device_label(interface.name)}.{node.domain}".lower()
        for value in (interface.ip, interface.ip6):
            if value is not None:
                yield name_of(value.network.__class__(value.ip))
    if node.bmc and node.bmc.ip:
        yield f"{node.name}-{BMC_LABEL}.{node.domain}".lower()
        yield name_of(IPv4Network(node.bmc.ip.ip))
