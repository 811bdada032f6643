"""The pages of the manual, and the few commands in them that no test can run, each with its reason."""

from __future__ import annotations

from tests.support.manual import Page
from tests.support.manual_world import SLOW
from tests.support.realsite import CHECKOUT

PAGES = [Page.read(CHECKOUT, path) for path in (CHECKOUT / "README.md", *sorted(CHECKOUT.glob("docs/*.md")))]

_BENCH = "takes minutes and other programs; `make bench` and `make test-long` are run apart"
_KERNEL = "changes the kernel of the machine; a namespace does not have these settings"
NOT_RUN: dict[tuple[str, str], str] = {
    ("README.md", "make demo"): "installs packages on the machine; packaging/demo.sh is the same as a script",
    ("README.md", "make test"): "it is what runs this test",
    ("docs/images.md", "skopeo copy docker://registry.example/rocky:9 oci:/srv/rocky:9"): "needs a registry",
    (
        "docs/measurements.md",
        "apt-get install --no-install-recommends kea-dhcp4-server tftpd-hpa nginx-light pigz",
    ): "installs packages on the machine",
    ("docs/measurements.md", "make bench"): _BENCH,
    ("docs/measurements.md", ".venv/bin/pytest -m long tests/long"): _BENCH,
    (
        "docs/measurements.md",
        "sysctl -w net.ipv4.neigh.default.gc_thresh1=8192 net.ipv4.neigh.default.gc_thresh2=16384",
    ): _KERNEL,
    ("docs/measurements.md", "sysctl -w net.ipv4.neigh.default.gc_thresh3=32768"): _KERNEL,
}


def quick() -> list[Page]:
    """The pages with commands that need no virtual machine."""
    return [page for page in PAGES if page.commands and not (page.world or frozenset()) & SLOW]


def slow() -> list[Page]:
    """The pages with commands for virtual machines, or for the machine's own network."""
    return [page for page in PAGES if page.commands and (page.world or frozenset()) & SLOW]


def left_out(page: Page) -> set[str]:
    """The commands of a page that no test can run."""
    return {command for name, command in NOT_RUN if name == page.name}
