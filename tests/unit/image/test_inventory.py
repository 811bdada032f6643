from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError
from provisioner.image import inventory, manifest, store
from provisioner.model.image import Artifact, Generation
from provisioner.model.imagefiles import Kind
from tests.support import resolved
from tests.support.imagetree import stored, tree


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "site")


def with_content(paths: Paths, content: bytes) -> Generation:
    store.prepare(paths)
    file = paths.images / "tmp/inventory"
    file.write_bytes(content)
    return resolved.generation().model_copy(update={"inventory": store.add_artifact(paths, file)})


def test_the_facts_of_a_generation_come_back(paths: Paths, tmp_path: Path) -> None:
    generation = stored(paths, tree(tmp_path / "root"))

    found = inventory.inventory(paths, generation)

    assert found is not None
    assert (found.package_manager, found.version_of("systemd"), found.version_of("gone")) == (
        "dpkg",
        "252.39-1",
        None,
    )
    assert found.user_by_name["munge"].uid == 998
    assert store.find(paths, generation.name) == generation


def test_every_file_comes_back_with_the_package_that_brought_it(paths: Paths, tmp_path: Path) -> None:
    root = tree(tmp_path / "root")
    (root / "usr/bin/bash").chmod(0o755)

    found = inventory.files(paths, stored(paths, root))

    assert found is not None
    assert len(found) == len(list(root.rglob("*"))) + 1
    bash = found["/usr/bin/bash"]
    assert (bash.kind, bash.mode, bash.size, bash.package) == (Kind.FILE, 0o755, 2, "bash")
    assert found.find("/lib/systemd/systemd") == found["/usr/lib/systemd/systemd"]
    assert found["/usr/lib/systemd/systemd"].package == "systemd"
    assert (found["/bin"].kind, found["/bin"].target, found["/bin"].package) == (Kind.LINK, "usr/bin", "bash")
    assert found["/etc/shells"].package == ""


def test_a_hard_link_is_the_file_that_it_is(paths: Paths, tmp_path: Path) -> None:
    root = tree(tmp_path / "root")
    (root / "usr/bin/zsh").hardlink_to(root / "usr/bin/bash")

    found = inventory.files(paths, stored(paths, root))

    assert found is not None
    assert found["/usr/bin/zsh"]._replace(path="/usr/bin/bash", package="bash") == found["/usr/bin/bash"]


def test_a_diverted_file_belongs_to_who_took_its_place(paths: Paths, tmp_path: Path) -> None:
    diverted = {"usr/bin/bash.distrib": "x", "var/lib/dpkg/diversions": "/bin/bash\n/bin/bash.distrib\nsystemd\n"}
    extra = {"var/lib/dpkg/info/systemd:amd64.list": "/bin/bash\n"}

    found = inventory.files(paths, stored(paths, tree(tmp_path / "root", {**diverted, **extra})))

    assert found is not None
    assert (found["/usr/bin/bash"].package, found["/usr/bin/bash.distrib"].package) == ("systemd", "bash")


def test_a_list_of_files_that_lies_harms_nobody(paths: Paths, tmp_path: Path) -> None:
    lies = ("/a\0b/c", "/a" * 300, "../../../../etc/passwd", "loop/x", "", "/", "/bin/bash")
    lists = {"var/lib/dpkg/info/bash.list": "\n".join(lies)}

    found = inventory.files(paths, stored(paths, tree(tmp_path / "root", lists, {"loop": "loop"})))

    assert found is not None
    assert {path for path, each in found.items() if each.package == "bash"} == {"/usr/bin/bash", "/etc/passwd"}


def test_a_name_that_is_no_text_comes_back_as_it_is(paths: Paths, tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {"etc/ma\udcff": "x", "etc/new\nline": "y"})

    found = inventory.files(paths, stored(paths, root))

    assert found is not None
    assert {"/etc/ma\udcff", "/etc/new\nline"} <= set(found)


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        root = tree(tmp_path / name)
        manifest.write(root, tmp_path / f"{name}.manifest")
        inventory.write(root, tmp_path / f"{name}.manifest", tmp_path / f"{name}.inventory")
        written.append((tmp_path / f"{name}.inventory").read_bytes())

    assert written[0] == written[1]


def test_any_program_can_read_it(paths: Paths, tmp_path: Path) -> None:
    generation = stored(paths, tree(tmp_path / "root"))
    assert generation.inventory is not None

    with gzip.open(store.artifact_path(paths, generation.inventory.digest)) as stream:
        facts, first, *rest = [json.loads(line) for line in stream]

    assert facts["package_manager"] == "dpkg"
    assert first[:2] == [".", "directory"]
    assert ["usr/bin/bash", "file"] in [row[:2] for row in rest]


def test_a_generation_of_before_there_were_inventories_has_none(paths: Paths) -> None:
    old = resolved.generation()
    record = old.model_dump(mode="json")
    del record["inventory"]

    loaded = Generation.model_validate(record)

    assert loaded == old
    assert inventory.inventory(paths, loaded) is None
    assert inventory.files(paths, loaded) is None


def test_an_inventory_of_a_later_version_counts_as_none(paths: Paths) -> None:
    generation = with_content(paths, gzip.compress(b'{"format": 99, "new": []}\n'))

    assert inventory.inventory(paths, generation) is None
    assert inventory.files(paths, generation) is None


def test_an_inventory_that_is_not_there_is_named(paths: Paths) -> None:
    generation = resolved.generation().model_copy(
        update={"inventory": Artifact(digest="sha256:" + "9" * 64, size=1)}
    )

    with pytest.raises(IntegrityError, match="9999 cannot be read: No such file") as caught:
        inventory.inventory(paths, generation)
    assert "again" in (caught.value.hint or "")


def test_an_inventory_that_was_damaged_is_named(paths: Paths, tmp_path: Path) -> None:
    generation = stored(paths, tree(tmp_path / "root"))
    assert generation.inventory is not None
    place = store.artifact_path(paths, generation.inventory.digest)
    place.write_bytes(place.read_bytes()[:-1])

    for read in (inventory.inventory, inventory.files):
        with pytest.raises(IntegrityError, match="is damaged"):
            read(paths, generation)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no gzip",
        gzip.compress(b"{}"),
        gzip.compress(b"[]"),
        gzip.compress(b'{"format": 1}'),
        b"\x1f\x8b\x08",
    ],
    ids=["empty", "text", "no format", "a list", "no facts", "cut"],
)
def test_what_is_no_inventory_is_refused(paths: Paths, content: bytes) -> None:
    with pytest.raises(IntegrityError, match="cannot be read"):
        inventory.inventory(paths, with_content(paths, content))


@pytest.mark.parametrize(
    "rows", [b"", b"{}", b"[1]", b'["x","file",0,0,0,0,"",7]', b'["x","nothing",0,0,0,0,"",0]']
)
def test_a_list_of_files_that_is_none_is_refused(paths: Paths, tmp_path: Path, rows: bytes) -> None:
    generation = stored(paths, tree(tmp_path / "root"))
    assert generation.inventory is not None
    whole = store.artifact_path(paths, generation.inventory.digest).read_bytes()
    reader = zlib.decompressobj(wbits=31)
    reader.decompress(whole)
    facts = whole[: len(whole) - len(reader.unused_data)]

    broken = with_content(paths, facts + (gzip.compress(rows + b"\n") if rows else b""))

    with pytest.raises(IntegrityError, match="no list of files"):
        inventory.files(paths, broken)
