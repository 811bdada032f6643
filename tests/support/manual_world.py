"""What the commands of a page find: a shell, as root, in a scratch folder, with a network of its own.

The shell has its own `/tmp` and `/srv`, and `PROVISIONER_ROOT=/tmp/site`, so a page can name paths that are the
same everywhere, and touches nothing of the machine. The words of a page's `run:` comment add:

| word | what is there |
|---|---|
| `none` | nothing more |
| `store` | an image store with `debian-12@1`, a small image that does not boot |
| `site` | a site as `prov init --cluster demo --network 10.0.0.0/16 --server 10.0.0.1` makes it |
| `image` | `store` and `site` |
| `nodes` | `image`, with the group and the four nodes that the README makes |
| `switch` | a site, images `centos-7@1` and `rocky-9@1` that do not boot, and `rack1` with `n[001-004]` |
| `daemon` | `image`, and `prov serve` with the server's address on a bridge |
| `layout` | `/srv/rocky`, an OCI image layout with the tag `9` |
| `lab` | for virtual machines: the page is an end-to-end test |
| `debian` | the store has the real `debian-12`, which boots; only with `lab` |
| `online` | the machine's own network, to fetch packages: the page is an end-to-end test |
| `checkout` | the shell starts in the checkout, not in `/tmp` |
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from tests.support.oci import Layout, Tar, bootable_layer
from tests.support.realsite import CHECKOUT, STREAMED, image_store, prov
from tests.support.terminal import Terminal

SITE = Path("/tmp/site")
WORDS = frozenset(
    {
        "none",
        "store",
        "site",
        "image",
        "nodes",
        "switch",
        "daemon",
        "layout",
        "lab",
        "debian",
        "online",
        "checkout",
    }
)
SLOW = frozenset({"lab", "online"})
"""Words that make a page an end-to-end test."""

_IMPLIED = {"nodes": {"image"}, "switch": {"site"}, "daemon": {"image"}, "image": {"store", "site"}}
_NAMESPACE = (
    *("unshare", "--mount", "--propagation", "slave", "--pid", "--mount-proc"),
    *("--fork", "--kill-child=KILL"),
)
_NOTHING: Mapping[str, str] = MappingProxyType({})
_DISTRIBUTIONS = {
    "centos-7": (
        "3.10.0-1160.el7.x86_64",
        'ID=centos\nID_LIKE="rhel fedora"\nVERSION_ID="7"\nPRETTY_NAME="CentOS Linux 7 (Core)"\n',
        "root:x:0:0:root:/root:/bin/bash\nmunge:x:998:998::/:/sbin/nologin\nntp:x:38:38::/:/sbin/nologin\n",
        "etc/sysconfig/network-scripts/network-functions",
    ),
    "rocky-9": (
        "5.14.0-570.12.1.el9_6.x86_64",
        'ID=rocky\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.6"\nPRETTY_NAME="Rocky Linux 9.6 (Blue Onyx)"\n',
        "root:x:0:0:root:/root:/bin/bash\nmunge:x:990:990::/:/sbin/nologin\n",
        "usr/sbin/NetworkManager",
    ),
}
_FILES = {
    "groups.d/compute.yaml": """\
groups:
  compute: {image: debian-12, kernel: {args: [console=ttyS0]}}
""",
    "nodes.d/nodes.yaml": """\
nodes:
  n[001-004]: {groups: [compute], interfaces: {eth0: {ip: 10.0.1.1+}}}
  n001: {interfaces: {eth0: {mac: "52:54:00:00:00:01"}}}
  n002: {interfaces: {eth0: {mac: "52:54:00:00:00:02"}}}
""",
}
_RACK = {
    "groups.d/rack1.yaml": "groups:\n  rack1: {image: centos-7, kernel: {args: [console=ttyS0]}}\n",
    "nodes.d/nodes.yaml": """\
nodes:
  n[001-004]: {groups: [rack1], interfaces: {eth0: {ip: 10.0.1.1+}}}
  n001: {interfaces: {eth0: {mac: "52:54:00:00:00:01"}}}
  n002: {interfaces: {eth0: {mac: "52:54:00:00:00:02"}}}
  n003: {interfaces: {eth0: {mac: "52:54:00:00:00:03"}}}
  n004: {interfaces: {eth0: {mac: "52:54:00:00:00:04"}}}
""",
}
_INIT = "prov init --cluster demo --network 10.0.0.0/16 --server 10.0.0.1"
_BRIDGE = """\
mount -t sysfs sysfs /sys
ip link add prov0 type bridge
ip link set prov0 up
ip address add 10.0.0.1/16 dev prov0
"""
_SERVE = f"""\
prov serve > {SITE}.log 2>&1 &
for attempt in {{1..300}}; do
    prov status 2>&1 | grep -q '^daemon' && break
    sleep 0.1
