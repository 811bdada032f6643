"""The resources that the shipped overlays know, typed: `resources.users`, `resources.nfs` and so on.

Resources are whatever people like; these are the ones whose shape is checked, when an overlay that reads them
is rendered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from provisioner.model.name import FilePath, Line, Word

# What useradd(8) of every distribution accepts.
_USER = r"^[a-z_][a-z0-9_-]{0,30}$"
_GECOS = r'^[^:"\\%\x00-\x1f\x7f]{0,128}$'
_NTP = r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,254}$"
_EXPORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]{0,254}):/[!-~]*")
_SETTING = r"^[a-z][a-z0-9 ]{0,62}[a-z0-9]$"


def _export(text: str) -> str:
    if not _EXPORT.fullmatch(text):
        raise ValueError(f"{text!r} is not an NFS export; expected server:/path")
    return text


UserName = Annotated[str, Field(pattern=_USER)]
Id = Annotated[int, Field(ge=1, le=4_294_967_293)]
Export = Annotated[str, AfterValidator(_export)]
FileSystemType = Annotated[str, Field(pattern=r"^[a-z0-9._]{2,16}$")]


class Checked(BaseModel):
    """Base of all typed resources."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class User(Checked):
    """A local user. Without `gid` a group of the user's name and number is made; `keys` may log in."""

    uid: Id
    gid: Id | None = None
    comment: Annotated[str, Field(pattern=_GECOS)] = ""
    home: FilePath | None = None
    shell: FilePath = "/bin/bash"
    groups: tuple[UserName, ...] = ()
    keys: tuple[Annotated[str, Field(pattern=r"^[ -~]{1,4096}$")], ...] = ()
    make_home: bool = True


class LocalGroup(Checked):
    """A local group."""

    gid: Id
    members: tuple[UserName, ...] = ()


class SudoRule(Checked):
    """Who may run what as whom. `who` is a user, or `%group`."""

    who: Annotated[str, Field(pattern=r"^%?[a-z_][a-z0-9_-]{0,30}$")]
    run_as: Annotated[str, Field(pattern=r"^(ALL|[a-z_][a-z0-9_-]{0,30})$")] = "ALL"
    commands: tuple[Line, ...] = ("ALL",)
    password: bool = True


class Mount(Checked):
    """A line of fstab."""

    device: Annotated[str, Field(pattern=r"^[!-~]{1,4096}$")]
    path: FilePath | None = None
    format: FileSystemType = "auto"
    options: tuple[Word, ...] = ()


class NfsMount(Checked):
    """An export that is mounted by every start, or, with `automount`, when somebody looks at it."""

    source: Export
    path: FilePath
    options: tuple[Word, ...] = ()
    version: Annotated[str, Field(pattern=r"^[34](\.[0-2])?$")] | None = None
    automount: bool = False


class MigDevices(Checked):
    """How one GPU, or several, are divided; as in a configuration of nvidia-mig-parted."""

    devices: tuple[Annotated[int, Field(ge=0, le=63)], ...] = ()
    enabled: bool = True
    profiles: dict[Annotated[str, Field(pattern=r"^[0-9a-z.+]{2,32}$")], Annotated[int, Field(ge=1, le=64)]] = (
        Field(default_factory=dict)
    )


class Apptainer(Checked):
    """Settings of apptainer.conf by their names, and paths that every container sees."""

    bind: tuple[Word, ...] = ()
    settings: dict[Annotated[str, Field(pattern=_SETTING)], bool | int | Word] = Field(default_factory=dict)


_KNOWN: Mapping[str, tuple[TypeAdapter[Any], Any]] = {
    "users": (TypeAdapter(dict[UserName, User]), {}),
    "groups": (TypeAdapter(dict[UserName, LocalGroup]), {}),
    "sudo": (TypeAdapter(tuple[SudoRule, ...]), ()),
    "fstab": (TypeAdapter(tuple[Mount, ...]), ()),
    "nfs": (TypeAdapter(tuple[NfsMount, ...]), ()),
    "ntp": (TypeAdapter(tuple[Annotated[str, Field(pattern=_NTP)], ...]), ()),
    "mig": (TypeAdapter(tuple[MigDevices, ...]), ()),
    "apptainer": (TypeAdapter(Apptainer), {}),
    "ignition": (TypeAdapter(dict[str, Any]), {}),
}


def typed_resource(resources: Mapping[str, Any], name: str) -> Any:
    """One resource of a node, checked; empty where the node has none. ValueError names field and mistake."""
    adapter, empty = _KNOWN[name]
    try:
        return adapter.validate_python(resources.get(name, empty))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(("resources", name, *map(str, first["loc"])))
        raise ValueError(f"{where}: {first['msg']}, not {first['input']!r}") from None
