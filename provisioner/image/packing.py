"""From a tree with a kernel to what nodes fetch: the kernel, a stage 1 for it, and the packed root."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import ProvisionerError
from provisioner.image import codec, initramfs, inside, selinux, squashfs, stage1, verity
from provisioner.image.kernel import Kernel
from provisioner.model.image import Packing

Say = Callable[[str], None]

INITS = ("/sbin/init", "/lib/systemd/systemd")


@dataclass(frozen=True, slots=True)
class Packed:
    """Finished files by what they are (kernel, stage1, root, verity, archive), and what a person should know.

    `verity_root` is the root hash of the tree; both are missing where the kernel could not use them.
    `selinux` is the policy that the root is labelled for, if any.
    """

    files: Mapping[str, Path]
    warnings: tuple[str, ...]
    verity_root: str = ""
    selinux: str = ""


def pack(
    tree: Path, kernel: Kernel, work: Path, packing: Packing, *, module: Path, epoch: int, say: Say
) -> Packed:
    """Pack a tree into files in the folder `work`.

    `module` is the dracut module's folder, `epoch` the latest time in the root in Unix seconds.
    Raises ProvisionerError when what was asked for is not there, makes no sense or keeps the image from booting,
    and CommandError when a tool fails.
    """
    codecs = codec.choose(tree, kernel, packing.codec)
    files = {name: work / name for name in ("kernel", "stage1", "root")}
    shutil.copyfile(kernel.file, files["kernel"])
    say(f"make stage 1 for kernel {kernel.release}")
    wish = stage1.Wish(module, codecs.stage1, packing.drivers, packing.thorough)
    stage1.build(tree, kernel, wish, output=files["stage1"], scratch=_room(work, "scratch"))
    say(f"pack the root as squashfs ({codecs.root.value})")
    with selinux.labelled(tree, _room(work, "labels")) as labels:
        squashfs.pack(tree, files["root"], codec=codecs.root, epoch=epoch, packing=packing)
    if packing.excludes:
        _check_left(tree, kernel, files["root"])
    hashes = _hash_tree(kernel, files["root"], packing, say)
    archive = Packed({}, ())
    if packing.archive:
        say(f"pack the tree as an initramfs ({codecs.stage1.value})")
        whole = initramfs.Wish(module.parent / initramfs.INIT, codecs.stage1, epoch, packing.thorough)
        notes = initramfs.pack(tree, squashfs.names(files["root"]), whole, output=work / "archive")
        archive = Packed({"archive": work / "archive"}, notes)
    warnings = (*codecs.warnings, *labels.warnings, *hashes.warnings, *archive.warnings)
    return Packed({**files, **hashes.files, **archive.files}, warnings, hashes.verity_root, labels.policy)


def _room(work: Path, name: str) -> Path:
    folder = work / name
    folder.mkdir()
    return folder


def _hash_tree(kernel: Kernel, root: Path, packing: Packing, say: Say) -> Packed:
    """The hash tree of a root where the kernel can check by it, else what is missing."""
    if lacking := verity.lacking(kernel):
        names = " and ".join(lacking)
        note = f"kernel {kernel.release} has no {names}: nodes cannot stream this image"
        if packing.streamed:
            return Packed({}, (note,))
        # Many kernels of EL have none, and most sites do not want it: whoever asked for it is warned.
        say(note)
        return Packed({}, ())
    say("make the hash tree of the root")
    output = root.with_name("verity")
    return Packed({"verity": output}, (), verity.write(root, output))


def _check_left(tree: Path, kernel: Kernel, root: Path) -> None:
    """What a node cannot start without must not be excluded."""
    left = squashfs.names(root)
    inits = [inside.resolve(tree, path) for path in INITS]
    needed = [next(each for each in inits if inside.is_regular(each)), kernel.modules / "modules.dep"]
    for place in needed:
        path = f"/{place.relative_to(tree)}"
        if path not in left:
            hint = "make the pattern narrower; a slash at its start binds it to the top"
            raise ProvisionerError(f"the excludes leave {path} out, without which no node starts", hint=hint)
