"""Secure Boot with a key of the site's own: make it, sign what the site builds, and bring it into firmware."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from provisioner.archive.efikeys import enrolled, signature_list
from provisioner.config.decode import decode_site
from provisioner.config.marked import parse
from provisioner.config.paths import Paths
from provisioner.errors import CommandError, ConfigError, IntegrityError, NotFoundError
from provisioner.host.files import make_folder, write_atomically
from provisioner.host.run import run
from provisioner.host.who import who
from provisioner.image import store, unified
from provisioner.image.scratch import workspace
from provisioner.image.signing import is_signed, sign_in_place
from provisioner.image.signing import sign as signed_copy
from provisioner.model.image import Generation
from provisioner.operations import live
from provisioner.tftp.table import LOADER_FOLDERS, read_loaders
from provisioner.trust.bootkey import BootKey
from provisioner.trust.seal import unsealed

Say = Callable[[str], None]

OVMF_EMPTY = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
OVMF_FILE = "OVMF_VARS_4M.fd"
_SIGNED = ("snponly.efi", "ipxe.efi", "snponly-arm64.efi", "ipxe-arm64.efi")
_VARIABLES = ("PK", "KEK", "db")


@dataclass(frozen=True, slots=True)
class SignedRow:
    """A program that nodes start, and whether the site's key signed it.

    A loader, the kernel of a generation, or (NAME@NUMBER unified) its kernel and stage 1 as one: signed when the
    site's keys of today are in that.
    """

    what: str
    signed: bool


def folder_of(paths: Paths) -> Path:
    """Where files for firmware, and signed programs, are kept."""
    return paths.state / "secureboot"


def init(paths: Paths, *, kernels: bool = True) -> BootKey:
    """Make the key, which without `kernels` never signs a kernel by itself.

    ConflictError where there is one, ConfigError for a site that cannot be read.
    """
    try:
        text = paths.site_file.read_text()
    except FileNotFoundError:
        hint = "prov init --cluster NAME --network CIDR"
        raise NotFoundError(f"there is no site in {paths.site}", hint=hint) from None
    site, problems = decode_site(parse(paths.site_file.name, text))
    if site is None or problems:
        raise ConfigError(problems)
    key = BootKey.below(paths.keys)
    make_folder(paths.keys, mode=0o700)
    key.make(site.cluster, time.time(), kernels=kernels)
    return key


def enroll(paths: Paths) -> list[Path]:
    """Write what brings the key into firmware, and return the files.

    `site.der` is the certificate for a firmware's menu. `NAME.esl` and `NAME.auth` are the variables PK, KEK and
    db with this key alone, for firmware in setup mode. A variable store for virtual machines comes where OVMF is.
    """
    key, folder = BootKey.below(paths.keys).require(), folder_of(paths)
    make_folder(folder, mode=0o755)
    certificate = folder / "site.der"
    write_atomically(certificate, key.der)
    files = [certificate]
    listed = signature_list(key.der, key.owner)
    for name in _VARIABLES:
        plain, signed = folder / f"{name}.esl", folder / f"{name}.auth"
        write_atomically(plain, listed)
        pair = ["--key", str(key.private), "--cert", str(key.certificate)]
        run(["sbvarsign", *pair, "--guid", str(key.owner), "--output", signed, name, plain])
        files += [plain, signed]
    if OVMF_EMPTY.exists():
        write_atomically(folder / OVMF_FILE, enrolled(OVMF_EMPTY.read_bytes(), listed))
        files.append(folder / OVMF_FILE)
    return files


def sign(paths: Paths, *, say: Say) -> None:
    """Sign the loaders that there are, and the kernels of all current generations, which get new generations.

    Those whose kernel is signed already get a unified kernel image where they lack one with the keys of today.
    Raises NotFoundError without a key, UnavailableError without a tool, IntegrityError for a generation that the
    site does not vouch for, and what sbsign says of a file that it cannot sign.
    """
    key = BootKey.below(paths.keys).require()
    for name in _sign_loaders(paths, key):
        say(f"signed {name}")
    for generation in _current(paths):
        if key.signs_kernels and not _has_signed_kernel(paths, generation, key):
            say(f"signed the kernel of {generation.name}: {_published(paths, generation, key).name}")
        elif unified.wants(paths, generation):
            renew(paths, generation)
            say(f"signed kernel and stage 1 of {generation.name} as one")
    live.serve_changes(paths)


def renew(paths: Paths, generation: Generation) -> Generation:
    """Give a generation a unified kernel image with the keys of today; it raises what `sign` raises."""
    _demand_vouched(paths, generation)
    with workspace(paths, generation.image) as work:
        return unified.renewed(paths, generation, work, say=_nothing)


def status(paths: Paths) -> list[SignedRow]:
    """What nodes start, and whether the key signed it. NotFoundError without a key."""
    key = BootKey.below(paths.keys).require()
    rows = [SignedRow(file.name, is_signed(file, key)) for file in sorted(_loaders(paths).glob("*.efi"))]
    for each in _current(paths):
        rows.append(SignedRow(each.name, _has_signed_kernel(paths, each, key)))
        rows.append(SignedRow(f"{each.name} unified", _has_signed_whole(paths, each, key)))
    return rows


def _has_signed_whole(paths: Paths, generation: Generation, key: BootKey) -> bool:
    uki = generation.uki
    current = unified.is_current(paths, generation)
    return uki is not None and current and is_signed(store.artifact_path(paths, uki.digest), key)


def _has_signed_kernel(paths: Paths, generation: Generation, key: BootKey) -> bool:
    kernel = generation.boot_set.kernel
    return is_signed(store.artifact_path(paths, kernel.digest), key)


def _loaders(paths: Paths) -> Path:
    return paths.state / "loaders"


def _sign_loaders(paths: Paths, key: BootKey) -> Iterator[str]:
    folder = _loaders(paths)
    make_folder(folder, mode=0o755)
    found = read_loaders((folder, *LOADER_FOLDERS))
    for name in (each for each in _SIGNED if each in found):
        own = folder / name
        if own.exists() and is_signed(own, key):
            continue
        plain = folder / f".{name}"
        write_atomically(plain, found[name])
        try:
            write_atomically(own, signed_copy(plain, key, folder_of(paths) / "signed").read_bytes())
        finally:
            plain.unlink()
        yield name


def _current(paths: Paths) -> list[Generation]:
    catalogue = store.catalogue(paths)
    found = (catalogue.find(name) for name in sorted(catalogue.generations))
    return [each for each in found if each is not None and each.boots]


def _published(paths: Paths, generation: Generation, key: BootKey) -> Generation:
    """The next generation of an image: the same but for its kernel, which is signed."""
    _demand_vouched(paths, generation)
    with workspace(paths, generation.image) as work:
        file = work / "kernel"
        file.write_bytes(store.read_artifact(paths, generation.boot_set.kernel))
        try:
            sign_in_place(file, key, folder_of(paths) / "signed")
        except CommandError as error:
            message = f"the kernel of {generation.name} cannot be signed: {error.message}"
            raise CommandError(message, status=error.status, output=error.output) from None
        update = {
            "kernel": store.add_artifact(paths, file),
            "parent": generation.name,
            "created": time.time(),
            "made_by": who(),
            "note": "kernel signed by the site",
        }
        finish = partial(unified.joined, paths, work=work, say=_nothing)
        return store.publish(paths, generation.model_copy(update=update), finish=finish)


def _demand_vouched(paths: Paths, generation: Generation) -> None:
    """Both signatures would make good what somebody altered in the store."""
    if reason := unsealed(generation, store.signing_keys(paths)):
        name = generation.name
        hint = f"prov image verify {name}; where that finds no more than this: prov image sign {name}"
        raise IntegrityError(f"nothing of {name} is signed for Secure Boot: {reason}", hint=hint)


def _nothing(_: str) -> None:
    """Nobody is told of the steps of one generation."""
