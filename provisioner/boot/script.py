"""The scripts that iPXE or GRUB runs: the boot of a node, or what to do about a machine that cannot boot."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network

from provisioner.boot.diskroot import disk_words
from provisioner.boot.fitness import limit_of
from provisioner.errors import ProvisionerError
from provisioner.model.address import Address, MacAddress
from provisioner.model.boot import Boot, Local, MemoryTest, Menu, Other, Refused, Unknown
from provisioner.model.resolved import ResolvedInterface, ResolvedNode, ResolvedRoot
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import RootKind, Swap
from provisioner.render.environment import Renderer
from provisioner.render.escape import UnsafeValueError, ipxe

# COMMAND_LINE_SIZE of x86 Linux, its closing zero byte included (arch/x86/include/asm/setup.h).
KERNEL_LINE_LIMIT = 2048

_NAME = "kernel"
_LOADERS_OWN = ("BOOT_IMAGE=", "initrd=", "prov.token=")
_DIGITS = 32
# What the script fetches beside the kernel, by the last part of its URL: the kernel unpacks one after the other.
_SINGLE = ("archive", "node")

_EVERYWHERE = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


class Language(StrEnum):
    """Who runs a script: its templates end in this word and `.j2`."""

    IPXE = "ipxe"
    GRUB = "grub"

    @property
    def before(self) -> str:
        """What the loader puts before the kernel line by itself; TOKEN stands for the script's."""
        return "BOOT_IMAGE=/t/TOKEN/kernel " if self is Language.GRUB else ""


@dataclass(frozen=True, slots=True)
class ScriptTokens:
    """The tokens that a script carries: one for its own fetches, one for stage 1."""

    script: str
    stage1: str


@dataclass(frozen=True, slots=True)
class ScriptWriter:
    """Writes scripts from the templates of one revision. `template` gives the text of `templates/NAME.ipxe.j2`.

    `url` is where the machine that runs the script reaches us. With another `language` it is `NAME.LANGUAGE.j2`.
    """

    renderer: Renderer
    template: Callable[[str], str]
    url: str
    language: Language = Language.IPXE

    def boot(self, decision: Boot, snapshot: Snapshot, tokens: ScriptTokens, *, mac: MacAddress) -> str:
        """The script that boots a node; where there are several head nodes, it goes on with the next."""
        heads, first = snapshot.boot_urls(decision.interface), first_head(snapshot, decision.interface, self.url)
        before = len(self.language.before.replace("TOKEN", tokens.script))
        context = {
            "node": decision.node,
            "generation": decision.generation,
            "revision": snapshot.revision[:16],
            "token": tokens.script,
            # A machine that came by IPv6 may reach no other head node by its IPv4 address.
            "urls": (self.url, *(each for each in heads if self.url in heads and each != self.url)),
            "initrds": _SINGLE if is_single(decision) else ("stage1",),
            "unified": decision.unified,
            "kernel_line": kernel_line(decision, snapshot, url=first, token=tokens.stage1, mac=mac, before=before),
        }
        return self._render(decision.node.script, context)

    def local(self, decision: Local) -> str:
        """The script for a node that boots its own disk."""
        return self._render("local", {"node": decision.node, "reason": decision.reason})

    def unknown(self, decision: Unknown) -> str:
        """The script for a machine that is no node: names its MAC and asks again, or has stage 1 look at it."""
        context: dict[str, object] = {"mac": decision.mac, "mac_hyphenated": decision.mac.hyphenated}
        if decision.survey is None:
            return self._render("unknown", context)
        return self._render("survey", {**context, "generation": decision.survey})

    def refused(self, decision: Refused, mac: MacAddress) -> str:
        """The script for a node that cannot boot: says why and what to do, and asks again."""
        context = {
            "mac": mac,
            "mac_hyphenated": mac.hyphenated,
            "node": decision.node,
            "reason": decision.reason,
            "hint": decision.hint,
        }
        return self._render("refused", context)

    def other(self, decision: Other, mac: MacAddress) -> str:
        """The script of a machine that boots no image."""
        match decision:
            case Unknown():
                return self.unknown(decision)
            case Refused():
                return self.refused(decision, mac)
            case Local():
                return self.local(decision)
            case MemoryTest():
                consoles = [each for each in decision.node.kernel_args if each.startswith("console=ttyS")]
                return self._render("memtest", {"node": decision.node, "consoles": " ".join(consoles)})
            case Menu():
                context = {"node": decision.node, "entries": decision.entries, "mac_hyphenated": mac.hyphenated}
                return self._render("menu", context)

    def _render(self, name: str, context: dict[str, object]) -> str:
        path = f"templates/{name}.{self.language}.j2"
        return self.renderer.text(path, self.template(name), {"url": self.url, **context})


def first_head(snapshot: Snapshot, interface: ResolvedInterface, url: str) -> str:
    """The URL that stage 1 asks first where a script comes from `url`: it has one address of the node alone."""
    heads = snapshot.boot_urls(interface)
    return url if url in heads else heads[0]


