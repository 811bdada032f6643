"""The unified kernel image of a generation: systemd's stub, kernel and stage 1 as one program that the site signs.

Firmware verifies all of it when it is loaded, so a stage 1 that somebody altered on the way does not start. The
site's public keys are inside, behind stage 1, for nothing that is loaded beside it is verified. The kernel line
is not: it differs from node to node, and stage 1 compares it with what the head node signed (trust.anchor).

Sections by systemd-stub(7) and the UAPI group's "Unified Kernel Image" specification. The stub of systemd 252
takes the kernel line from whoever loads it where the program has no section `.cmdline`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from provisioner.archive.pe import with_sections
from provisioner.config.decode import decode_site
from provisioner.config.marked import parse
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, UnavailableError
from provisioner.image import scratch, store
from provisioner.image.folder import ImageFolder
from provisioner.image.signing import sign_once
from provisioner.model.image import Generation
from provisioner.trust.anchor import anchor, anchor_digest
from provisioner.trust.bootkey import BootKey
from provisioner.trust.seal import sealed
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.tls import authority_of

Say = Callable[[str], None]

STUBS = Path("/usr/lib/systemd/boot/efi")
"""Where Debian's systemd-boot-efi and EL's systemd-boot-unsigned put the stubs."""

_STUB_NAMES: Mapping[str, str] = {"x86_64": "linuxx64.efi.stub"}


def image_of(paths: Paths, generation: Generation, stub: bytes, authority: bytes) -> bytes:
    """The program without a signature: the same for the same generation, stub and keys.

    IntegrityError where kernel or stage 1 are not those of the generation.
    """
    parts = generation.boot_set
    kernel, stage1 = (store.read_artifact(paths, each) for each in (parts.kernel, parts.stage1))
    keys = anchor(store.signing_keys(paths), generation.name, behind=len(stage1), authority=authority)
    return with_sections(
        stub,
        [
            (".osrel", _os_release(generation).encode()),
            (".uname", generation.kernel_release.encode()),
            (".initrd", stage1 + keys),
            # The last one: older stubs let the kernel unpack itself over what follows it.
            (".linux", kernel),
        ],
    )


def joined(paths: Paths, generation: Generation, *, work: Path, say: Say) -> Generation:
    """A generation with a unified kernel image of the keys of today; as it is where none can be made.

    None is made without a key for Secure Boot, and for processors that there is no stub for. `work` is a folder
    on the file system of the store. UnavailableError without the stub or sbsigntool.
    """
    key, name = BootKey.below(paths.keys), _STUB_NAMES.get(generation.architecture)
    if not key.exists or name is None or not generation.boots:
        return generation
    say("sign kernel and stage 1 as one")
    authority = _authority(paths)
    plain, signed = work / "uki.plain", work / "uki"
    plain.write_bytes(image_of(paths, generation, _stub(name), authority))
    sign_once(plain, key, signed)
    plain.unlink()
    digest = anchor_digest(store.signing_keys(paths), generation.name, authority=authority)
    return generation.model_copy(update={"uki": store.add_artifact(paths, signed), "uki_anchor": digest})


def renewed(paths: Paths, generation: Generation, work: Path, *, say: Say) -> Generation:
    """A generation of the store whose record has such an image by now; the record stays where it has one already.

    It raises what `joined` raises.
    """
    if not wants(paths, generation):
        return generation
    with scratch.pointing(paths):
        made = sealed(joined(paths, generation, work=work, say=say), store.signing_keys(paths))
        ImageFolder.of(paths, generation.image).add(made)
    return made


def wants(paths: Paths, generation: Generation) -> bool:
    """Whether a generation could have a unified kernel image and has none, or one of other keys."""
    known = BootKey.below(paths.keys).exists and generation.architecture in _STUB_NAMES
    return known and generation.boots and not is_current(paths, generation)


def is_current(paths: Paths, generation: Generation) -> bool:
    """Whether a generation has one with the keys of today in it."""
    if generation.uki is None:
        return False
    keys = store.signing_keys(paths)
    return generation.uki_anchor == anchor_digest(keys, generation.name, authority=_authority(paths))


def _stub(name: str) -> bytes:
    try:
        return (STUBS / name).read_bytes()
    except FileNotFoundError:
        hint = "apt-get install systemd-boot-efi; on EL dnf install systemd-boot-unsigned"
        message = f"there is no {STUBS / name}, which joins kernel and stage 1 into one program"
        raise UnavailableError(message, hint=hint) from None


def _authority(paths: Paths) -> bytes:
    """What nodes trust by TLS. A site that cannot be read has nobody to boot, until it can be read again."""
    try:
        site, problems = decode_site(parse(paths.site_file.name, paths.site_file.read_text()))
    except (FileNotFoundError, ConfigError):
        return b""
    if site is None or problems:
        return b""
    return authority_of(site, SiteKey.load_or_create(paths.keys), paths.keys, time.time())


def _os_release(generation: Generation) -> str:
    """What boot menus show; measured, too (os-release(5))."""
    said = {
        "ID": generation.os_id,
        "VERSION_ID": generation.os_version,
        "PRETTY_NAME": generation.name,
        "IMAGE_ID": generation.image,
        "IMAGE_VERSION": str(generation.number),
    }
    return "".join(f'{key}="{_plain(value)}"\n' for key, value in said.items())


def _plain(text: str) -> str:
    return "".join(each for each in text if each.isalnum() or each in "._-@+ ")
