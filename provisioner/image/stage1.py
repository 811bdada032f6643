"""Stage 1, the initramfs that fetches the root: user space of this machine, kernel modules of the image.

dracut of this machine makes it with the project's own module and no systemd, so that an image needs no dracut
and one user space is tested instead of one per distribution. For a kernel that runs on another processor than this
machine's the programs come from the image too, because this machine has none for it; none of them is run here.
"""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import CommandError, IntegrityError, NotFoundError, UnavailableError
from provisioner.host.run import run
from provisioner.image import libraries, modules, sysroot
from provisioner.image.codec import Codec
from provisioner.image.kernel import Kernel

MODULE = "90provisioner"

_BASE = Path("/usr/lib/dracut")
_INCLUDED = "base udev-rules fs-lib provisioner"
# Omitting network alone makes dracut fail on ifcfg, which depends on it.
_OMITTED = (
    "systemd systemd-initrd dbus network ifcfg systemd-networkd network-manager network-legacy "
    "kernel-modules kernel-network-modules memstrack"
)
_NEEDED_MODULES = ("virtio_net", "squashfs", "overlay", "loop")
_HOOKS = "/hooks/"
_GETARG = "getarg"
# dracut asks pkg-config of this machine, and with programs of an image takes nothing for an answer.
_PLACES = """\
systemdutildir=/usr/lib/systemd
systemdutilconfdir=/etc/systemd
udevdir=/usr/lib/udev
udevconfdir=/etc/udev
udevrulesdir=/usr/lib/udev/rules.d
udevrulesconfdir=/etc/udev/rules.d
depmodd=/usr/lib/depmod.d
depmodconfdir=/etc/depmod.d
"""
_LACKING = re.compile(r"ERROR: installing '([^']+)'")


@dataclass(frozen=True, slots=True)
class Wish:
    """How a stage 1 is made: the folder of the dracut module, the compression, drivers to have, and how well."""

    module: Path
    codec: Codec
    drivers: tuple[str, ...] = ()
    thorough: bool = False


def build(root: Path, kernel: Kernel, wish: Wish, *, output: Path, scratch: Path) -> None:
    """Make the stage 1 of a kernel of a tree.

    The same inputs on the same machine give the same bytes. `scratch` is an empty folder on the tree's file
    system. Raises NotFoundError for a driver that the kernel lacks, CommandError when dracut fails and
    IntegrityError when the result lacks what it needs.
    """
    archive = scratch / "stage1.cpio"
    foreign = kernel.machine != platform.machine()
    place = sysroot.copy(root, scratch / "sysroot") if foreign else scratch
    folder = modules.copy_modules(kernel, place)
    added = _loadable(folder, kernel, wish.drivers)
    modules.copy_firmware(root, place)
    environment = _base_with(wish.module, place)
    if foreign:
        environment |= _of_image(wish.module, place)
    try:
        _run_dracut(kernel.release, environment, archive=archive, place=place, drivers=added)
    except CommandError as error:
        raise _lacking(error, kernel) if foreign and _LACKING.search(error.output) else error from None
    _check(archive, folder, wish.module, (*_NEEDED_MODULES, *added))
    _compress(archive, output, wish)


def _loadable(folder: Path, kernel: Kernel, drivers: Sequence[str]) -> tuple[str, ...]:
    """Those of the drivers that are modules; the others have to be built in."""
    wanted, known = {modules.driver(name) for name in drivers}, modules.available(folder)
    missing = wanted - known - modules.built_in(folder)
    if missing:
        message = f"kernel {kernel.release} of the image has no driver {', '.join(sorted(missing))}"
        hint = "install the package that brings it (kernel-modules, a vendor's driver), or drop it from the list"
        raise NotFoundError(message, hint=hint)
    return tuple(sorted(wanted & known))


