"""A site whose node has six NICs with everything on them at once, booted with one network backend after the other.

The node boots as any node does: firmware, loader, stage 1, overlays from the real daemon. Only the image is of the
tests: it holds every backend that Debian has, and an overlay of the site masks all but one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any, Self

from provisioner.errors import ProvisionerError
from provisioner.host.run import run
from provisioner.lab.cluster import Lab
from provisioner.lab.daemon import DaemonCommand
from provisioner.lab.network import LabNetwork
from provisioner.model.boot import BootRecord
from provisioner.operations import live
from tests.support import peervm
from tests.support.backendstate import State, ping_script, question_script, read_answers
from tests.support.builtonce import built_once
from tests.support.realsite import CACHE, CHECKOUT, RealSite, prov, wait_until

RECIPE = Path(__file__).parent / "recipes" / "backends"
# A dozen times what a boot takes on two quiet cores: two machines boot at once, with a kernel for all hardware.
_BOOT_SECONDS = 900.0
# The units of each backend; the overlay of a backend masks those of the others.
UNITS = {
    "networkd": ("systemd-networkd.service", "systemd-networkd.socket", "systemd-networkd-wait-online.service"),
    "networkmanager": ("NetworkManager.service", "NetworkManager-wait-online.service"),
    "ifupdown": ("networking.service",),
}
BACKENDS = ("networkd", "networkmanager", "netplan", "ifupdown")

NETWORKS = """\
cluster: matrix
networks:
  provision:
    cidr: 10.0.0.0/16
    cidr6: "fd00::/64"
    gateway: 10.0.0.254
    gateway6: "fd00::fe"
    dns: [10.0.0.53, "fd00::53"]
    search: [example.org]
  storage: {cidr: 10.9.0.0/24, cidr6: "fd09::/64", mtu: 9000, dhcp: "off"}
  ipmi: {cidr: 10.8.0.0/24, dhcp: "off"}
  blue: {cidr: 10.100.0.0/24, cidr6: "fd64::/64", dhcp: "off"}
  green: {cidr: 10.200.0.0/24, dhcp: "off"}
  six: {cidr: 10.30.0.0/24, cidr6: "fd30::/64", dhcp: "off"}
  tail: {cidr: 10.40.0.0/24, dhcp: "off"}
  late: {cidr: 10.50.0.0/24, dhcp: "off"}
"""
NODE = """\
nodes:
  n001:
    # Else bond1, the first by name that has a MAC.
    primary: eth0
    groups: [BACKEND]
    kernel: {args: [matrix=BACKEND]}
    interfaces:
      eth0: {network: provision, mac: "52:54:00:00:00:00", ip: 10.0.1.1, ip6: "fd00::11", gateway6: "fd00::fe"}
      eth1: {network: storage, mac: "52:54:00:00:00:01"}
      eth2: {network: storage, mac: "52:54:00:00:00:02"}
      eth3: {network: green, mac: "52:54:00:00:00:03"}
      eth4: {network: green, mac: "52:54:00:00:00:04"}
      eth5:
        network: ipmi
        mac: "52:54:00:00:00:05"
        ip: 10.8.0.11
        routes: [{to: 10.7.0.0/16, via: 10.8.0.254}]
      bond0:
        network: storage
        ip: 10.9.0.11
        ip6: "fd09::11"
        dns: [10.9.0.53]
        search: [storage.example.org]
        bond:
          members: [eth1, eth2]
          mode: 802.3ad
          miimon: 200
          updelay: 400
          downdelay: 600
          lacp_rate: fast
          xmit_hash_policy: layer3+4
        routes:
          - {to: 10.20.0.0/16, via: 10.9.0.254, metric: 50}
          - {to: "fd20::/48", via: "fd09::fe", metric: 60}
          - {to: 10.21.0.0/16, via: 10.99.0.1}
      bond1: {network: green, mac: "52:54:00:00:01:01", bond: {members: [eth3, eth4], mode: active-backup}}
      bond0.100: {network: blue, ip: 10.100.0.11, ip6: "fd64::11", mtu: 1500, vlan: {id: 100, parent: bond0}}
      bond1.200: {network: green, ip: 10.200.0.11, gateway: 10.200.0.254, vlan: {id: 200, parent: bond1}}
      storage6: {network: six, ip6: "fd30::11", gateway6: "fe80::1", vlan: {id: 300, parent: eth5}}
      boot.400: {network: tail, ip: 10.40.0.11, vlan: {id: 400, parent: eth0}}
      late.500: {network: late, ip: 10.50.0.11, onboot: false, vlan: {id: 500, parent: eth5}}
"""
PEER = """\
nodes:
  peer1: {groups: [networkd], interfaces: {eth0: {network: provision, mac: "52:54:00:00:02:00", ip: 10.0.2.1}}}
"""
# Told from before any backend starts: what happens to addresses, on its own clock.
MONITOR = r"""\
[Unit]
Description=Write down what happens to addresses
DefaultDependencies=no
Before=network-pre.target
Wants=network-pre.target

[Service]
ExecStart=/bin/sh -c 'exec ip -o monitor address > /run/addresses'
# It listens as soon as it tells something.
ExecStartPost=/bin/sh -c 'until [ -s /run/addresses ]; do for what in add del; do \
    ip address $what 198.51.100.1 dev lo; done; done'

