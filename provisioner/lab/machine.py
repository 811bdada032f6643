"""A virtual machine as a value, and the QEMU command that runs it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from provisioner.lab import tpm
from provisioner.model.address import MacAddress

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}", re.IGNORECASE)

# Below the folder of the machine, in which QEMU runs: a path to a Unix socket must be shorter than 108 bytes.
SERIAL_FILE = "serial.raw"
CONTROL_SOCKET = "qmp.sock"
VARIABLES_FILE = "vars.fd"

OVMF_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
OVMF_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
# The same with System Management Mode, behind which the keys are kept, and with Microsoft's keys enrolled.
OVMF_SECURE_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.ms.fd")
OVMF_SECURE_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.ms.fd")
# One program with and without Secure Boot: the keys in the variables decide. These know Microsoft's.
AAVMF_CODE = Path("/usr/share/AAVMF/AAVMF_CODE.fd")
AAVMF_VARIABLES = Path("/usr/share/AAVMF/AAVMF_VARS.ms.fd")


class MachineFirmware(StrEnum):
    """What the machine starts with: SeaBIOS and QEMU's iPXE ROM, or OVMF with its own network boot.

    uefi-http: without PXE, so that it boots by HTTP. uefi-v6: without PXE over IPv4, so that it boots over IPv6.
    secure: with Secure Boot and Microsoft's keys. secure-http: that, and without PXE. site-key: with Secure Boot
    and the site's own key alone. site-key-http: that without PXE. arm64: another processor, with Secure Boot and
    Microsoft's keys.
    """

    BIOS = "bios"
    UEFI = "uefi"
    UEFI_HTTP = "uefi-http"
    UEFI_V6 = "uefi-v6"
    SECURE = "secure"
    SECURE_HTTP = "secure-http"
    SITE_KEY = "site-key"
    SITE_KEY_HTTP = "site-key-http"
    ARM64 = "arm64"

    @property
    def architecture(self) -> str:
        """The processor, as `uname -m` prints it."""
        return "aarch64" if self is MachineFirmware.ARM64 else "x86_64"

    @property
    def tpm(self) -> str:
        """The TPM that its firmware knows, as QEMU names the device."""
        return "tpm-tis-device" if self is MachineFirmware.ARM64 else "tpm-crb"

    @property
    def is_secure(self) -> bool:
        """Whether it starts only what is signed, guarded by System Management Mode."""
        return self in (MachineFirmware.SECURE, MachineFirmware.SECURE_HTTP) or self.has_site_key

    @property
    def has_site_key(self) -> bool:
        """Whether the site's own key is the only one that it knows."""
        return self in (MachineFirmware.SITE_KEY, MachineFirmware.SITE_KEY_HTTP)

    @property
    def boots_by_http(self) -> bool:
        """Whether it has no PXE."""
        return self in (MachineFirmware.UEFI_HTTP, MachineFirmware.SECURE_HTTP, MachineFirmware.SITE_KEY_HTTP)

    @property
    def code(self) -> Path:
        """The program of a UEFI firmware."""
        if self is MachineFirmware.ARM64:
            return AAVMF_CODE
        return OVMF_SECURE_CODE if self.is_secure else OVMF_CODE

    @property
    def variables(self) -> Path:
        """What its variables are when a machine is new."""
        if self is MachineFirmware.ARM64:
            return AAVMF_VARIABLES
        if self.has_site_key:
            return OVMF_VARIABLES
        return OVMF_SECURE_VARIABLES if self.is_secure else OVMF_VARIABLES

    @property
    def machine(self) -> str:
        """The chipset as QEMU wants it."""
        if self is MachineFirmware.BIOS:
            # Without graphics SeaBIOS and iPXE talk on the serial line.
            return "q35,graphics=off"
        if self is MachineFirmware.ARM64:
            return "virt"
        return "q35,smm=on" if self.is_secure else "q35"

    def options(self) -> list[str]:
        """What QEMU is told of it."""
        if self is MachineFirmware.BIOS:
            return []
        words = [
            *("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={self.code}"),
            *("-drive", f"if=pflash,format=raw,unit=1,file={VARIABLES_FILE}"),
        ]
        if self.is_secure:
            # Only SMM may write the variables, and it does not survive suspend to RAM.
            words += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
            words += ["-global", "ICH9-LPC.disable_s3=1"]
        if self.boots_by_http:
            words += [word for version in ("4", "6") for word in _without_pxe(version)]
        if self is MachineFirmware.UEFI_V6:
            words += _without_pxe("4")
        return words


def _without_pxe(version: str) -> list[str]:
    return ["-fw_cfg", f"name=opt/org.tianocore/IPv{version}PXESupport,string=n"]


