"""What is to become of machines that are no nodes: `discovery:` in provisioner.yaml."""

from __future__ import annotations

from enum import StrEnum

from provisioner.model.address import MacAddress
from provisioner.model.mapping import Written
from provisioner.model.name import ImageRef, InterfaceName, Line, Name


class Acceptance(StrEnum):
    """Who makes nodes of machines: a person by `prov discover accept`, or the daemon by itself."""

    MANUAL = "manual"
    AUTO = "auto"


class Discovery(Written):
    """How unknown machines become nodes.

    `names` is a node set: machines get the next free name of it in the order of their arrival, as members of
    `groups`, with their MAC at `interface`. `ignore` lists machines that nothing is proposed for. Meanwhile
    they run stage 1 of `image`, if one is named, which tells their hardware.
    """

    accept: Acceptance = Acceptance.MANUAL
    names: Line | None = None
    groups: tuple[Name, ...] = ()
    interface: InterfaceName = "eth0"
    ignore: tuple[MacAddress, ...] = ()
    image: ImageRef | None = None
