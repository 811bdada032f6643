"""Make a new site: provisioner.yaml, the folders for groups and nodes, and what git shall not keep."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from provisioner.config import emit
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ConflictError, ProvisionerError
from provisioner.host.files import locked, make_folder, write_atomically
from provisioner.model.catalogue import Catalogue
from provisioner.registry.check import unusable
from provisioner.registry.load import SITE_FILE, examine

_LARGEST_POOL = 254
_SMALLEST_WITH_POOL = 16
_KEY_TYPES = ("ssh-", "ecdsa-", "sk-")
_MODE = 0o640
# State, where it lies below the site, is no text either.
_NOT_IN_GIT = "/secrets/\n/var/\n/run/\n"


@dataclass(frozen=True, kw_only=True)
class NewSite:
    """What a site starts with. `admin_keys` are lines as in authorized_keys."""

    cluster: str
    network: str
    domain: str = "cluster.local"
    server: str | None = None
    admin_keys: tuple[str, ...] = ()


def init_site(paths: Paths, new: NewSite) -> Path:
    """Write a new site and return the path of its provisioner.yaml.

    Raises ConflictError when there is a site already, and ConfigError when a value is not what it should be.
    """
    with locked(paths.write_lock):
        if paths.site_file.exists():
            raise ConflictError(f"{paths.site_file} exists already", hint="edit it, or choose another --root")
        content = site_content(new)
        for folder in (paths.group_files, paths.node_files):
            make_folder(folder)
        ignore = paths.site / ".gitignore"
        if not ignore.exists():
            write_atomically(ignore, _NOT_IN_GIT.encode())
        write_atomically(paths.site_file, content, mode=_MODE)
    return paths.site_file


def site_content(new: NewSite) -> bytes:
    """The first provisioner.yaml, without mistakes: ConfigError when a value is not what it should be."""
    content = site_text(new).encode()
    problems = examine(
        {SITE_FILE: content}, catalogue=Catalogue(), overlays=frozenset(), scripts=frozenset()
    ).problems
    if problems:
        raise ConfigError(problems)
    return content


def read_admin_keys(file: Path) -> tuple[str, ...]:
    """The public keys in a file; ProvisionerError when it holds anything else."""
    try:
        lines = [line.strip() for line in file.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ProvisionerError(
            f"{file} cannot be read as public keys: {error}", hint="ssh-keygen -t ed25519"
        ) from None
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not keys or not all(key.startswith(_KEY_TYPES) for key in keys):
        raise ProvisionerError(f"{file} holds no public keys of OpenSSH", hint=f"give {file}.pub")
    return keys


def site_text(new: NewSite) -> str:
    """The first provisioner.yaml, with comments that say what else there is."""
    network = _network(new.network)
    pool = choose_pool(network, _address(new.server) if new.server else None)
    server = f"server: {new.server}" if new.server else "# server: the address of this machine in the network"
    keys = "".join(f"\n    - {emit.scalar(key)}" for key in new.admin_keys) or " []"
    return f"""\
# The site. docs/configuration.md explains every key; `prov check` names every mistake.
cluster: {emit.scalar(new.cluster)}

networks:
  provision:
    cidr: {emit.scalar(str(network))}
    domain: {emit.scalar(new.domain)}
    dhcp: authoritative      # or off, beside a DHCP server of your own
    {server}
    # gateway: where nodes send what is not for this network
    # dns: [addresses of name servers; the server itself unless given]
    {f"pool: {pool}" if pool else "# pool: addresses"}   # for machines that are no nodes yet

ssh:
  # Who may log in to the nodes as root.
  admin_keys:{keys}
"""


def choose_pool(network: IPv4Network, server: IPv4Address | None) -> str | None:
    """The top quarter of a network, at most 254 addresses, without the server; None where there is no room."""
    if network.num_addresses < _SMALLEST_WITH_POOL:
        return None
    size = min(_LARGEST_POOL, network.num_addresses // 4)
    last = network.broadcast_address - 1
    if server is not None and last - size < server <= last:
        last = server - 1
    return f"{last - size + 1}-{last}"


def _network(text: str) -> IPv4Network:
    try:
        network = IPv4Network(text)
    except ValueError as error:
        hint = "a network starts at its first address, as in --network 10.0.0.0/16"
        raise ProvisionerError(f"{text!r} is not an IPv4 network: {error}", hint=hint) from None
    unfit = unusable(network)
    if unfit:
        raise ProvisionerError(unfit, hint="choose the network of your nodes, as in --network 10.0.0.0/16")
    return network


def _address(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except ValueError:
        raise ProvisionerError(f"{text!r} is not an IPv4 address", hint="for example --server 10.0.0.1") from None
