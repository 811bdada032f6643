"""What an image holds, as far as it can be read without running any of its programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Literal

from pydantic import ConfigDict

from provisioner.model.image import Record

FORMAT = 1

UnitState = Literal["enabled", "disabled", "static", "masked", "alias", "indirect"]


class Fact(Record):
    """Base of what an inventory says; fields that a later version adds are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ImageKernel(Fact):
    """A kernel file by its release.

    `config` has the switches that booting and networks depend on, `y` or `m` each, without their `CONFIG_`;
    None when the image does not hold the kernel's configuration.
    """

    release: str
    has_modules: bool
    config: Mapping[str, str] | None = None


class Init(Fact):
    """The first program: `systemd` or the name of another one; its version, empty when nothing tells it."""

    name: str
    version: str = ""


class Unit(Fact):
    """A systemd unit, or a System V script as the `.service` that systemd makes of it.

    `state` is what `systemctl is-enabled` would say; `wanted_by` are the units whose start starts this one.
    """

    name: str
    state: UnitState
    wanted_by: tuple[str, ...] = ()

    @property
    def starts(self) -> bool:
        """Whether something starts the unit at boot."""
        return self.state != "masked" and bool(self.wanted_by)


class User(Fact):
    """A line of passwd(5), without the password."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


class Group(Fact):
    """A line of group(5), without the password."""

    name: str
    gid: int
    members: tuple[str, ...] = ()


class Service(Fact):
    """A program that the image has, by the name that it goes by in any distribution; `enabled`: boot starts it."""

    name: str
    enabled: bool


class Package(Fact):
    """An installed package; `version` with epoch and release where there are some."""

    name: str
    version: str
    architecture: str


class CpuNeed(Fact):
    """The level of x86-64 (1 to 4, as in x86-64-v2) that programs need, and the file that says so."""

    level: int
    evidence: str


class SelinuxPolicy(Fact):
    """What etc/selinux/config asks for: a policy by its name, such as targeted, and whether it is enforced."""

    type: str
    mode: Literal["enforcing", "permissive"]


class Inventory(Fact):
    """The facts of one image generation. The list of its files is apart (`model.imagefiles`).

    `os` is the assignments of os-release(5). `network` has the network backends, `services` other well-known
    programs. `package_manager` is dpkg, rpm or None. `texts` has what small public files say, by their path.
    `cpu` is what processors must have, None where nothing tells it. `notes` names what could not be read.
    `selinux` is None where the image leaves SELinux off.
    """

    format: int = FORMAT
    os: Mapping[str, str]
    kernels: tuple[ImageKernel, ...]
    init: Init | None
    units: tuple[Unit, ...]
    users: tuple[User, ...]
    groups: tuple[Group, ...]
    network: tuple[Service, ...]
    services: tuple[Service, ...]
    package_manager: Literal["dpkg", "rpm"] | None
    packages: tuple[Package, ...]
    texts: Mapping[str, str]
    cpu: CpuNeed | None = None
    selinux: SelinuxPolicy | None = None
    notes: tuple[str, ...] = ()

    def unit(self, name: str) -> Unit | None:
        """The unit with a name, or the template (`getty@.service`) that it is an instance of."""
        known = self.unit_by_name
        return known.get(name) or known.get(re.sub(r"@.*(?=\.[a-z]+$)", "@", name))

    @cached_property
    def unit_by_name(self) -> Mapping[str, Unit]:
        """The units by their names."""
        return {unit.name: unit for unit in self.units}

    @cached_property
    def user_by_name(self) -> Mapping[str, User]:
        """The users by their names; the first line of a name counts, as it does for login."""
        return {user.name: user for user in reversed(self.users)}

    @cached_property
    def group_by_name(self) -> Mapping[str, Group]:
        """The groups by their names; the first line of a name counts."""
        return {group.name: group for group in reversed(self.groups)}

    def version_of(self, package: str) -> str | None:
        """The version of an installed package, the first of several; None when it is not installed."""
        return next((each.version for each in self.packages if each.name == package), None)