[Install]
WantedBy=sysinit.target
"""


class BackendSite(RealSite):
    """The site, its daemon, the peer, and the node under every backend, each once."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.lab = Lab(
            LabNetwork(IPv4Interface("10.0.0.1/16")),
            root / "lab",
            daemon=DaemonCommand.serve(self.paths),
            capture=True,
        )
        self._states: dict[str, State | Exception] = {}
        self._has_peer = False

    @classmethod
    def make(cls, root: Path, images: Path) -> Self:
        """The files of the site; the images are copied."""
        site = cls(root)
        root.mkdir(parents=True, exist_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "e2e", "-f", root / "key"])
        keys = json.dumps({"admin_keys": [(root / "key.pub").read_text().strip()]})
        site.write("provisioner.yaml", f"{NETWORKS}ssh: {keys}\n")
        site.write("groups.d/backends.yaml", json.dumps({"groups": dict(_groups())}))
        site.write("nodes.d/node.yaml", NODE.replace("BACKEND", BACKENDS[0]))
        site.write("nodes.d/peer.yaml", PEER)
        site.write("overlays/monitor/rootfs/etc/systemd/system/monitor-addresses.service", MONITOR)
        site.write("overlays/monitor/overlay.yaml", json.dumps({"links": _wanted("monitor-addresses.service")}))
        for kept in UNITS:
            site.write(f"overlays/only-{kept}/overlay.yaml", json.dumps({"links": dict(_masks(kept))}))
        shutil.copytree(
            images, site.paths.images, ignore=shutil.ignore_patterns("trees", "manifests", "tmp", "logs")
        )
        return site

    def write(self, name: str, text: str) -> None:
        """Write a file of the site."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def start_peer(self) -> None:
        """Switch the peer on; it is what it is when the node first boots."""
        self.lab.boot("peer1", peervm.far_mac(0), cables=peervm.far_cables())

    def _ended(self, node: str, *, after: BootRecord | None) -> BootRecord:
        """The boot of a node that came after another, once it is ready or broken."""

        def found() -> BootRecord | None:
            boot = self.last_boot(node)
            is_new = boot is not None and (after is None or boot.id != after.id)
            return boot if boot and is_new and boot.state in ("ready", "degraded", "failed") else None

        return wait_until(found, f"the boot of {node} to end", _BOOT_SECONDS)

    def _set_up_peer(self) -> None:
        if not self._has_peer:
            self._ended("peer1", after=None)
            self.ask("10.0.2.1", peervm.COMMANDS)
            self._has_peer = True

    def ask(self, address: str, script: str, *, timeout: float = 300) -> str:
        """Run a shell script on a machine and return what it printed."""
        options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=60"]
        known = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        command = ["ssh", *options, *known, "-i", str(self.root / "key"), f"root@{address}", script]
        return self.lab.run(command, timeout=timeout)

    def state(self, backend: str) -> State:
        """What the node is like under a backend; it boots when this is first asked."""
        if backend not in self._states:
            try:
                self._states[backend] = self._boot(backend)
            except (AssertionError, ProvisionerError) as error:
                # Once is enough: every other test of this backend says the same.
                self._states[backend] = error
        found = self._states[backend]
        if isinstance(found, Exception):
            raise found
        return found

    def _boot(self, backend: str) -> State:
        self.write("nodes.d/node.yaml", NODE.replace("BACKEND", backend))
        assert live.serve_changes(self.paths) == ""
        before = self.last_boot("n001")
        with self.lab.boot("n001", peervm.near_mac(0), cables=peervm.near_cables()) as machine:
            self._set_up_peer()
            boot = self._ended("n001", after=before)
            answered = self.ask("10.0.1.1", ping_script(peervm.ANSWERING), timeout=300).split()
            answers = read_answers(self.ask("10.0.1.1", question_script(peervm.ANSWERING)))
            return State(backend, boot, answers, frozenset(answered), machine.cpu_seconds())


def program_of(backend: str) -> str:
    """The backend that brings the devices up: netplan only writes the files of another."""
    return "networkd" if backend == "netplan" else backend


def image_store() -> Path:
    """The folder of an image store with the image of RECIPE; builds it where its ingredients have changed."""
    return built_once(CACHE / f"backends-{_ingredients()}", _build) / "site" / "var" / "images"


def _build(store: Path) -> None:
    site = store / "site"
    prov(site, "init", "--cluster", "images", "--network", "10.0.0.0/16")
    shutil.copytree(RECIPE, site / "images" / RECIPE.name)
    prov(site, "image", "build", RECIPE.name, timeout=1800)


def _groups() -> Iterator[tuple[str, dict[str, Any]]]:
    # An emulated processor pays dearly for the kernel's mitigations. On a busy machine it may stand still for
    # longer than the kernel waits for its first tick (it panics then), and than units wait for their start.
    emulated = ["mitigations=off", "no_timer_check", "systemd.default_timeout_start_sec=600"]
    arguments = ["console=ttyS0,115200", *emulated]
    yield "booted", {"image": RECIPE.name, "kernel": {"args": arguments}, "overlays": {"system": ["monitor"]}}
    for backend in BACKENDS:
        overlays = ["~network", backend, "resolv", f"only-{program_of(backend)}"]
        yield backend, {"groups": ["booted"], "overlays": {"system": overlays}}


def _masks(kept: str) -> Iterator[tuple[str, str]]:
    for backend, units in UNITS.items():
        for unit in units if backend != kept else ():
            yield f"etc/systemd/system/{unit}", "/dev/null"


def _wanted(unit: str) -> dict[str, str]:
    return {f"etc/systemd/system/sysinit.target.wants/{unit}": f"/etc/systemd/system/{unit}"}


def _ingredients() -> str:
    digest = hashlib.sha256((RECIPE / "recipe.yaml").read_bytes())
    for path in sorted([*(CHECKOUT / "images").rglob("*"), *(CHECKOUT / "provisioner" / "image").glob("*.py")]):
        if path.is_file():
            digest.update(str(path.relative_to(CHECKOUT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
