"""Switch files: `switches.d/ID.yaml` to a switch and to what it says of nodes, and back to text."""

from __future__ import annotations

from pathlib import PurePosixPath

from provisioner.config.decode import Decoded, Entry, decode_text
from provisioner.config.emit import Writable, pair
from provisioner.config.marked import Document, MarkedMap, Pair, Scalar, parse
from provisioner.errors import ConfigError, Problem
from provisioner.model.switch import Switch, members
from provisioner.model.written import NodeEntry

FOLDER = "switches.d/"
_SUFFIX = ".yaml"
_FIRST = ("asked", "target", "to", "nodes", "state")
_HEADER = """\
# Written by prov switch; prov switch show {id} tells what it means. What counts is `images`.
"""


def switch_id(file: str) -> str:
    """The name of the switch in a file."""
    return PurePosixPath(file).stem


def read_switch(file: str, text: str) -> Switch:
    """The switch in a file. Raises ConfigError with every mistake."""
    return decode_text(text, file, Switch)


def decode_switch(document: Document, text: str) -> Decoded[NodeEntry]:
    """What a switch says of nodes, as entries that make no node: an image for each of those that it moved."""
    if PurePosixPath(document.file).suffix != _SUFFIX:
        name = switch_id(document.file)
        problem = Problem(
            document.file, 1, 1, f"a switch is in a file that ends in {_SUFFIX}", f"mv it to {name}{_SUFFIX}"
        )
        return Decoded((), (), (problem,))
    try:
        switch = read_switch(document.file, text)
    except ConfigError as error:
        return Decoded((), (), error.problems)
    entries = tuple(
        Entry(document.file, _key(document, image), members(nodes), *_value(document, image), overrides=True)
        for image, nodes in switch.images.items()
        if nodes
    )
    return Decoded(entries, (), ())


def switch_text(name: str, switch: Switch) -> str:
    """A switch as the text of its file."""
    data: dict[str, Writable] = switch.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    pace = data.pop("pace", None)
    data["state"] = switch.state.value
    lines = [pair(key, data.pop(key)) for key in (*_FIRST, *data) if not isinstance(data.get(key, {}), dict)]
    for key, value in {**data, "pace": pace}.items():
        if isinstance(value, dict) and value:
            lines += [f"{key}:", *(f"  {pair(name, each)}" for name, each in value.items())]
    return _HEADER.format(id=name) + "".join(f"{line}\n" for line in lines)


def parsed(file: str, content: str) -> Decoded[NodeEntry]:
    """What the text of a switch file says of nodes."""
    return decode_switch(parse(file, content), content)


def _key(document: Document, image: str) -> Scalar:
    """The key of an entry is the switch; it stands where its image does."""
    return Scalar(switch_id(document.file), plain=True, span=_scalar(document, image).span)


def _value(document: Document, image: str) -> tuple[NodeEntry, MarkedMap]:
    place = _scalar(document, image)
    node = MarkedMap((Pair(Scalar("image", plain=True, span=place.span), place),), flow=True, span=place.span)
    return NodeEntry(image=image), node


def _scalar(document: Document, image: str) -> Scalar:
    root = document.root
    images = root.find("images") if isinstance(root, MarkedMap) else None
    found = images.value.find(image) if images and isinstance(images.value, MarkedMap) else None
    if found is None:
        raise KeyError(image)
    return found.key