def is_single(decision: Boot) -> bool:
    """Whether the image itself is the initramfs of a boot: a rescue is one of stage 1."""
    return decision.node.root.kind is RootKind.SINGLE and not decision.rescue


def kernel_line(
    decision: Boot, snapshot: Snapshot, *, url: str, token: str, mac: MacAddress, before: int = 0
) -> str:
    """The whole kernel line of a boot. What stage 1 needs comes last, where no other argument overrides it.

    `url` is the head node that stage 1 asks first, `before` how many bytes the loader puts before the line. Raises
    ProvisionerError for a line that is too long.
    """
    words = [_checked(argument, decision.node.name) for argument in decision.node.kernel_args]
    words += (
        _single_words(decision.node) if is_single(decision) else _stage1_words(decision, snapshot, url, token, mac)
    )
    line = " ".join(words)
    if before + len(line) >= KERNEL_LINE_LIMIT:
        size = f"{before + len(line)} bytes, the kernel reads {KERNEL_LINE_LIMIT - 1}"
        message = f"the kernel line of {decision.node.name} has {size}"
        raise ProvisionerError(message, hint=f"shorten its arguments: prov node show {decision.node.name}")
    return line


def _single_words(node: ResolvedNode) -> list[str]:
    """What an image that is its own initramfs needs. There is no root=: the kernel would not bound its size."""
    limit = limit_of(node.root).mount_option
    init = [f"prov.init={node.init}"] if node.init else []
    return [f"initramfs_options=size={limit}", *_root_words(node.root), *init]


def _stage1_words(decision: Boot, snapshot: Snapshot, url: str, token: str, mac: MacAddress) -> list[str]:
    interface = decision.interface
    others = [each for each in snapshot.boot_urls(interface) if each != url]
    gateway = _gateway(decision, snapshot)
    return [
        "rd.shell=0",
        *(["prov.rescue=1"] if decision.rescue else []),
        "rd.emergency=reboot",
        "root=provisioner",
        *_root_words(decision.node.root),
        *disk_words(decision.node),
        # Not init=: dracut would hand all words behind that one to the program.
        *([f"real_init={decision.node.init}"] if decision.node.init else []),
        f"prov.url={url}",
        *([f"prov.also={','.join(others)}"] if others else []),
        *([f"prov.https={snapshot.site.ports.https}"] if snapshot.site.ports.https else []),
        *(["prov.tpm=1"] if decision.node.tpm.required else []),
        f"prov.mac={mac}",
        f"prov.interface={interface.name}",
        f"prov.ip={interface.boot_address}",
        *([f"prov.gateway={gateway}"] if gateway else []),
        f"prov.token={token}",
    ]


def _root_words(root: ResolvedRoot) -> list[str]:
    """What stage 1 and the running system are told of a root."""
    return [
        f"prov.root={root.kind}",
        *([f"prov.size={root.size.mount_option}"] if root.size else []),
        *([f"prov.swap={root.swap}"] if root.swap is not Swap.OFF else []),
        *(["prov.prefetch=1"] if root.prefetch else []),
    ]


def written_line(decision: Boot, snapshot: Snapshot, *, url: str, mac: MacAddress) -> str:
    """The digest of the kernel line in a script that comes from `url`, but for its token, which says it."""
    first = first_head(snapshot, decision.interface, url)
    return line_digest(kernel_line(decision, snapshot, url=first, token="", mac=mac))


def line_digest(line: str) -> str:
    """32 hexadecimal digits over the words of a kernel line, as stage 1 finds it in /proc/cmdline.

    Left out is what loaders add (GRUB: BOOT_IMAGE=, iPXE for EFI: its name of the kernel, and initrd=), and the
    token, which is no part of what it says. A word with a quote is left in: it may hold others.
    """
    words = [each for each in line.split() if each != _NAME and not _is_added(each)]
    return hashlib.sha256("".join(f"{each}\n" for each in words).encode()).hexdigest()[:_DIGITS]


def _is_added(word: str) -> bool:
    return word.startswith(_LOADERS_OWN) and '"' not in word


def _gateway(decision: Boot, snapshot: Snapshot) -> Address | None:
    """The default route that stage 1 sets: none where the running system has it on another device.

    What configures that system adds its own behind what it finds, and would never use it.
    """
    interface, network = decision.interface, snapshot.site.networks[decision.interface.network]
    over4 = interface.ip is not None
    own, common = (interface.gateway, network.gateway) if over4 else (interface.gateway6, network.gateway6)
    if own or not any(_has_default(each, 4 if over4 else 6) for each in decision.node.interfaces):
        return own or common
    return None


def _has_default(interface: ResolvedInterface, version: int) -> bool:
    to = {route.to for route in interface.routes if route.via.version == version}
    gateway = interface.gateway if version == 4 else interface.gateway6
    return bool(gateway or to & {"default", *_EVERYWHERE})


def _checked(argument: str, node: str) -> str:
    # One by one: an error about the whole line would carry its token into events and onto consoles.
    try:
        return ipxe(argument)
    except UnsafeValueError as error:
        message = f"kernel argument of {node}: {error}"
        raise ProvisionerError(message, hint=f"prov node show {node} tells where it is written") from None
