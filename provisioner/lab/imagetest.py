"""A generation booted in a lab as a node of the site, with that node's overlays, before any real node gets it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from provisioner.config.emit import Writable, entry
from provisioner.config.paths import Paths
from provisioner.config.switchfile import FOLDER, switch_text
from provisioner.errors import ConflictError, NotFoundError, UnavailableError
from provisioner.events.history import History
from provisioner.host.files import locked
from provisioner.host.who import who
from provisioner.image import scratch, store, tested
from provisioner.image.tested import Tested
from provisioner.lab.cluster import Lab
from provisioner.lab.control import network_of_site, wait_for_boot
from provisioner.lab.daemon import DaemonCommand
from provisioner.lab.machine import Accelerator, MachineFirmware
from provisioner.lab.serial import SerialLog
from provisioner.lab.state import serial_file
from provisioner.model.address import MacAddress
from provisioner.model.image import Generation
from provisioner.model.resolved import ResolvedNode
from provisioner.model.switch import Switch
from provisioner.operations.check import check
from provisioner.operations.select import select
from provisioner.registry.compiler import current
from provisioner.registry.published import Published

Say = Callable[[str], None]

_WRITTEN = ("provisioner.yaml", "groups.d", "nodes.d", "overlays", "templates", "files", "images", "secrets")
# After all other files, so that nothing takes it back.
_LAST = "nodes.d/zzzz-image-test.yaml"
_FOLDER = "image-test-"
_MAC = MacAddress("52:54:00:00:fe:01")
_CONSOLE = "console=ttyS0,115200"
# An emulated processor pays dearly for the mitigations, and a busy one fails the kernel's look at its timer.
_EMULATED = ("mitigations=off", "no_timer_check")
_LINES = 40


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to test: as which node, or as any node of which group, on what kind of machine.

    `memory` in MiB; `patience` is how many seconds the boot may take.
    """

    node: str | None = None
    group: str | None = None
    firmware: MachineFirmware = MachineFirmware.BIOS
    memory: int = 2048
    patience: float = 600.0
    accelerator: Accelerator = Accelerator.TCG


def try_image(paths: Paths, reference: str, wanted: Wanted, *, say: Say = lambda _: None) -> Tested:
    """Boot a generation in a lab of its own and keep what came of it.

    The lab has a copy of the site, so nothing of the real one changes. Raises NotFoundError for an image, node or
    group that is not there, and ProvisionerError for a base, and where the site has mistakes.
    """
    generation = store.find(paths, reference)
    _ = generation.boot_set
    with current(paths) as published:
        node = _node(published, generation, wanted)
    say(f"{generation.name} as {node.name}, a copy of the site in a lab")
    with _copy(paths, generation, node, wanted) as copied:
        check(copied, store.catalogue(paths))
        result = _booted(copied, generation, node, wanted, say)
    tested.keep(paths, generation, result)
    return result


def _node(published: Published, generation: Generation, wanted: Wanted) -> ResolvedNode:
    """The node to be: the one that is named, else one of the group, else one that has the image."""
    if wanted.node:
        names: tuple[str, ...] = select(published, wanted.node)
    elif wanted.group:
        names = select(published, f"@{wanted.group}")
    else:
        uses = {name: node.image or "" for name, node in published.nodes().items()}
        names = tuple(sorted(name for name, image in uses.items() if image.partition("@")[0] == generation.image))
    nodes = published.nodes(names)
    for name in names:
        interface = nodes[name].boot_interface
        if interface is not None and interface.ip is not None:
            return nodes[name]
    message = f"no node has {generation.image} and an address" if not names else f"{names[0]} has no address"
    raise NotFoundError(message, hint=f"prov image test {generation.name} --node NODE, or --group GROUP")


@contextmanager
def _copy(paths: Paths, generation: Generation, node: ResolvedNode, wanted: Wanted) -> Iterator[Paths]:
    """A scratch copy of the site in which the node has the generation; the images are the real ones."""
    paths.run.mkdir(parents=True, exist_ok=True)
    with _alone(paths), tempfile.TemporaryDirectory(prefix=_FOLDER, dir=paths.run) as folder:
        root = Path(folder)
        for name in _WRITTEN:
            _copy_one(paths.site / name, root / name)
        copied = replace(Paths.below(root), data=paths.data)
        copied.state.mkdir()
        copied.images.symlink_to(paths.images)
        _copy_one(paths.state / "loaders", copied.state / "loaders")
        _write(root / _LAST, f"nodes:\n{entry(node.name, _changes(node, wanted), indent='  ')}")
        switch = Switch.model_validate(
            {"to": generation.name, "nodes": node.name, "images": {generation.name: node.name}}
        )
        _write(root / FOLDER / "image-test.yaml", switch_text("image-test", switch))
        yield copied


@contextmanager
def _alone(paths: Paths) -> Iterator[None]:
    """One test of a site at a time. What a killed one left has copies of secrets, and goes."""
    try:
        with locked(paths.run / "image-test.lock", wait=False):
            for left in paths.run.glob(f"{_FOLDER}*/"):
                scratch.remove(left)
            yield
    except ConflictError as error:
        if "image-test.lock" not in error.message:
            raise
        raise ConflictError("another image test is under way", hint="wait until it has ended") from None


def _changes(node: ResolvedNode, wanted: Wanted) -> dict[str, Writable]:
    """What a virtual machine needs: a console on the serial line, and a MAC where nobody has seen the real one."""
    interface = node.boot_interface
    arguments = [_CONSOLE, *(_EMULATED if wanted.accelerator is Accelerator.TCG else ())]
    changes: dict[str, Writable] = {"kernel": {"args": arguments}}
    if interface is not None and interface.mac is None:
        changes["interfaces"] = {interface.name: {"mac": str(_MAC)}}
    return changes


def _booted(paths: Paths, generation: Generation, node: ResolvedNode, wanted: Wanted, say: Say) -> Tested:
    interface = node.boot_interface
    mac = (interface.mac if interface else None) or _MAC
    lab = Lab(
        network_of_site(paths),
        serial_file(paths, node.name).parent.parent,
        daemon=DaemonCommand.serve(paths),
        accelerator=wanted.accelerator,
    )
    with lab:
        began = time.time()
        lab.boot(node.name, mac, firmware=wanted.firmware, memory=wanted.memory)
        say(f"{node.name} boots from {wanted.firmware}")
        try:
            record = wait_for_boot(paths, node.name, since=began, timeout=wanted.patience)
            state, reason = record.state, record.reason
        except UnavailableError as error:
            state, reason = "not ready", error.message
        seconds = time.time() - began
    report = History(paths.events).reports().get(node.name)
    console = SerialLog(serial_file(paths, node.name)).read()[-_LINES:] if state != "ready" else []
    return Tested(
        generation=generation.name,
        node=node.name,
        group=wanted.group or "",
        firmware=wanted.firmware.value,
        time=began,
        by=who(),
        state=state,
        reason=reason,
        seconds=seconds,
        facts=dict(report.facts) if report else {},
        console=tuple(line.text for line in console),
    )


def _copy_one(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=False, ignore_dangling_symlinks=True)
    elif source.exists():
        shutil.copy2(source, target)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
