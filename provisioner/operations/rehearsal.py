"""One boot decided offline, step by step, from the first DHCP packet to the archive of overlays.

Every step asks the policy, table or renderer that the daemon asks. A step that a machine cannot get past has a
problem; the steps that follow from it are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from provisioner.archive.tree import Entry
from provisioner.boot.access import Resource
from provisioner.boot.loader import SECOND_STAGES
from provisioner.boot.quirks import NO_HTTP_IN_GRUB
from provisioner.boot.script import KERNEL_LINE_LIMIT, kernel_line
from provisioner.dhcp.client import Program, client_of
from provisioner.dhcp.v6.message import Option
from provisioner.errors import ProvisionerError
from provisioner.model.address import MacAddress
from provisioner.model.boot import Boot, Local, MemoryTest
from provisioner.model.resolved import ResolvedInterface, ResolvedNode
from provisioner.model.written import DhcpMode, RootKind
from provisioner.operations.artifacts import Artifacts
from provisioner.operations.bootanswers import TOKENS
from provisioner.operations.fetches import Target, Tokens, arguments_in, resolve, urls_in
from provisioner.operations.firmware import Asker, askers_for
from provisioner.operations.side import Side
from provisioner.overlay.rendered import OverlayKind, archive_size, pack
from provisioner.tftp.table import Table

_LOADER_HINT = "install iPXE (Debian: apt-get install ipxe), or put the file in loaders/ of the state folder"
_IMAGE_HINT = "restore the file from a backup, or build the image again: prov image build"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what happens, what comes of it, what only this node has; `problem` is why it goes no further."""

    what: str
    said: str = ""
    detail: str = ""
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The steps of one node, and the script that iPXE would run; its tokens are made up."""

    node: ResolvedNode
    steps: tuple[Step, ...]
    script: str

    @property
    def problems(self) -> tuple[Step, ...]:
        """The steps that a machine does not get past."""
        return tuple(step for step in self.steps if step.problem)


@dataclass(frozen=True, slots=True)
class Stage:
    """What is the same for all nodes. `with_digests` of overlays: a real site key and some time are needed."""

    side: Side
    loaders: Mapping[str, bytes]
    artifacts: Artifacts
    askers: tuple[Asker, ...] | None
    with_digests: bool


def rehearse(stage: Stage, node: ResolvedNode) -> Rehearsal:
    """Rehearse the boot of one node by the interface that boots. Never raises for what is wrong with it."""
    interface = node.boot_interface
    if interface is None or interface.mac is None:
        problem = f"{node.name} has no MAC on the interface that boots: no machine is this node"
        step = Step("machine", problem=problem, hint=f"prov node set {node.name} --mac MAC")
        return Rehearsal(node, (step,), "")
    play = _Play(stage, node, interface, interface.mac)
    steps = tuple(play.steps())
    return Rehearsal(node, steps, play.script)


class _Play:
    """One machine that boots."""

    def __init__(self, stage: Stage, node: ResolvedNode, interface: ResolvedInterface, mac: MacAddress) -> None:
        self._stage = stage
        self._side = stage.side
        self._node = node
        self._interface = interface
        self._mac = mac
        self._table = Table(stage.loaders)
        self._has_grub = False
        self.script = ""

    def steps(self) -> Iterator[Step]:
        """The steps in their order."""
        decision = self._side.decide(self._mac)
        for asker in self._askers(decision.generation.architecture if isinstance(decision, Boot) else ""):
            yield from self._asked(asker)
            yield from self._asked6(asker)
        if isinstance(decision, Local):
            why = decision.reason.partition("(")[2].removesuffix(")")
            yield Step("decision", "boots its own disk", why)
            yield self._other_script(decision)
            return
        if isinstance(decision, MemoryTest):
            yield Step("decision", decision.reason)
            return
        if not isinstance(decision, Boot):
            hint = "prov node list" if not hasattr(decision, "hint") else decision.hint
            yield Step("decision", problem=decision.reason, hint=hint)
            return
        kernel = decision.generation.kernel_release
        why = decision.reason.partition("(")[2].removesuffix(")")
        yield Step("decision", f"boots {decision.generation.name}, kernel {kernel}", why)
        yield from self._booted(decision)

    def _askers(self, architecture: str) -> Sequence[Asker]:
        # Whatever loads iPXE, iPXE asks last.
        chosen = self._stage.askers or askers_for(architecture or "x86_64")
        return [*(each for each in chosen if each is not Asker.IPXE), Asker.IPXE]

    def _asked(self, asker: Asker) -> Iterator[Step]:
        site = self._side.snapshot.site
        network = site.networks[self._interface.network]
        if self._interface.ip is None and self._interface.ip6 is not None:
            yield Step(f"dhcp {asker}", "not asked: the node has an IPv6 address alone")
            return
        if network.dhcp is not DhcpMode.AUTHORITATIVE:
            yield Step(f"dhcp {asker}", f"another server's: the network has dhcp: {network.dhcp}")
            return
        if not site.ports.dhcp:
            yield Step(f"dhcp {asker}", problem="DHCP is switched off", hint="set ports.dhcp in provisioner.yaml")
            return
        decided = self._side.dhcp(asker, self._interface, self._mac)
        if decided.reply is None:
            hint = f"prov node set {self._node.name} --ip ADDRESS"
            yield Step(f"dhcp {asker}", problem=f"no answer: {decided.reason}", hint=hint)
            return
        file = decided.reply.file.decode(errors="replace")
        if not file:
            problem = decided.reason.partition(", ")[2].partition(";")[0]
            if self._stage.askers is None and NO_HTTP_IN_GRUB.effect in problem:
                # Most machines can boot by PXE too, and nobody said that this one cannot.
                yield Step(f"dhcp {asker}", problem)
                return
            yield Step(f"dhcp {asker}", problem=problem, hint="boot this machine by another way")
            return
        yield Step(f"dhcp {asker}", f"{decided.reply.yiaddr} and {file}")
        yield from self._loaders(asker, file)

    def _asked6(self, asker: Asker) -> Iterator[Step]:
        decided = self._side.dhcp6(asker, self._interface, self._mac)
        if decided is None:
            return
        if decided.reply is None:
            hint = f"prov node set {self._node.name} --interface {self._interface.name} --ip6 ADDRESS"
            yield Step(f"dhcpv6 {asker}", f"no answer: {decided.reason}", hint=hint)
            return
        file = (decided.reply.message.option(Option.BOOT_FILE_URL) or b"").decode(errors="replace")
        if not file and self._interface.ip is None:
            problem = decided.reason.partition(", ")[2].partition(";")[0]
            yield Step(f"dhcpv6 {asker}", problem=problem, hint="boot this machine by another way")
            return
        yield Step(f"dhcpv6 {asker}", f"{decided.address} and {file}" if file else f"{decided.address}, no file")
        if self._interface.ip is None:
            yield from self._loaders(asker, file.rpartition("/")[2])

    def _loaders(self, asker: Asker, file: str) -> Iterator[Step]:
        """What firmware loads before iPXE or GRUB asks for the script."""
        if asker is Asker.IPXE:
            return
        yield self._loader(asker, file)
        if second := SECOND_STAGES.get(file.rpartition("/")[2]):
            self._has_grub = True
            yield self._loader_step(second, "the shim")

    def _loader(self, asker: Asker, file: str) -> Step:
        program = client_of(asker.discover(self._mac)).program
        name = file.rpartition("/")[2] if program is Program.HTTP else file
        if program is Program.PXE and not self._side.snapshot.site.ports.tftp:
            return Step("loader", problem="TFTP is switched off", hint="set ports.tftp in provisioner.yaml")
        return self._loader_step(name, "HTTP" if program is Program.HTTP else "TFTP")

    def _loader_step(self, name: str, way: str) -> Step:
        content = self._table.find(name, "")
        if content is None:
            return Step("loader", problem=f"{name} is not there", hint=_LOADER_HINT)
        return Step("loader", f"{name} by {way}, {len(content)} bytes")

    def _booted(self, decision: Boot) -> Iterator[Step]:
        tokens = Tokens(decision, self._side.snapshot.revision, self._mac)
        network = decision.interface.network
        try:
            self.script = self._side.script(decision, network, self._mac, tokens.script)
        except (ProvisionerError, KeyError) as error:
            yield _failure("script", error)
            return
        yield Step("script", f"templates/{self._node.script}.ipxe.j2", f"{len(self.script)} bytes")
        if self._has_grub:
            yield self._grub(decision, tokens)
        yield self._kernel_line(decision, tokens)
        for url in urls_in(self.script):
            yield self._fetch(url, decision, tokens)
        if decision.node.root.kind is not RootKind.SINGLE:
            yield from self._stage1(decision, tokens)
        if self._node.runtime_overlays:
            yield self._overlay(OverlayKind.RUNTIME)

    def _grub(self, decision: Boot, tokens: Tokens) -> Step:
        try:
            script = self._side.grub_script(decision, self._mac, tokens.script)
        except (ProvisionerError, KeyError) as error:
            return _failure("grub script", error)
        return Step("grub script", f"templates/{self._node.script}.grub.j2", f"{len(script)} bytes")

    def _other_script(self, decision: Local) -> Step:
        try:
            self.script = self._side.script(decision, self._interface.network, self._mac, TOKENS)
        except (ProvisionerError, KeyError) as error:
            return _failure("script", error)
        return Step("script", "templates/local.ipxe.j2", f"{len(self.script)} bytes")

    def _kernel_line(self, decision: Boot, tokens: Tokens) -> Step:
        url = self._side.snapshot.boot_urls(decision.interface)[0]
        line = kernel_line(decision, self._side.snapshot, url=url, token=tokens.script.stage1, mac=self._mac)
        return Step("kernel line", "short enough", f"{len(line)} of {KERNEL_LINE_LIMIT - 1} bytes")

    def _stage1(self, decision: Boot, tokens: Tokens) -> Iterator[Step]:
        """What stage 1 fetches: it makes its URLs from the kernel line."""
        found = arguments_in(self.script)
        if found.keys() < {"url", "token"}:
            problem = "the script gives no kernel line with prov.url and prov.token: stage 1 cannot go on"
            yield Step("stage 1", problem=problem, hint="write {{ kernel_line | ipxe }} behind the kernel's URL")
            return
        for resource in (Resource.SHEET, Resource.ROOT, Resource.SYSTEM_OVERLAY):
            yield self._fetch(f"{found['url']}/t/{found['token']}/{resource}", decision, tokens)

    def _fetch(self, url: str, decision: Boot, tokens: Tokens) -> Step:
        try:
            target = resolve(url, self._side.snapshot, tokens)
        except ProvisionerError as error:
            return _failure("fetch", error)
        return self._found(url, target, decision)

    def _found(self, url: str, target: Target, decision: Boot) -> Step:
        artifact = decision.generation.artifacts.get(target.resource or "")
        if target.resource and artifact is not None:
            fault = self._stage.artifacts.fault(artifact)
            said = "" if fault else f"{artifact.size} bytes, digest right"
            return Step(target.resource.value, said, problem=fault, hint=_IMAGE_HINT if fault else "")
        if target.resource in (Resource.SYSTEM_OVERLAY, Resource.NODE):
            return self._overlay(OverlayKind.SYSTEM)
        if target.loader is not None:
            return self._loader_step(target.loader, "HTTP")
        if target.resource is not None or target.page is not None:
            return Step(target.resource.value if target.resource else "page", target.page or "answered")
        return Step("fetch", f"{url} is not of this site: not looked at")

    def _overlay(self, kind: OverlayKind) -> Step:
        what = f"overlay/{kind}"
        try:
            tree = self._side.tree(self._node, kind)
            # Words that stand for secrets have another digest.
            with_digest = self._stage.with_digests and not self._side.has_secrets(self._node, kind)
            detail = _packed(tree) if with_digest else f"{archive_size(tree)} bytes"
        except (ProvisionerError, KeyError) as error:
            return _failure(what, error)
        return Step(what, _counted(tree), detail)


def _packed(tree: list[Entry]) -> str:
    packed = pack(tree)
    return f"{len(packed.archive)} bytes, sha256 {packed.sha256}"


def _counted(tree: Sequence[Entry]) -> str:
    return f"{len(tree)} file{'' if len(tree) == 1 else 's'}"


def _failure(what: str, error: ProvisionerError | KeyError) -> Step:
    message, hint = (error.message, error.hint) if isinstance(error, ProvisionerError) else (str(error), None)
    return Step(what, problem=message, hint=hint or "prov check")
