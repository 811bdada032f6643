"""The pages of the manual, and the few commands in them that no test can run, each with its reason."""

from __future__ import annotations

from tests.support.manual import Page
from tests.support.manual_world import SLOW
from tests.support.realsite import CHECKOUT

_FIRST = CHECKOUT / "docs" / "first-node.md"
PAGES = [Page.read(CHECKOUT, path) for path in (CHECKOUT / "README.md", *sorted(CHECKOUT.glob("docs/*.md")))]

_BENCH = "takes minutes and other programs; `make bench` and `make test-long` are run apart"
_KERNEL = "changes the kernel of the machine; a namespace does not have these settings"
_START = (
    'prov switch start @rack1 --to rocky-9 --canary 1 --batch 10 --reboot-command "ssh {node} systemctl reboot"'
)
NOT_RUN: dict[tuple[str, str], str] = {
    ("README.md", "make demo"): "installs packages on the machine; packaging/demo.sh is the same as a script",
    ("README.md", "make test"): "it is what runs this test",
    **dict.fromkeys(
        (
            ("docs/vagrant.md", command)
            for command in (
                "vagrant up",
                "vagrant up node1 node2",
                'vagrant ssh head -c "sudo prov status"',
                "virsh -c qemu:///system list",
                "virsh -c qemu:///system reset FOLDER_node2",
                'vagrant ssh head -c "sudo prov image list"',
                'vagrant ssh head -c "sudo prov group set compute --image OTHER --yes"',
                'vagrant ssh head -c "sudo prov undo --yes"',
            )
        ),
        "tests/e2e/test_vagrant.py does the same in a rig of its own",
    ),
    **dict.fromkeys(
        ((page.name, command.text) for page in [Page.read(CHECKOUT, _FIRST)] for command in page.commands),
        "needs a bare machine; the head node of tests/e2e/test_vagrant.py takes its commands from this page",
    ),
    **dict.fromkeys(
        (
            ("docs/images.md", f"prov image {words}")
            for words in (
                "import docker://registry.example/rocky/9:latest rocky-9",
                "import docker://registry.example/rocky/9:latest rocky-9 --login alice",
                "import docker://registry.example:5000/rocky/9@sha256:… rocky-9 --cert-dir /etc/provisioner/ca",
                "import docker://docker.io/rockylinux/rockylinux:9 rocky-9-base",
                "build rocky-9 --from rocky-9-base",
            )
        ),
        "needs a registry; tests/integration/image/test_registry.py has one",
    ),
    **dict.fromkeys(
        (
            ("docs/images.md", f"prov image {words}")
            for words in (
                "import ssh://root@node17 centos-7",
                'exec rocky-9 --network --note "strace" -- dnf -y install strace',
                "exec rocky-9 --bind /srv/rpms:/mnt:ro -- rpm -U /mnt/vendor-driver.rpm",
                "exec rocky-9 --as n17 -- systemd-analyze verify default.target",
                "shell rocky-9 --as n17",
                "syncuser rocky-9 --plan",
                "syncuser rocky-9 --like centos-7@12 --plan",
                "syncuser rocky-9 --from /srv/passwd,/srv/group --only munge,slurm",
            )
        ),
        "needs a real Rocky image or a machine that runs; tests/integration does the same with others",
    ),
    **dict.fromkeys(
        (
            ("docs/centos-to-rocky.md", command)
            for command in (
                "prov image import dir:/var/chroots/centos7 centos-7",
                "prov image import ssh://root@n001 centos-7",
                "prov image import sif:/srv/centos7.sif centos-7",
                "prov image import docker://docker.io/rockylinux/rockylinux:9 rocky-9-base",
                "prov image build rocky-9-compute --from rocky-9-base --name rocky-9",
            )
        ),
        "needs sources of the reader's own; tests/integration/image imports from each kind of them",
    ),
    **dict.fromkeys(
        (
            ("docs/centos-to-rocky.md", command)
            for command in (
                "prov import hostkeys @rack1",
                'prov import hostkeys @rack1 --ssh "ssh -i /root/.ssh/cluster root@{node}"',
                "prov image test rocky-9 --group rack1",
                _START,
                "prov switch resume rack1",
                "prov switch finish rack1",
            )
        ),
        "needs nodes that run; tests/e2e/test_switch.py does the same with virtual machines",
    ),
    (
        "docs/measurements.md",
        "apt-get install --no-install-recommends kea-dhcp4-server tftpd-hpa nginx-light pigz umoci",
    ): "installs packages on the machine",
    ("docs/measurements.md", "make bench"): _BENCH,
    ("docs/measurements.md", ".venv/bin/pytest -m long tests/long"): _BENCH,
    ("docs/operations.md", "prov lab storm --nodes 10000 --loss 1 --spread 180 --kill 2"): _BENCH,
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
