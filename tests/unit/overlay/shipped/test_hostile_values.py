"""No value that somebody writes can add a line, an option or a file: it is refused, or stays one value."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.config.paths import Paths
from provisioner.model.disk import FileSystem
from provisioner.model.resolved import ResolvedNode
from provisioner.overlay.context import Identity, Surroundings
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import collect
from provisioner.render.environment import Renderer, RenderError
from tests.support.richnode import KEY, RESOURCES, TAGS, rich, snapshot

_RESOURCES: dict[str, Any] = {**RESOURCES, "ntp": ["10.0.0.1"]}
# Where a value goes: the overlays that print it, and the path to it in tags or resources.
TAG_PLACES = (
    ("issue", "motd"),
    ("issue", "issue"),
    ("localtime", "timezone"),
    ("debug", "room"),
    ("genders", "room"),
)
WORD_PLACES = (("chrony", "ntp"), ("slurm", "slurm"))
RESOURCE_PLACES: tuple[tuple[str, tuple[str | int, ...]], ...] = (
    ("chrony", ("ntp", 0)),
    ("users", ("users", "alice", "comment")),
    ("users", ("users", "alice", "keys", 0)),
    ("users", ("users", "alice", "groups", 0)),
    ("users", ("users", "bob", "home")),
    ("users", ("users", "bob", "shell")),
    ("users", ("groups", "hpc", "members", 0)),
    ("users", ("sudo", 0, "who")),
    ("users", ("sudo", 0, "commands", 0)),
    ("fstab", ("fstab", 0, "device")),
    ("fstab", ("fstab", 0, "path")),
    ("fstab", ("fstab", 0, "format")),
    ("fstab", ("fstab", 0, "options", 0)),
    *((overlay, ("nfs", 0, field)) for overlay in ("fstab", "nfs") for field in ("source", "path", "version")),
    ("nfs", ("nfs", 0, "options", 0)),
    ("apptainer", ("apptainer", "bind", 0)),
    ("apptainer", ("apptainer", "settings", "max loop devices")),
    ("debug", ("sudo", 0, "who")),
)
# Everything that one of the readers acts on, and some plain letters.
_PIECES = st.sampled_from(
    [
        *('"', "'", "\\", "%", "%h", "$", "${x}", "`", "#", ";", ",", "=", ":", "!", "*", "?", "|", "&", "<", ">"),
        *(
            "\n",
            "\r",
            "\t",
            " ",
            "\0",
            "\x7f",
            "\x85",
            "\u2028",
            "/",
            "..",
            "-",
            "--",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
        ),
        *("a", "Z", "0", "é", "ALL", "NOPASSWD:", "\nALL ALL=(ALL) ALL", "\n[Service]\nExecStart=/bin/x", "\\x2d"),
        *("10.0.0.1", "/srv", "server x", "ssh-ed25519 AAAA", "yes", "{{ 7 * 7 }}", "\ud800"),
    ]
)
# There are many places, and each one has few ways to go wrong.
FEW = settings(deadline=None, max_examples=40)
hostile = st.lists(_PIECES, max_size=6).map("".join)
paths = st.from_regex(r"\A(/[!-.0-~]{1,6}){1,3}\Z").filter(lambda path: not {".", ".."} & set(path.split("/")))


@cache
def library(folder: Path) -> Library:
    return Library(WrittenFiles(collect(Paths.below(folder))), RenderMemo(Renderer()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


def made(folder: Path, name: str, node: ResolvedNode) -> dict[str, str] | None:
    """The texts that an overlay makes for a node, or None where the value was refused, with place and reason."""
    context = Surroundings(snapshot(node), Identity(KEY)).context(node)
    try:
        entries = library(folder).tree([name], context)
    except RenderError as error:
        message = error.message
    else:
        return {entry.path: entry.content.decode() for entry in entries}
    assert message.startswith((f"overlays/{name}/", f"overlay {name}"))
    return None


def shape(texts: Mapping[str, str]) -> tuple[int, int]:
    """How many files there are, and how many lines, as a reader would count them that knows every line break."""
    return len(texts), sum(len(re.split(r"\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]", text)) for text in texts.values())


@cache
def usual_shape(folder: Path, name: str, *, without: str = "") -> tuple[int, int]:
    """The shape for a node with friendly values, perhaps without one tag."""
    tags = {key: value for key, value in TAGS.items() if key != without}
    texts = made(folder, name, rich(tags=tags, resources=_RESOURCES))
    assert texts is not None
    return shape(texts)


def changed(path: tuple[str | int, ...], value: str) -> dict[str, Any]:
    resources = copy.deepcopy(_RESOURCES)
    place: Any = resources
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return resources


@pytest.mark.parametrize(("overlay", "tag"), TAG_PLACES)
@FEW
@given(value=hostile)
def test_a_tag_adds_no_line_and_no_file(folder: Path, overlay: str, tag: str, value: str) -> None:
    texts = made(folder, overlay, rich(tags={**TAGS, tag: value}, resources=_RESOURCES))

    assert texts is None or shape(texts) in {
        usual_shape(folder, overlay),
        usual_shape(folder, overlay, without=tag),
    }


@pytest.mark.parametrize(("overlay", "tag"), WORD_PLACES)
@FEW
@given(value=hostile)
def test_a_tag_with_servers_names_servers_and_nothing_else(
    folder: Path, overlay: str, tag: str, value: str
) -> None:
    texts = made(folder, overlay, rich(tags={**TAGS, tag: value}))

    words = value.split()
    if texts:
        assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:-]*", word) for word in words)
        text = next(iter(texts.values()))
        assert text.count("iburst") in {0, len(words)}
        assert overlay != "slurm" or f'"--conf-server {",".join(words)}"' in text


@pytest.mark.parametrize(("overlay", "path"), RESOURCE_PLACES)
@FEW
@given(value=hostile)
def test_a_resource_adds_no_line_and_no_file(
    folder: Path, overlay: str, path: tuple[str | int, ...], value: str
) -> None:
    texts = made(folder, overlay, rich(resources=changed(path, value)))

    assert texts is None or shape(texts) == usual_shape(folder, overlay)


@FEW
@given(path=paths, options=st.lists(st.from_regex(r"\A[A-Za-z0-9_.:=/+%@-]{1,8}\Z"), max_size=3))
def test_a_file_system_is_one_line_of_fstab_and_one_unit(folder: Path, path: str, options: list[str]) -> None:
    filesystem = FileSystem(path=path, format="ext4", mount_options=tuple(options))
    node = rich(filesystems={"/dev/sda1": filesystem}, resources={})

    fstab = made(folder, "fstab", node)
    assert fstab is not None
    fields = fstab["etc/fstab"].splitlines()[0].split(" ")
    assert [_octal(field) for field in fields] == [
        *("/dev/sda1", path, "ext4", ",".join(options) or "defaults,nofail", "0", "2")
    ]
    units = made(folder, "mounts", node)
    assert units is None or len(units) == 2
    if units is not None:
        (unit,) = (text for name, text in units.items() if name.endswith(".mount"))
        assert f"Where={path.replace('%', '%%')}\n" in unit


@FEW
@given(value=hostile)
def test_the_dump_of_all_variables_is_json_whatever_they_are(folder: Path, value: str) -> None:
    texts = made(folder, "debug", rich(tags={"any": value}, comment=value))

    assert texts is not None
    assert json.loads(texts["etc/provisioner/debug.json"])["node"]["tags"] == {"any": value}


def test_no_secret_is_in_the_dump_of_all_variables(folder: Path) -> None:
    texts = made(folder, "debug", rich())

    assert texts is not None
    assert "calvin-and-hobbes" not in texts["etc/provisioner/debug.json"]
    assert "PRIVATE KEY" not in texts["etc/provisioner/debug.json"]


def _octal(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
