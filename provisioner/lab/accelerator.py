"""Can this machine really accelerate a guest? `/dev/kvm` may exist and hang, so a guest is started to find out."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from provisioner.errors import CommandError
from provisioner.host.run import run
from provisioner.lab.machine import Accelerator

_KVM = Path("/dev/kvm")
_TIMEOUT_SECONDS = 5.0
_EXIT_STATUS = 33  # isa-debug-exit ends QEMU with 2 * value + 1

# Some hosts start a guest under KVM and then emulate it instruction by instruction: the first ones run, and no
# kernel ever comes up. So the guest waits for the clock three times, and then counts: 0.1 s for a processor,
# half a second for TCG, for ever where every instruction is a fault.
_PROGRAM = (
    b"\xfb\xf4\xf4\xf4"  # sti; hlt; hlt; hlt
    b"\x66\xb9\x00\x00\x00\x04"  # mov ecx, 0x4000000
    b"\x66\x49\x75\xfc"  # dec ecx; jnz back to it
    b"\xba\xf4\x00\xb0\x10\xee\xf4"  # mov dx, 0xf4; mov al, 16; out dx, al; hlt
)


def probe_sector() -> bytes:
    """A boot sector that ends QEMU once it has waited and counted."""
    return _PROGRAM.ljust(510, b"\0") + b"\x55\xaa"


def starts_a_guest(accelerator: Accelerator) -> bool:
    """Whether a guest under this accelerator gets through the probe within 5 seconds."""
    with tempfile.TemporaryDirectory(prefix="prov-probe-") as folder:
        disk = Path(folder) / "disk"
        disk.write_bytes(probe_sector())
        command = [
            *("qemu-system-x86_64", "-machine", "pc", *accelerator.options(), "-m", "16"),
            *("-nodefaults", "-no-user-config", "-display", "none"),
            *("-drive", f"if=ide,format=raw,file={disk}"),
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=1"),
        ]
        try:
            run(command, timeout=_TIMEOUT_SECONDS)
        except CommandError as error:
            return error.status == _EXIT_STATUS
    return False


def best_accelerator() -> Accelerator:
    """KVM where it works, else TCG."""
    usable = os.access(_KVM, os.R_OK | os.W_OK)
    return Accelerator.KVM if usable and starts_a_guest(Accelerator.KVM) else Accelerator.TCG
