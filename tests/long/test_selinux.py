"""Debian's own policy, enforced on nodes whose roots keep nothing: labels of files and domains of programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.model.boot import BootRecord
from provisioner.model.written import RootKind
from tests.support.realsite import RealSite, image_store, prov

pytestmark = [
    pytest.mark.long,
    pytest.mark.root,
    pytest.mark.needs("qemu-system-x86_64", "ip", "mmdebstrap"),
    pytest.mark.timeout(3000),
]

RECIPE = """\
kind: mmdebstrap
base: debian-12
packages: [policycoreutils, selinux-policy-default, selinux-utils]
"""
LABELS = {
    "/": "root_t",
    "/etc": "etc_t",
    "/etc/shadow": "shadow_t",
    "/usr/sbin/sshd": "sshd_exec_t",
    "/etc/motd": "etc_t",
    "/etc/ssh/ssh_host_ed25519_key": "sshd_key_t",
    "/root/.ssh/authorized_keys": "ssh_home_t",
}
NUMBERS = {RootKind.OVERLAY: 1, RootKind.TMPFS: 2, RootKind.STREAM: 3}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSite]:
    """A site whose nodes have a Debian with a policy, permissive as Debian ships it."""
    made = RealSite.make(tmp_path_factory.mktemp("site"), image_store())
    recipe = made.root / "images/policed/recipe.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text(RECIPE)
    prov(made.root, "image", "build", "policed", "--archive", "--streamed", timeout=1800)
    prov(made.root, "group", "set", "compute", "--yes", "image=policed")
    with made:
        yield made


def booted(site: RealSite, kind: RootKind) -> BootRecord:
    """A node with such a root, enforcing; only one runs at a time."""
    name = f"n{NUMBERS[kind]:03}"
    arguments = "kernel.args=[console=ttyS0, mitigations=off, no_timer_check, security=selinux, enforcing=1]"
    site.prov("node", "set", name, "--yes", f"root.kind={kind}", "root.size=80%", arguments)
    site.boot(NUMBERS[kind])
    return site.wait_for_boot(name)


def labels(site: RealSite, number: int) -> dict[str, str]:
    said = site.shell(number, f"stat -c '%n %C' {' '.join(LABELS)}")
    return {path: context.split(":")[2] for path, context in (line.split() for line in said.splitlines())}


@pytest.mark.parametrize("kind", NUMBERS)
def test_files_and_programs_have_the_labels_of_the_policy(site: RealSite, kind: RootKind) -> None:
    boot, number = booted(site, kind), NUMBERS[kind]
    try:
        assert (boot.state, boot.reason) == ("ready", "")
        assert site.shell(number, "getenforce") == "Enforcing\n"
        assert labels(site, number) == LABELS
        assert ":sshd_t:" in site.shell(number, "ps -o label= -C sshd | head -1")
        wrong = ("unlabeled_t", "tmpfs_t", "default_t")
        sought = " -o ".join(f"-xdev -context '*:{each}:*' -print" for each in wrong)
        assert site.shell(number, f"find / {sought}") == ""
    finally:
        site.lab.machine(f"n{number:03}").power_off()
