"""Images that travel in a file, between two stores that know nothing of each other."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, IntegrityError, NotFoundError, ProvisionerError
from provisioner.image import store
from provisioner.image.folder import ImageFolder
from provisioner.image.verify import verify
from provisioner.operations.imagebundle import export, load
from provisioner.trust.seal import unsealed
from tests.support.imagestore import contents, generation, served

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("zstd")]

RANDOM = random.Random(7).randbytes(300_000)
CHANGED = RANDOM[:150_000] + b"one package is another" + RANDOM[150_100:]


@pytest.fixture
def here(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "there")


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "images.bundle")


def whole(paths: Paths, name: str) -> bool:
    return not list(verify(paths, [store.find(paths, name)], deep=True))


def nothing_left(paths: Paths) -> bool:
    return not list((paths.images / "tmp").iterdir())


def test_a_generation_arrives_whole_with_its_record(here: Paths, there: Paths, file: str) -> None:
    made = generation(here, tree=True)

    export(here, ["toy"], file)
    ((loaded, is_new),) = load(there, file).generations

    assert is_new
    # The site that loads it signs what it got.
    assert loaded.model_copy(update={"signature": made.signature}) == made
    assert unsealed(loaded, store.signing_keys(there)) == ""
    assert whole(there, "toy@1")
    assert nothing_left(there)
    entry = ImageFolder.of(there, "toy").history()[-1]
    assert (entry.what, entry.detail) == ("loaded", f"toy@1 from {file}")


def test_without_its_tree_it_boots_but_cannot_be_changed(here: Paths, there: Paths, file: str) -> None:
    generation(here, tree=True)
    export(here, ["toy"], file)

    (loaded, _) = load(there, file).generations[0]

    assert loaded.boots
    with pytest.raises(NotFoundError, match="the tree of toy@1 is not in this store"):
        store.find_tree(there, loaded)


def test_with_its_tree_it_can_be_changed(here: Paths, there: Paths, file: str) -> None:
    generation(here, tree=True)
    export(here, ["toy"], file, with_trees=True)

    (loaded, _) = load(there, file).generations[0]

    assert (store.find_tree(there, loaded) / "etc/motd").read_bytes() == b"root"
    assert whole(there, "toy@1")


def test_a_tree_that_comes_later_completes_what_is_there(here: Paths, there: Paths, file: str) -> None:
    generation(here, tree=True)
    export(here, ["toy"], file)
    load(there, file)
    export(here, ["toy"], f"{file}.tree", with_trees=True)

    ((loaded, is_new),) = load(there, f"{file}.tree").generations

    assert (loaded.name, is_new) == ("toy@1", False)
    assert store.find_tree(there, loaded).is_dir()


def test_equal_generations_give_equal_bundles(here: Paths, file: str) -> None:
    generation(here, tree=True)

    export(here, ["toy"], file, with_trees=True)
    export(here, ["toy@1"], f"{file}.2", with_trees=True)

    assert Path(file).read_bytes() == Path(f"{file}.2").read_bytes()


def test_several_images_travel_together_and_share_what_is_equal(here: Paths, there: Paths, file: str) -> None:
    for name, content in (("toy", b"1"), ("toy", b"2"), ("other", b"1")):
        generation(here, name, content)

    index = export(here, ["toy@1", "toy@2", "other"], file)
    loaded = load(there, file).generations

    assert [each.name for each, _ in loaded] == ["toy@1", "toy@2", "other@1"]
    assert len(index.members) == 4
    assert store.find(there, "toy").name == "toy@2"


def test_one_image_may_get_another_name(here: Paths, there: Paths, file: str) -> None:
    generation(here)
    generation(there)
    export(here, ["toy"], file)

    assert load(there, file, "new").generations[0][0].name == "new@1"
    generation(here, "other")
    export(here, ["toy", "other"], f"{file}.2")
    with pytest.raises(ProvisionerError, match="the bundle has 2 images: other, toy"):
        load(there, f"{file}.2", "new")


def test_what_is_there_already_is_not_taken_twice(here: Paths, there: Paths, file: str) -> None:
    generation(here)
    export(here, ["toy"], file)

    assert [load(there, file).generations[0][1] for _ in range(2)] == [True, False]
    assert list(store.catalogue(there).generations["toy"]) == [1]


def test_what_cannot_boot_does_not_take_the_place_of_what_does(here: Paths, there: Paths, file: str) -> None:
    made = generation(here)
    store.publish(here, made.model_copy(update={"image": "bare", "kernel": None, "lacks": ("a kernel",)}))
    generation(there)
    export(here, ["bare"], file)

    with pytest.raises(ConflictError, match="would take the place of toy@1"):
        load(there, file, "toy")
    assert load(there, file).generations[0][0].name == "bare@1"


def test_a_delta_is_small_and_gives_the_very_same(here: Paths, there: Paths, file: str) -> None:
    generation(here, root=RANDOM, tree=True)
    export(here, ["toy"], f"{file}.1", with_trees=True)
    load(there, f"{file}.1")
    made = generation(here, root=CHANGED, tree=True)

    index = export(here, ["toy@2"], file, against="toy@1")
    loaded, _ = load(there, file).generations[0]

    assert index.base == "toy@1"
    assert {each.kind for each in index.members} == {"delta"}
    assert Path(file).stat().st_size < 0.1 * Path(f"{file}.1").stat().st_size
    assert loaded.boot_set == made.boot_set
    assert whole(there, "toy@2")


def test_a_delta_of_a_tree_takes_from_the_receiver_what_did_not_change(
    here: Paths, there: Paths, file: str
) -> None:
    generation(here, root=RANDOM, tree=True)
    export(here, ["toy"], f"{file}.1", with_trees=True)
    load(there, f"{file}.1")
    generation(here, root=RANDOM, tree=True, packages="changed")

    export(here, ["toy@2"], file, with_trees=True, against="toy@1")
    loaded, _ = load(there, file).generations[0]

    assert Path(file).stat().st_size < 0.1 * Path(f"{file}.1").stat().st_size
    assert (store.find_tree(there, loaded) / "etc/motd").read_bytes() == RANDOM
    assert whole(there, "toy@2")


def test_a_delta_without_its_base_is_refused_by_name(here: Paths, there: Paths, file: str) -> None:
    generation(here, root=RANDOM)
    generation(here, root=CHANGED)
    export(here, ["toy@2"], file, against="toy@1")

    with pytest.raises(NotFoundError, match="only what differs from toy@1, which is not in this store") as caught:
        load(there, file)
    assert "prov image export toy@2 FILE" in (caught.value.hint or "")
    assert nothing_left(there)
    assert store.catalogue(there).generations == {}


def test_a_delta_of_a_tree_without_the_tree_is_refused(here: Paths, there: Paths, file: str) -> None:
    generation(here, root=RANDOM, tree=True)
    export(here, ["toy"], f"{file}.1")
    load(there, f"{file}.1")
    generation(here, root=CHANGED, tree=True)
    export(here, ["toy@2"], file, with_trees=True, against="toy@1")

    with pytest.raises(NotFoundError, match="the tree of toy@1 is not in this store"):
        load(there, file)
    assert list(store.catalogue(there).generations["toy"]) == [1]


def test_a_delta_to_a_damaged_base_is_noticed(here: Paths, there: Paths, file: str) -> None:
    generation(here, root=RANDOM)
    export(here, ["toy"], f"{file}.1")
    load(there, f"{file}.1")
    generation(here, root=CHANGED)
    export(here, ["toy@2"], file, against="toy@1")
    base = store.find(there, "toy@1").boot_set.root
    store.artifact_path(there, base.digest).write_bytes(RANDOM[::-1])

    with pytest.raises(IntegrityError):
        load(there, file)
    assert list(store.catalogue(there).generations["toy"]) == [1]


def test_what_is_damaged_is_not_exported(here: Paths, file: str) -> None:
    made = generation(here)
    store.artifact_path(here, made.boot_set.root.digest).write_bytes(b"toor")

    with pytest.raises(IntegrityError, match="toy@1 is damaged"):
        export(here, ["toy"], file)
    assert [each.name for each in Path(file).parent.iterdir()] == ["here"]


def test_a_file_that_exists_stays(here: Paths, file: str) -> None:
    generation(here)
    Path(file).write_text("precious")

    with pytest.raises(ConflictError, match="exists already"):
        export(here, ["toy"], file)
    assert Path(file).read_text() == "precious"


@pytest.fixture
def bundle(here: Paths, file: str) -> str:
    generation(here, tree=True)
    export(here, ["toy"], file, with_trees=True)
    return file


def rewritten(bundle: str, change: Callable[[dict[str, Any], dict[str, bytes]], object]) -> None:
    """Let somebody change the index and the members of a bundle."""
    with tarfile.open(bundle) as archive:
        members = {each.name: content.read() for each in archive if (content := archive.extractfile(each))}
    index = json.loads(members.pop("bundle.json"))
    change(index, members)
    with tarfile.open(bundle, "w") as archive:
        for name, text in {"bundle.json": json.dumps(index).encode(), **members}.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))


def replaced(index: dict[str, Any], members: dict[str, bytes], kind: str, content: bytes) -> None:
    """Put another content into a member, and say so in the index."""
    member = next(each for each in index["members"] if each["kind"] == kind)
    members[member["name"]] = content
    member |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


HOSTILE: dict[str, Callable[[dict[str, Any], dict[str, bytes]], object]] = {
    "a changed byte": lambda index, members: members.update({index["members"][0]["name"]: b"kerneL"}),
    "another kernel": lambda index, members: replaced(index, members, "artifact", b"evil"),
    "another list": lambda index, members: replaced(index, members, "list", b'{"path":"."}\n'),
    "no tree": lambda index, members: replaced(index, members, "tree", b""),
    "more than the index says": lambda _, members: members.update({"../more": b""}),
    "less than the index says": lambda index, members: members.pop(index["members"][-1]["name"]),
    "a later format": lambda index, _: index.update(format=2),
    "an unknown field": lambda index, _: index["generations"][0].update(surprise=1),
    "a name that leads away": lambda index, _: index["generations"][0].update(image="../x"),
    "no image": lambda index, _: index.update(generations=[]),
    "a digest that is none": lambda index, _: index["members"][0].update(of="sha256:../../x"),
    "a tree that leads away": lambda index, _: index["generations"][0].update(tree="../../../etc"),
    "a time that is none": lambda index, _: index["generations"][0].update(created=float("nan")),
    "a time that no calendar has": lambda index, _: index["generations"][0].update(created=1e300),
    "a member that nobody sends": lambda index, _: index["generations"][0]["root"].update(digest="x"),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_bundle_that_lies_never_becomes_an_image(
    there: Paths, bundle: str, change: Callable[[dict[str, Any], dict[str, bytes]], object]
) -> None:
    rewritten(bundle, change)

    with pytest.raises(ProvisionerError):
        load(there, bundle)

    assert store.catalogue(there).generations == {}
    assert nothing_left(there)


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9])
def test_a_bundle_that_was_cut_short_never_becomes_an_image(there: Paths, bundle: str, kept: float) -> None:
    content = Path(bundle).read_bytes().rstrip(b"\0")
    Path(bundle).write_bytes(content[: int(len(content) * kept)])

    with pytest.raises(IntegrityError):
        load(there, bundle)
    assert store.catalogue(there).generations == {}


def test_what_is_no_bundle_is_said_to_be_none(there: Paths, file: str) -> None:
    with pytest.raises(NotFoundError, match="there is no file"):
        load(there, file)
    Path(file).write_bytes(os.urandom(100_000))
    with pytest.raises(IntegrityError, match="is no bundle of images"):
        load(there, file)


def test_bundles_travel_through_a_pipe(here: Paths, there: Paths) -> None:
    generation(here, tree=True)
    send = f"python -m provisioner --root {here.site} image export toy --tree -"
    receive = f"python -m provisioner --root {there.site} image load -"

    subprocess.run(["bash", "-ceu", "-o", "pipefail", f"{send} | {receive}"], check=True, env=environment())

    assert whole(there, "toy@1")


def test_a_full_disk_leaves_nothing_half(here: Paths, tmp_path: Path) -> None:
    generation(here, root=RANDOM, tree=True)
    generation(here, root=RANDOM[::-1], tree=True)
    before = contents(here)
    script = f"""
        mount -t tmpfs -o size=100k none {tmp_path}/small
        if python -m provisioner --root {here.site} image export toy {tmp_path}/small/toy.bundle; then exit 9; fi
        test -z "$(ls -A {tmp_path}/small)"
        mount -t tmpfs -o size=500k none {tmp_path}/small
        python -m provisioner --root {here.site} image export toy {tmp_path}/small/toy.bundle
        mkdir {tmp_path}/there
        mount -t tmpfs -o size=200k none {tmp_path}/there
        if python -m provisioner --root {tmp_path}/there image load {tmp_path}/small/toy.bundle; then exit 9; fi
        find {tmp_path}/there -type f -size +0 ; find {tmp_path}/there/var/images/tmp -mindepth 1
    """
    (tmp_path / "small").mkdir()

    done = subprocess.run(
        ["unshare", "--mount", "bash", "-eu", "-c", script],
        check=False,
        env=environment(),
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout.splitlines()[1:]) == (0, []), done
    assert "No space left" in done.stderr
    assert contents(here) == before


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def test_nodes_are_served_the_same_after_a_load(here: Paths, there: Paths, file: str) -> None:
    generation(here)
    export(here, ["toy"], file)
    load(there, file)

    assert [path.read_bytes() for path in served(there).values()] == [
        path.read_bytes() for path in served(here).values()
    ]


def test_a_bundle_without_all_of_its_parts_is_not_said_to_be_a_difference(there: Paths, bundle: str) -> None:
    def emptied(index: dict[str, Any], members: dict[str, bytes]) -> None:
        index["members"] = []
        members.clear()

    rewritten(bundle, emptied)

    with pytest.raises(IntegrityError, match="has not all of toy@1"):
        load(there, bundle)


def test_a_bundle_is_not_written_to_a_terminal(here: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    generation(here)
    controller, terminal = os.openpty()
    with os.fdopen(controller, "rb"), os.fdopen(terminal, "w") as screen:
        monkeypatch.setattr(sys, "stdout", screen)
        with pytest.raises(ProvisionerError, match="nothing for a terminal"):
            export(here, ["toy"], "-")


def test_a_bundle_that_finds_no_room_names_the_file_system(here: Paths, tmp_path: Path) -> None:
    generation(here, root=RANDOM)
    small = tmp_path / "small"
    small.mkdir()
    export_there = (
        f"{sys.executable} -m provisioner --root {here.site} image export toy {small}/x || ls -A {small}"
    )
    script = f"mount -t tmpfs -o size=64k small {small} && {{ {export_there}; }}"

    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )

    assert f"the file system at {small} is full" in done.stderr
    assert done.stdout == ""