def _base_with(module: Path, place: Path) -> dict[str, str]:
    """A copy of dracut's own folder to which the module is added: dracut knows no second folder of modules."""
    if not _BASE.is_dir():
        raise UnavailableError("dracut is not installed", hint="apt-get install dracut-core")
    if not (module / "module-setup.sh").is_file():
        raise NotFoundError(f"{module} is no dracut module", hint="install the package again: its data is missing")
    (place / "conf.d").mkdir()
    base = place / "dracut"
    (base / "modules.d").mkdir(parents=True)
    for entry in sorted(_BASE.iterdir()):
        if entry.is_file():
            # Real files with their times: dracut takes the time of one for everything that it made.
            shutil.copy2(entry, base / entry.name)
    for entry in sorted((_BASE / "modules.d").iterdir()):
        (base / "modules.d" / entry.name).symlink_to(entry)
    (base / "modules.d" / MODULE).symlink_to(module)
    return {"dracutbasedir": str(base)}


def _of_image(module: Path, place: Path) -> dict[str, str]:
    """What makes dracut take programs from the copy of an image in `place`, where its own folder is too."""
    modules_of_dracut = place / "dracut" / "modules.d"
    for link in list(modules_of_dracut.iterdir()):
        # It takes no file through a link that leads out of there.
        target = link.resolve()
        link.unlink()
        shutil.copytree(target, link)
    # The one program of dracut itself that goes into an initramfs.
    reader = place / "dracut" / "dracut-util"
    shutil.copy2(module.parent / _GETARG, reader)
    reader.chmod(0o755)
    (place / "conf.d" / "places.conf").write_text(_PLACES)
    return {"dracutsysrootdir": str(place), "DRACUT_LDD": str(libraries.wrapper(place, place / "ldd"))}


def _lacking(error: CommandError, kernel: Kernel) -> IntegrityError:
    names = ", ".join(sorted(set(_LACKING.findall(error.output))))
    message = f"the image lacks {names}: stage 1 for {kernel.machine} takes its programs from the image"
    return IntegrityError(message, hint="install their packages in the image (see docs/images.md)")


def _run_dracut(
    release: str, environment: Mapping[str, str], *, archive: Path, place: Path, drivers: Sequence[str]
) -> None:
    (place / "work").mkdir()
    options = ["--force", "--no-hostonly", "--no-hostonly-cmdline", "--no-early-microcode", "--reproducible"]
    options += ["--nostrip", "--nomdadmconf", "--nolvmconf", "--no-compress", "--quiet"]
    # dracut stores its command line in the archive, and firmware under the path that it is given here: relative
    # paths keep the first equal wherever it is made, and put the second where the kernel looks.
    places = ["--kmoddir", f"lib/modules/{release}", "--fwdir", "lib/firmware", "--tmpdir", "work"]
    configuration = ["--conf", "/dev/null", "--confdir", "conf.d"]
    choice = ["--modules", _INCLUDED, "--omit", _OMITTED]
    if drivers:
        choice += ["--add-drivers", " ".join(drivers)]
    run(
        ["dracut", *options, *places, *configuration, *choice, archive, release],
        timeout=1800,
        cwd=place,
        environment={**environment, "DRACUT_KMODDIR_OVERRIDE": "1"},
    )


def _check(archive: Path, folder: Path, module: Path, needed: Sequence[str]) -> None:
    names = run(["cpio", "--list", "--quiet", "--file", archive]).splitlines()
    drivers, known = {modules.driver(name) for name in names if ".ko" in name}, modules.available(folder)
    missing = [name for name in needed if name in known and name not in drivers]
    scripts = tuple(entry.name for entry in module.glob("*.sh") if entry.name != "module-setup.sh")
    if not any(_HOOKS in name and name.endswith(scripts) for name in names):
        missing.append(f"the hooks of {module.name}")
    if missing:
        hint = "prov --verbose image build ... shows how dracut was run"
        raise IntegrityError(f"stage 1 lacks {', '.join(missing)}", hint=hint)


def _compress(archive: Path, output: Path, wish: Wish) -> None:
    zstd = ["zstd", "-9" if wish.thorough else "-3", "-q", "-c"]
    command = zstd if wish.codec is Codec.ZSTD else ["gzip", "-n", "-6", "-c"]
    with output.open("wb") as stream:
        run([*command, archive], stdout=stream)