done
prov status | grep -q '^daemon' || {{ cat {SITE}.log; false; }}
"""


class Stores:
    """Image stores to copy from, each made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def small(self) -> Path:
        """The state folder of a site with `debian-12@1`, which has everything but a kernel that runs."""
        site = self._folder / "site"
        if not site.exists():
            source = self._folder / "layout"
            _write_layout(
                source, "6.1.0-1-cloud-amd64", 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
            )
            prov(site, "image", "import", f"oci:{source}", "debian-12")
        return site / "var"

    def two(self) -> Path:
        """The same with `centos-7@1` and `rocky-9@1`, which differ in the way that the distributions do."""
        site = self._folder / "two"
        if not site.exists():
            for name, (kernel, release, passwd, network) in _DISTRIBUTIONS.items():
                source = self._folder / f"layout-{name}"
                _write_layout(source, kernel, release, {"etc/passwd": passwd, network: "#!/bin/sh\n"})
                prov(site, "image", "import", f"oci:{source}", name)
        return site / "var"

    def real(self) -> Path:
        """The same with an image that boots: the one of the other end-to-end tests."""
        return image_store().parent


def seconds_of(world: frozenset[str]) -> float:
    """How long a command of a page may take."""
    return 900 if world & SLOW else 120


@contextmanager
def opened(world: frozenset[str], folder: Path, stores: Stores) -> Iterator[Terminal]:
    """A shell in a world with these words, which has a folder for itself."""
    words = _complete(world)
    place = _lay_out(words, folder, stores)
    network = () if "online" in words else ("--net",)
    with Terminal([*_NAMESPACE, *network], cwd=CHECKOUT, environment=_environment()) as terminal:
        for line in _preparations(words, place):
            printed = terminal.run(line)
            assert printed.status == 0, f"{line}: {printed.reason} {printed.text}"
        yield terminal


def _complete(world: frozenset[str]) -> frozenset[str]:
    found = set(world)
    for word, implied in _IMPLIED.items():
        if word in found:
            found |= implied
    assert found <= WORDS, f"unknown in a run comment: {' '.join(sorted(found - WORDS))}"
    return frozenset(found)


def _lay_out(words: frozenset[str], folder: Path, stores: Stores) -> Path:
    """The folder that becomes `/tmp`, and beside it the one that becomes `/srv`."""
    place = folder / "tmp"
    site = place / SITE.name
    site.mkdir(parents=True)
    place.chmod(0o1777)
    (folder / "srv").mkdir()
    if words & {"store", "debian", "switch"}:
        # Trees are only needed to build; no page knows the image that is there for tests of streaming.
        left_out = shutil.ignore_patterns("trees", "manifests", "tmp", "logs", STREAMED)
        store = stores.real() if "debian" in words else stores.two() if "switch" in words else stores.small()
        shutil.copytree(store / "images", site / "var" / "images", ignore=left_out)
    if "layout" in words:
        release = 'ID=rocky\nPRETTY_NAME="Rocky Linux 9.6 (Blue Onyx)"\n'
        _write_layout(folder / "srv" / "rocky", "5.14.0-570.12.1.el9_6.x86_64", release)
    return place


def _preparations(words: frozenset[str], place: Path) -> Iterator[str]:
    if CHECKOUT.is_relative_to("/tmp"):
        inside = place / CHECKOUT.relative_to("/tmp")
        yield f"mkdir -p {inside} && mount --rbind {CHECKOUT} {inside}"
    yield f"mount --bind {place.parent}/srv /srv && mount --rbind {place} /tmp"
    if "online" not in words:
        yield "ip link set lo up"
    yield f"cd {CHECKOUT if 'checkout' in words else '/tmp'}"
    if "site" in words:
        yield _INIT
    for name, text in {**(_FILES if "nodes" in words else {}), **(_RACK if "switch" in words else {})}.items():
        yield f"cat > {SITE}/{name} <<'EOF'\n{text}EOF"
    if "daemon" in words:
        yield _BRIDGE
        yield _SERVE


def _environment() -> dict[str, str]:
    path = f"{CHECKOUT}/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    unwanted = {"COLUMNS", "LINES", "NO_COLOR", "EDITOR", "VISUAL"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    own = {"PATH": path, "PROVISIONER_ROOT": str(SITE), "HOME": "/tmp", "LANG": "C.UTF-8", "TERM": "xterm"}
    return {**kept, **own, "TZ": "UTC"}


def _write_layout(folder: Path, kernel: str, os_release: str, more: Mapping[str, str] = _NOTHING) -> None:
    made = Layout(folder)
    own = Tar().add("etc/os-release", data=os_release.encode())
    for path, text in more.items():
        own.add(path, data=text.encode(), mode=0o755)
    # Overlays look for what sets the network up.
    own.add("usr/lib/systemd", "directory").add(
        "usr/lib/systemd/systemd-networkd", data=b"#!/bin/sh\n", mode=0o755
    )
    layers = [bootable_layer(kernel), own.done()]
    made.name(made.image(layers), "9")
