"""Changes of overlays as plans: from what is written to new contents of files, by key; None removes one.

A shipped file is never written: a file of the site with the same key takes its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from provisioner.config.emit import block
from provisioner.config.splice import set_value
from provisioner.errors import ConflictError, ProvisionerError
from provisioner.model.nodeset import fold
from provisioner.operations.overlayfiles import BESIDE, OverlayFiles, checked_name, path_inside
from provisioner.overlay.source import TEMPLATE_SUFFIX, DeclaredKind
from provisioner.registry.collect import FileKind
from provisioner.registry.compiler import obtain
from provisioner.registry.view import SiteView

Contents = Mapping[str, bytes | None]
OverlayPlan = Callable[[OverlayFiles], Contents]

_OCTAL = re.compile(r"0?[0-7]{3,4}")
_OWNER = re.compile(r"(?P<user>root|[0-9]{1,9})?(:(?P<group>root|[0-9]{1,9}))?")
_PLAIN_MODE = 0o644


def create(name: str, description: str = "") -> OverlayPlan:
    """A new overlay without files. The plan raises ConflictError when there is one of that name."""
    checked_name(name)

    def plan(view: OverlayFiles) -> Contents:
        _refuse_taken(view, name)
        return {_declaration(name): block({"description": description}).encode()}

    return plan


def copy(source: str, target: str) -> OverlayPlan:
    """All files of an overlay under another name, or, under its own, as files of the site."""
    checked_name(target)

    def plan(view: OverlayFiles) -> Contents:
        if source != target:
            _refuse_taken(view, target)
        found = view.of(source)
        new: dict[str, bytes | None] = {}
        links: dict[str, str] = {}
        for key, file in found.items():
            inner = key.removeprefix(f"overlays/{source}/")
            if file.kind is FileKind.SYMLINK:
                links[inner.removeprefix("rootfs/")] = file.content.decode(errors="surrogateescape")
            elif source != target or not view.is_own(key):
                new[f"overlays/{target}/{inner}"] = file.content
        return new if source == target else _with_links(new, target, links)

    return plan


def delete(name: str, path: str | None = None) -> OverlayPlan:
    """An overlay of the site, or one file of it, gone; what ships under the same name shows again.

    The plan raises ConflictError for what ships, and for an overlay that is in use and would be no more.
    """

    def plan(view: OverlayFiles) -> Contents:
        keys = list(view.of(name)) if path is None else [view.key(name, path)]
        own = [key for key in keys if view.is_own(key)]
        if not own:
            what = f"overlay {name}" if path is None else keys[0]
            raise ConflictError(f"{what} ships with the product and cannot be deleted", hint="prov overlay list")
        for key in own:
            # What a link leads to is not this overlay's.
            view.content(key)
        if len(own) == len(view.of(name)) and not any(map(view.is_shipped, own)):
            _refuse_used(view, name)
        return dict.fromkeys(own)

    return plan


def edited(name: str, path: str, content: bytes) -> OverlayPlan:
    """A file of an overlay with another content, or a new one."""

    def plan(view: OverlayFiles) -> Contents:
        return {target_key(view, name, path): content}

    return plan


def imported(name: str, path: str, content: bytes, mode: int = _PLAIN_MODE) -> OverlayPlan:
    """A file of this machine in an overlay; a mode that is not the usual one is declared."""

    def plan(view: OverlayFiles) -> Contents:
        inner = path_inside(path)
        view.of(name)
        key = f"overlays/{name}/{inner if inner in BESIDE else f'rootfs/{inner}'}"
        if not (mode & 0o111 or not mode & 0o004):
            return {key: content}
        made = inner.removesuffix(TEMPLATE_SUFFIX)
        return {key: content, **_declared(view, name, made, {"mode": f"{mode & 0o755:04o}"}, {made})}

    return plan


def chmod(name: str, path: str, mode: str) -> OverlayPlan:
    """Another mode of a path that an overlay makes, declared in overlay.yaml. ProvisionerError for no mode."""
    if not _OCTAL.fullmatch(mode):
        raise ProvisionerError(f"{mode!r} is not a file mode", hint="three or four octal digits, such as 0640")
    digits = mode.rjust(4, "0")[-4:]
    return lambda view: _declared(view, name, path, {"mode": digits})


def chown(name: str, path: str, owner: str) -> OverlayPlan:
    """Another owner (`USER`, `USER:GROUP` or `:GROUP`) of a path that an overlay makes, declared in overlay.yaml.

    Owners are numbers, because names have other numbers in other images; ProvisionerError for anything else.
    """
    found = _OWNER.fullmatch(owner)
    ids = {"uid": found["user"], "gid": found["group"]} if found else {}
    fields = {field: int(text.replace("root", "0")) for field, text in ids.items() if text}
    if not fields:
        hint = "USER:GROUP as numbers, such as 991:991; prov image show NAME --users tells them"
        raise ProvisionerError(f"{owner!r} is not an owner", hint=hint)
    return lambda view: _declared(view, name, path, fields)


def target_key(view: OverlayFiles, name: str, path: str) -> str:
    """The key of a file that is there already, or that a new one would have."""
    inner = path_inside(path)
    known = view.of(name)
    places = [f"overlays/{name}/rootfs/{inner}", f"overlays/{name}/rootfs/{inner}{TEMPLATE_SUFFIX}"]
    if inner in BESIDE:
        return f"overlays/{name}/{inner}"
    return next((key for key in places if key in known), places[0])


def _declared(
    view: OverlayFiles, name: str, path: str, fields: Mapping[str, str | int], new: set[str] | None = None
) -> Contents:
    """overlay.yaml with fields of a path set; its comments stay."""
    inner = path_inside(path.rstrip("/"))
    overlay = view.overlay(name)
    made = {each.removesuffix(TEMPLATE_SUFFIX) for each in overlay.paths} | (new or set())
    key = _declaration(name)
    text = view.text(key) if key in view.files else ""
    if inner not in made and inner not in overlay.declared.files:
        if not any(each.startswith(f"{inner}/") for each in made):
            hint = f"prov overlay show {name} lists what it makes"
            raise ConflictError(f"overlay {name} makes no file {inner}", hint=hint)
        fields = {"kind": DeclaredKind.DIRECTORY.value, **fields}
    for field, value in fields.items():
        text = set_value(text, ("files", inner, field), value)
    return {key: text.encode(errors="surrogateescape")}


def _with_links(new: dict[str, bytes | None], target: str, links: Mapping[str, str]) -> Contents:
    """Symlinks of a copy are declared, because only regular files are written."""
    key = _declaration(target)
    text = (new.get(key) or b"").decode(errors="surrogateescape")
    for path, where in links.items():
        text = set_value(text, ("links", path), where)
    return {**new, key: text.encode(errors="surrogateescape")} if links else new


def _refuse_taken(view: OverlayFiles, name: str) -> None:
    if any(key.startswith(f"overlays/{name}/") for key in view.files):
        raise ConflictError(f"there is an overlay {name} already", hint=f"prov overlay show {name}")


def _refuse_used(view: OverlayFiles, name: str) -> None:
    users = list(_users(view, name))
    if users:
        raise ConflictError(f"overlay {name} is in use by {', '.join(users)}", hint="take it out there first")


def _users(view: OverlayFiles, name: str) -> list[str]:
    site = SiteView(view.files, obtain(view.paths, view.files))
    nodes = site.published.nodes() if site.published.usable else {}
    having = [node.name for node in nodes.values() if name in (*node.system_overlays, *node.runtime_overlays)]
    groups = [
        f"group {group}"
        for group, entry in site.groups.items()
        if name in (*entry.value.overlays.system, *entry.value.overlays.runtime)
    ]
    known = {key.split("/")[1] for key in view.files if key.startswith("overlays/")} - {name}
    others = [f"overlay {each}" for each in sorted(known) if name in view.overlay(each).declared.brings]
    return [*([f"nodes {fold(having)}"] if having else []), *groups, *others]


def _declaration(name: str) -> str:
    return f"overlays/{name}/overlay.yaml"
