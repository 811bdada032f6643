"""On what terms a source is imported: platform, logins, trust, limits, and who hears of the progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from provisioner.image.architecture import BOOTABLE
from provisioner.image.layer import Limits

Say = Callable[[str], None]
Watch = Callable[[int, int], None]
"""Gets the bytes that a step has done and has to do; 0 to do where nobody knows."""


def silent(_done: int, _total: int) -> None:
    """Watch nothing."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to talk to registries.

    `login` is a user and a password, `authfile` a containers-auth.json(5), `certificates` a folder with `ca.crt`,
    `policy` a containers-policy.json(5) of whose signatures to trust. `insecure` allows plain HTTP and
    certificates that nobody checked.
    """

    login: tuple[str, str] | None = None
    authfile: Path | None = None
    certificates: Path | None = None
    policy: Path | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What an import is told.

    `store` is the folder of the image store, `site_keys` the site's own keyring of signers, which need not exist.
    `keyring` is one for this import; `unsigned` takes SIF files that nobody signed although there is a keyring.
    """

    store: Path
    site_keys: Path
    platform: str = BOOTABLE
    access: Access = field(default_factory=Access)
    keyring: Path | None = None
    unsigned: bool = False
    ssh_config: Path | None = None
    limits: Limits = field(default_factory=Limits)
    say: Say = lambda _: None
    watch: Watch = silent

    @property
    def architecture(self) -> str:
        """`amd64` of `linux/amd64`."""
        return self.platform.removeprefix("linux/")