class Accelerator(StrEnum):
    """How QEMU runs the guest's instructions."""

    TCG = "tcg"
    KVM = "kvm"

    def options(self, architecture: str = "x86_64") -> list[str]:
        """Accelerator and processor model for a guest; one of another architecture than x86-64 is emulated."""
        if architecture != "x86_64":
            # What ARM servers of 2018 have: enough for every distribution, and nothing newer to emulate.
            return ["-accel", "tcg,thread=multi,tb-size=128", "-cpu", "cortex-a72"]
        match self:
            case Accelerator.TCG:
                # Nehalem is x86-64-v2, what EL9 needs; anything newer costs time to emulate.
                # 128 MiB of translated code instead of 1 GiB: with that, a guest of QEMU 7.2 that cleared pages
                # stood still for 45 s, QEMU itself busy in one loop (by a profile, over translations of a page).
                return ["-accel", "tcg,thread=multi,tb-size=128", "-cpu", "Nehalem"]
            case Accelerator.KVM:
                return ["-accel", "kvm", "-cpu", "host"]


@dataclass(frozen=True, slots=True)
class DirectBoot:
    """A kernel and an initramfs that QEMU starts without any firmware's network boot."""

    kernel: Path
    initrd: Path
    append: str


@dataclass(frozen=True, slots=True)
class Cable:
    """A further NIC, and the NIC of another machine at its other end; frames pass as they are, LACP's too.

    Each end is a UDP port on the lab's loopback: `port` is this end's, `other` the far end's. Frames to a machine
    that is off are lost, so either machine may start first, and again.
    """

    mac: MacAddress
    port: int
    other: int

    def options(self, number: int) -> list[str]:
        """The NIC as QEMU wants it; it says how fast it is, because LACP bundles no ports of unknown speed."""
        name = f"net{number}"
        return [
            *("-netdev", f"socket,id={name},udp=127.0.0.1:{self.other},localaddr=127.0.0.1:{self.port}"),
            *("-device", f"virtio-net-pci,netdev={name},mac={self.mac},speed=10000,duplex=full,romfile="),
        ]


@dataclass(frozen=True, slots=True)
class VirtualMachine:
    """One node of a lab; `memory` in MiB. Its tap device must exist before it starts.

    `drives` are raw files, its disks from vda on. `variables` are those of its firmware when it starts, where they
    are not those of a new machine. With a `tpm` (`lab.tpm`), UEFI measures what it starts.
    """

    name: str
    mac: MacAddress
    tap: str = "tap0"
    firmware: MachineFirmware = MachineFirmware.BIOS
    memory: int = 1536
    direct: DirectBoot | None = None
    cables: tuple[Cable, ...] = ()
    drives: tuple[Path, ...] = ()
    tpm: bool = False
    variables: Path | None = None

    def __post_init__(self) -> None:
        # QEMU reads commas and equals signs in the name as options of its own.
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not the name of a machine: letters, digits, '-' and '.'")

    @property
    def uuid(self) -> str:
        """The same at every boot: it ends with the MAC."""
        return f"00000000-0000-4000-8000-{self.mac.octets.hex()}"

    def command(self, accelerator: Accelerator = Accelerator.TCG) -> list[str]:
        """The QEMU command, to be run in the folder of the machine."""
        return [
            f"qemu-system-{self.firmware.architecture}",
            *("-name", self.name),
            *("-machine", self.firmware.machine),
            *accelerator.options(self.firmware.architecture),
            *("-smp", "1", "-m", str(self.memory)),
            *("-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"),
            *("-serial", f"file:{SERIAL_FILE}"),
            *("-qmp", f"unix:{CONTROL_SOCKET},server=on,wait=off"),
            *self._network(),
            # A guest without a source of entropy waits for it.
            *("-object", "rng-random,id=rng0,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng0"),
            *("-uuid", self.uuid),
            *("-smbios", f"type=1,manufacturer=Provisioner,product=Lab,serial=LAB-{self.name}"),
            *self.firmware.options(),
            *(word for number, drive in enumerate(self.drives) for word in _drive(drive, number)),
            *(tpm.options(self.firmware.tpm) if self.tpm else []),
            *self._direct(),
        ]

    def _network(self) -> list[str]:
        card = f"virtio-net-pci,netdev=net0,mac={self.mac},bootindex=1"
        # With the ROM, "UEFI network boot" would be the ROM's iPXE and not the firmware's own.
        rom = "" if self.firmware is MachineFirmware.BIOS else ",romfile="
        return [
            *("-netdev", f"tap,id=net0,ifname={self.tap},script=no,downscript=no"),
            *("-device", card + rom),
            *(word for number, cable in enumerate(self.cables, 1) for word in cable.options(number)),
        ]

    def _direct(self) -> list[str]:
        if self.direct is None:
            return []
        return [
            *("-kernel", str(self.direct.kernel), "-initrd", str(self.direct.initrd)),
            *("-append", self.direct.append),
        ]


def _drive(path: Path, number: int) -> list[str]:
    name, place = f"drive{number}", str(path).replace(",", ",,")
    return [
        # A disk of a lab is thrown away with it, so nothing waits for the real disk below it.
        *("-drive", f"if=none,id={name},format=raw,cache=unsafe,file={place}"),
        # The network has 1. OVMF forgets disks that are not in this order.
        *("-device", f"virtio-blk-pci,drive={name},bootindex={number + 2}"),
    ]
