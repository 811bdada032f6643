"""A real sshd on loopback, in a mount namespace of its own, that lets one key in as root."""

from __future__ import annotations

import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import unpacked
from tests.support.daemon import eventually

HOST = "127.0.0.1"


@contextmanager
def sshd(folder: Path, *, before: str = "true") -> Iterator[tuple[int, Path]]:
    """Run sshd; give its port and a configuration for clients. `before` is a command in its namespace."""
    folder.mkdir()
    for name in ("host", "key"):
        command: list[str | Path] = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name]
        subprocess.run(command, check=True)
    # sshd gives up root for a user that its package makes.
    passwd = folder / "passwd"
    passwd.write_text(Path("/etc/passwd").read_text() + "sshd:x:64999:65534::/run/sshd:/usr/sbin/nologin\n")
    port = _free_port()
    log = folder / "log"
    script = f"""
set -e
mount -t tmpfs -o mode=755 run /run
mkdir -m 0755 /run/sshd
mount --bind {passwd} /etc/passwd
{before}
exec {_server(folder, port)}
"""
    space = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    with log.open("wb") as output:
        process = subprocess.Popen(space, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        eventually(lambda: "Server listening" in log.read_text())
        yield port, _client(folder, port)
    finally:
        process.kill()
        process.wait()


def _server(folder: Path, port: int) -> str:
    (folder / "sshd_config").write_text(
        f"ListenAddress {HOST}\nPort {port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/key.pub\n"
        "PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n"
    )
    libraries = [f"{name}={value}" for name, value in unpacked.environment().items()]
    program = str(unpacked.program("usr/sbin/sshd"))
    return shlex.join(["env", *libraries, program, "-D", "-e", "-f", str(folder / "sshd_config")])


def _client(folder: Path, port: int) -> Path:
    (folder / "known").write_text(f"[{HOST}]:{port} {(folder / 'host.pub').read_text()}")
    file = folder / "ssh_config"
    file.write_text(
        f"Host *\n  IdentityFile {folder}/key\n  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known\n"
        "  GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n  BatchMode yes\n"
    )
    return file


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])
