"""A real sshd with host key, certificate and drop-in of a node, and a real client that trusts the authority."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.errors import CommandError
from provisioner.host.run import run
from provisioner.lab.namespace import Namespace
from tests.support import unpacked
from tests.support.daemon import eventually
from tests.support.richnode import render, rich, unpack

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("ssh", "ssh-keygen"),
]

ADDRESSES = ("10.0.1.1", "10.9.0.1")


class Login:
    """sshd in a namespace that has the addresses of n001, and a client with a key that may log in."""

    def __init__(self, folder: Path, namespace: Namespace) -> None:
        (folder / "site").mkdir()
        self.tree = unpack(render(folder / "site", "ssh", "hosts", "known-hosts", node=rich()), folder / "tree")
        self.folder = folder
        self._namespace = namespace
        self._libraries = [f"{name}={value}" for name, value in unpacked.environment().items()]

    def start(self) -> None:
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / "key"])
        (self.tree / "root/.ssh/authorized_keys").write_text((self.folder / "key.pub").read_text())
        # sshd gives up root for a user that its package makes.
        passwd = self.folder / "passwd"
        passwd.write_text(Path("/etc/passwd").read_text() + "sshd:x:64999:65534::/run/sshd:/usr/sbin/nologin\n")
        for address in ADDRESSES:
            self.run("ip", "address", "add", f"{address}/32", "dev", "lo")
        self.run("mount", "-t", "tmpfs", "tmpfs", "/run")
        self.run("mkdir", "-p", "-m", "0755", "/run/sshd")
        for ours, theirs in ((passwd, "/etc/passwd"), (self.tree / "etc/hosts", "/etc/hosts")):
            self.run("mount", "--bind", str(ours), theirs)
        self.run("mount", "--bind", str(self.tree / "etc/ssh"), "/etc/ssh")
        self.run("mount", "--bind", str(self.tree / "root"), "/root")
        self.config = self.folder / "sshd_config"
        self.config.write_text("Include /etc/ssh/sshd_config.d/*.conf\nPidFile none\nUsePAM no\n")

    def sshd(self, *options: str) -> list[str]:
        program = str(unpacked.program("usr/sbin/sshd"))
        return ["env", *self._libraries, program, *options, "-f", str(self.config)]

    def serve(self) -> None:
        log = self.folder / "sshd.log"
        with log.open("wb") as output:
            self._namespace.spawn(self.sshd("-D", "-e"), output=output, cwd=self.folder)
        eventually(lambda: "Server listening" in log.read_text())

    def run(self, *command: str) -> str:
        return self._namespace.run(list(command))

    def ssh(self, host: str, *, only: str) -> str:
        """The name that a login answers with; `only` is the one file of known hosts that the client reads."""
        options = (
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "UserKnownHostsFile=none",
            f"GlobalKnownHostsFile={only}",
        )
        words = [word for option in options for word in ("-o", option)]
        return self.run("ssh", "-F", "none", *words, "-i", str(self.folder / "key"), f"root@{host}", "echo", "in")


@pytest.fixture
def login(tmp_path: Path) -> Iterator[Login]:
    with Namespace() as namespace:
        login = Login(tmp_path, namespace)
        login.start()
        yield login


def test_sshd_accepts_the_drop_in_and_uses_this_key_and_certificate_only(login: Login) -> None:
    login.run(*login.sshd("-t"))
    settings = login.run(*login.sshd("-T")).splitlines()

    assert [line for line in settings if line.startswith("hostkey ")] == ["hostkey /etc/ssh/ssh_host_ed25519_key"]
    assert "hostcertificate /etc/ssh/ssh_host_ed25519_key-cert.pub" in settings


@pytest.mark.parametrize("known", ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"])
def test_a_client_logs_in_to_every_name_and_address_without_a_question(login: Login, known: str) -> None:
    login.serve()

    for host in ("n001", "n001.cluster.local", "n001-ib0", *ADDRESSES):
        assert login.ssh(host, only=known) == "in\n"


def test_a_client_refuses_a_node_that_shows_the_certificate_of_another(login: Login) -> None:
    login.serve()
    # n002 in the client's eyes is the machine of n001.
    hosts = login.tree / "etc/hosts"
    hosts.write_text(hosts.read_text().replace("10.0.1.2 ", "10.0.1.1 "))

    with pytest.raises(CommandError) as caught:
        login.ssh("n002", only="/etc/ssh/ssh_known_hosts")

    assert "Certificate invalid: name is not a listed principal" in caught.value.output
