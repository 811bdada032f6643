"""The systemd units of an image, and which of them start: systemd.unit(5), read from files only.

The states are those of `systemctl --root=TREE list-unit-files`, with two that it shows apart taken together:
`linked` units count as enabled or disabled by their links.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from provisioner.image import inside
from provisioner.model.inventory import Unit, UnitState

_CONFIGURED = "/etc/systemd/system"
# In systemd's order: the first that has a unit wins.
_FOLDERS = (_CONFIGURED, "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_TYPES = "service|socket|target|timer|path|mount|automount|swap|slice|scope|device"
_NAME = re.compile(rf"[A-Za-z0-9:_.@\\-]{{1,240}}\.({_TYPES})")
_PULLING = re.compile(rf"({_NAME.pattern})\.(wants|requires|upholds)")
_INSTALL = re.compile(rb"^[ \t]*(WantedBy|RequiredBy|UpheldBy|Alias|Also)[ \t]*=[ \t]*[^\s]", re.MULTILINE)
_PLACED = {b"WantedBy", b"RequiredBy", b"UpheldBy", b"Alias"}
_LIMIT = 1 << 18
_SCRIPTS = "/etc/init.d"
_LEVELS = {"rc3.d": "multi-user.target", "rc5.d": "graphical.target"}
_START = re.compile(r"S\d\d(.+)")


@dataclass
class _Links:
    """Who pulls in a unit, by its name; `own` are the administrator's units, `configured` what they link to."""

    wanted: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    own: set[str] = field(default_factory=set)
    configured: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)


def find(root: Path) -> tuple[Unit, ...]:
    """The units of a tree, sorted by name. Links are followed inside the tree only."""
    files: dict[str, Path] = {}
    links = _Links()
    for folder in _FOLDERS:
        for place in inside.children(root, folder):
            if _NAME.fullmatch(place.name):
                if place.name not in files and folder == _CONFIGURED:
                    links.own.add(place.name)
                files.setdefault(place.name, place)
            elif match := _PULLING.fullmatch(place.name):
                _pulled(place, match[1], links, configured=folder == _CONFIGURED)
    _follow_aliases(files, links)
    units = {name: _unit(root, name, place, links) for name, place in files.items()}
    return tuple(unit for _, unit in sorted({**dict(_scripts(root)), **units}.items()))


def _pulled(folder: Path, puller: str, links: _Links, *, configured: bool) -> None:
    for place in _children(folder):
        # A link to an instance starts its template.
        for name in {place.name, _template(place.name)}:
            links.wanted[name].add(puller)
            if configured:
                links.configured.add(name)


def _follow_aliases(files: dict[str, Path], links: _Links) -> None:
    """A unit has what its aliases have; a link of the administrator that makes an alias enables it."""
    for name, place in files.items():
        target = PurePosixPath(_target(place)).name
        if target in ("", "null", name) or not _NAME.fullmatch(target):
            continue
        links.aliases[name] = target
        links.wanted[target] |= links.wanted.get(name, set())
        if name in links.own:
            links.configured |= {target, _template(target)}


def _unit(root: Path, name: str, place: Path, links: _Links) -> Unit:
    return Unit(
        name=name,
        state=_state(root, name, place, links),
        wanted_by=tuple(sorted(links.wanted.get(name, ()))),
    )


def _state(root: Path, name: str, place: Path, links: _Links) -> UnitState:
    if _target(place) == "/dev/null":
        return "masked"
    if name in links.aliases:
        return "alias"
    content = _content(root, place)
    if content == b"":
        return "masked"
    if name in links.configured:
        return "enabled"
    keys = {match[1] for match in _INSTALL.finditer(content or b"")}
    if keys & _PLACED:
        return "disabled"
    return "indirect" if keys else "static"


def _content(root: Path, place: Path) -> bytes | None:
    led = inside.follow(root, f"/{place.relative_to(root)}")
    return None if led is None else inside.read_regular(led, limit=_LIMIT)


def _scripts(root: Path) -> Iterator[tuple[str, Unit]]:
    """System V scripts, which systemd starts as services of their names (systemd-sysv-generator(8))."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for level, target in _LEVELS.items():
        for place in inside.children(root, f"/etc/{level}"):
            if match := _START.fullmatch(place.name):
                wanted[match[1]].add(target)
    for place in inside.children(root, _SCRIPTS):
        name = f"{place.name.removesuffix('.sh')}.service"
        if _NAME.fullmatch(name) and inside.is_regular(place) and place.lstat().st_mode & 0o111:
            targets = tuple(sorted(wanted.get(place.name, ())))
            yield name, Unit(name=name, state="enabled" if targets else "disabled", wanted_by=targets)


def _template(name: str) -> str:
    """`getty@.service` of `getty@tty1.service`; other names stay."""
    return re.sub(r"@.*(?=\.[a-z]+$)", "@", name)


def _target(place: Path) -> str:
    try:
        return str(place.readlink())
    except OSError:
        return ""


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []
