"""skopeo, which knows all ways to talk to a registry: what it is told, and how it is asked.

It gets a signature policy and a login of its own each time, so what this machine's users configured for other
programs changes nothing, and no password is ever an argument.
"""

from __future__ import annotations

import base64
import json
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import CommandError, NotFoundError, ProvisionerError
from provisioner.host.run import require, run
from provisioner.image import confined, registryfault
from provisioner.image.terms import Access, Watch

_ASK = 120.0
_HUB = "docker.io"
_ANY = {"default": [{"type": "insecureAcceptAnything"}]}
IMAGE = "image"
"""The tag of what `copy` makes."""


@dataclass(frozen=True, slots=True)
class Skopeo:
    """One way to talk to registries; `scratch` is a folder of its own for what it needs meanwhile."""

    access: Access
    policy: Path
    authfile: Path | None
    scratch: Path

    def inspect(self, name: str, *, config: bool = False) -> str:
        """The raw manifest of `HOST/PATH:TAG` or `HOST/PATH@DIGEST`, or the configuration of that image.

        Raises NotFoundError, UnavailableError, IntegrityError or ProvisionerError with what went wrong.
        """
        source = self._options("") + (["--config"] if config else []) + ["--raw", f"docker://{name}"]
        try:
            return run(["skopeo", "inspect", *source], timeout=_ASK)
        except CommandError as error:
            raise registryfault.explained(error, name) from None

    def copy(self, name: str, layout: Path, blobs: Path, *, platform: str, watch: Watch) -> None:
        """Copy an image into a new layout, its blobs into a shared folder; blobs that are there already stay.

        Raises as `inspect` does. `watch` gets the bytes that arrived (and 0).
        """
        system, _, processor = platform.partition("/")
        command = ["skopeo", "--policy", str(self.policy), "--override-os", system, "--override-arch", processor]
        command += ["copy", "--retry-times", "3", *self._options("src-"), "--dest-oci-accept-uncompressed-layers"]
        command += ["--dest-shared-blob-dir", str(blobs), f"docker://{name}", f"oci:{layout}:{IMAGE}"]
        log = self.scratch / "skopeo.log"
        # Parts of blobs go where the rest of the import is, not to /var/tmp.
        environment = {"TMPDIR": str(self.scratch)}
        with (
            log.open("wb") as output,
            confined.running(
                [require(command[0]), *command[1:]], stdout=output, stderr=output, environment=environment
            ) as process,
        ):
            status = confined.wait(process, lambda _: watch(_arriving(layout), 0))
        if status != 0:
            text = log.read_text(errors="replace")
            failed = CommandError(f"skopeo copy failed with status {status}:\n{text}", status=status, output=text)
            raise registryfault.explained(failed, name)

    def _options(self, side: str) -> list[str]:
        words = [f"--{side}tls-verify={'false' if self.access.insecure else 'true'}"]
        if self.authfile is not None:
            # Of the whole command in one case and of its source in the other.
            words += [f"--{side}authfile", str(self.authfile)]
        if self.access.certificates is not None:
            words += [f"--{side}cert-dir", str(self.access.certificates.absolute())]
        return words


@contextmanager
def skopeo(name: str, access: Access, *, scratch: Path) -> Iterator[Skopeo]:
    """A client for the registry of `HOST/PATH`; what it needs on disk is gone afterwards.

    Raises NotFoundError for files that `access` names and that are not there.
    """
    for path in (access.authfile, access.certificates, access.policy):
        if path is not None and not path.exists():
            raise NotFoundError(f"{path} does not exist")
    with tempfile.TemporaryDirectory(prefix="skopeo-", dir=scratch) as folder:
        policy = access.policy or _write(Path(folder, "policy.json"), _ANY)
        authfile = access.authfile
        if access.login is not None:
            user, password = access.login
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            authfile = _write(Path(folder, "auth.json"), {"auths": {host_of(name): {"auth": token}}})
        yield Skopeo(access, policy, authfile, Path(folder))


def host_of(name: str) -> str:
    """The registry in `HOST/PATH`; docker.io where it names none, as everywhere."""
    host, slash, _ = name.partition("/")
    return host if slash and (host == "localhost" or "." in host or ":" in host) else _HUB


def read_login(file: Path) -> tuple[str, str]:
    """User and password in a file of one line, `USER:PASSWORD`.

    Raises NotFoundError when it is not there, ProvisionerError when it says something else, or when others may
    read it.
    """
    try:
        mode, text = file.stat().st_mode, file.read_text()
    except OSError as error:
        raise NotFoundError(f"{file} cannot be read: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise ProvisionerError(f"others may read the password in {file}", hint=f"chmod 600 {file}")
    user, colon, password = text.strip().partition(":")
    if not (user and colon and password) or "\n" in password:
        raise ProvisionerError(f"{file} holds no login", hint="write one line, USER:PASSWORD")
    return user, password


def _write(file: Path, content: object) -> Path:
    file.touch(mode=0o600)
    file.write_text(json.dumps(content))
    return file


def _arriving(layout: Path) -> int:
    """Bytes in files that skopeo has not named yet: it writes them beside the layout's index."""
    try:
        return sum(file.stat().st_size for file in layout.glob("oci-put-blob*"))
    except OSError:
        return 0
