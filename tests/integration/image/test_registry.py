"""Images of real registries: every way to talk to one, every kind of image, and every way to fail."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from provisioner.cli.image import command
from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, NotFoundError, ProvisionerError, UnavailableError
from provisioner.image import registry
from provisioner.image.build import Obtained
from provisioner.image.reference import parse
from provisioner.image.terms import Access, Terms
from tests.support.oci import Layout, Tar, bootable_layer
from tests.support.registry import PASSWORD, USER, Authority, Registry, authfile, docker_registry

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("skopeo", "zstd", "setpriv")]

COMPRESSIONS = ("gzip", "zstd", "none")
LAYER = Tar().add("etc", "directory").add("etc/motd", data=b"hello").done()
MATRIX = list(
    itertools.product(
        ("http", "tls"),
        ("nobody", "login", "authfile"),
        ("tag", "digest"),
        ("one", "index"),
        COMPRESSIONS,
    )
)


class World:
    """Four registries over one storage, and what was pushed there, by tag."""

    def __init__(self, registries: dict[tuple[str, bool], Registry], layout: Layout) -> None:
        self.registries = registries
        self.layout = layout
        self.pushed: dict[str, dict[str, Any]] = {}

    @property
    def open(self) -> Registry:
        return self.registries["http", False]

    def push(self, tag: str, descriptor: dict[str, Any]) -> None:
        self.open.push(self.layout, descriptor, "site/toy", tag)
        self.pushed[tag] = descriptor

    def push_layer(self, tag: str, layer: bytes) -> str:
        """Push an image of one uncompressed layer and return the digest of that."""
        stored = self.layout.layer(layer, "none")
        self.push(tag, self.layout.image([layer], descriptors=[stored]))
        return str(stored["digest"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("registries")
    authority = Authority(folder / "authority")
    with ExitStack() as stack:
        registries = {
            (wire, guarded): stack.enter_context(
                docker_registry(
                    folder / f"{wire}-{guarded}",
                    folder / "storage",
                    authority=authority if wire == "tls" else None,
                    guarded=guarded,
                )
            )
            for wire in ("http", "tls")
            for guarded in (False, True)
        }
        made = World(registries, Layout(folder / "layout"))
        for compression in COMPRESSIONS:
            one = made.layout.image([LAYER], compressions=[compression])
            arm = made.layout.image([LAYER, LAYER], architecture="arm64")
            made.push(f"{compression}-one", one)
            made.push(f"{compression}-index", made.layout.index([arm, one]))
            made.pushed[f"{compression}-index"] = one
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


def imported(source: str, folder: Path, access: Access, **terms: Any) -> Obtained:
    """Import into `folder/work/tree`, with the store beside it."""
    work = folder / "work"
    work.mkdir()
    told = Terms(store=folder / "store", site_keys=folder / "keys", access=access, **terms)
    return registry.obtain(parse(source), work / "tree", told)


def blobs(store: Path) -> set[str]:
    return {f"sha256:{file.name}" for file in (store / "blobs").rglob("*") if file.is_file()}


@pytest.mark.parametrize(("wire", "who", "by", "shape", "compression"), MATRIX)
def test_an_image_is_taken_from_a_registry(
    world: World, tmp_path: Path, store: Path, wire: str, who: str, by: str, shape: str, compression: str
) -> None:
    server = world.registries[wire, who != "nobody"]
    expected = world.pushed[f"{compression}-{shape}"]["digest"]
    access = Access(
        login=(USER, PASSWORD) if who == "login" else None,
        authfile=authfile(tmp_path / "auth.json", server.address) if who == "authfile" else None,
        certificates=server.certificates,
        insecure=wire == "http",
    )
    name = f"docker://{server.address}/site/toy"
    source = f"{name}:{compression}-{shape}" if by == "tag" else f"{name}@{expected}"

    obtained = imported(source, tmp_path, access)

    assert (tmp_path / "work/tree/etc/motd").read_text() == "hello"
    assert (obtained.origin.kind, obtained.origin.reference) == ("registry", source)
    assert (obtained.origin.digest, obtained.origin.platform) == (expected, "linux/amd64")
    assert [each.name for each in (tmp_path / "work").iterdir()] == ["tree"]
    assert expected in blobs(store)


def test_an_image_in_the_form_of_docker_keeps_the_digest_that_the_registry_knows(
    world: World, tmp_path: Path, store: Path
) -> None:
    docker, layer = "application/vnd.docker.distribution.manifest.v2+json", world.layout.layer(LAYER)
    oci = json.loads(world.layout.read(world.layout.image([LAYER], descriptors=[layer])["digest"]))
    config = {**oci["config"], "mediaType": "application/vnd.docker.container.image.v1+json"}
    packed = {**layer, "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"}
    manifest = {"schemaVersion": 2, "mediaType": docker, "config": config, "layers": [packed]}
    descriptor = world.layout.document(docker, manifest)
    world.push("docker", descriptor)

    obtained = imported(f"docker://{world.open.address}/site/toy:docker", tmp_path, Access(insecure=True))

    assert obtained.origin.digest == descriptor["digest"]
    assert (tmp_path / "work/tree/etc/motd").read_text() == "hello"


@pytest.mark.needs("dracut", "mksquashfs", "depmod", "cpio")
def test_the_command_makes_an_image_that_boots_and_shows_where_it_came_from(world: World, tmp_path: Path) -> None:
    server = world.registries["tls", True]
    image = world.layout.image([bootable_layer()])
    world.push("bootable", image)
    (tmp_path / "login").write_text(f"{USER}:{PASSWORD}\n")
    (tmp_path / "login").chmod(0o600)
    source = f"docker://{server.address}/site/toy:bootable"
    words = [
        "import",
        source,
        "toy",
        "--creds-file",
        str(tmp_path / "login"),
        "--cert-dir",
        str(server.certificates),
    ]
    paths = Paths.below(tmp_path / "site")

    made = CliRunner().invoke(command, words, obj=paths, catch_exceptions=False)
    shown = CliRunner().invoke(command, ["show", "toy", "--format", "json"], obj=paths, catch_exceptions=False)

    origin = json.loads(shown.stdout)["origin"]
    assert made.stdout == "toy@1 is made and current\n"
    assert (origin["kind"], origin["reference"], origin["digest"]) == ("registry", source, image["digest"])
    assert (paths.images / "blobs").stat().st_mode & 0o777 == 0o700
    assert PASSWORD not in made.output + shown.output


def test_a_tag_and_a_digest_together_mean_the_digest(world: World, tmp_path: Path, store: Path) -> None:
    expected = world.pushed["gzip-one"]["digest"]
    source = f"docker://{world.open.address}/site/toy:zstd-one@{expected}"

    assert imported(source, tmp_path, Access(insecure=True)).origin.digest == expected


def test_another_platform_is_taken_when_it_is_asked_for(world: World, tmp_path: Path, store: Path) -> None:
    source = f"docker://{world.open.address}/site/toy:gzip-index"

    obtained = imported(source, tmp_path, Access(insecure=True), platform="linux/arm64")

    assert obtained.origin.platform == "linux/arm64"
    assert obtained.origin.digest != world.pushed["gzip-index"]["digest"]


@pytest.mark.parametrize("shape", ["one", "index"])
def test_an_image_of_another_platform_only_is_refused_before_it_is_fetched(
    world: World, tmp_path: Path, store: Path, shape: str
) -> None:
    arm = world.layout.image([LAYER, LAYER], architecture="arm64")
    world.push("arm", arm if shape == "one" else world.layout.index([arm]))

    with pytest.raises(ProvisionerError, match="linux/arm64") as caught:
        imported(f"docker://{world.open.address}/site/toy:arm", tmp_path, Access(insecure=True))
    assert "--platform" in (caught.value.hint or "")
    assert not (store / "blobs").exists()


def test_what_is_here_already_is_not_fetched_again(world: World, tmp_path: Path, store: Path) -> None:
    extra = Tar().add("more", data=b"x").done()
    world.push("more", world.layout.image([LAYER, extra]))
    said: list[str] = []
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "store").symlink_to(store)
    name = f"docker://{world.open.address}/site/toy"

    imported(f"{name}:gzip-one", first, Access(insecure=True))
    imported(f"{name}:more", second, Access(insecure=True), say=said.append)

    assert [line for line in said if "1 of 3 blobs are here" in line]
    assert (second / "work/tree/more").read_text() == "x"


@pytest.mark.parametrize("damage", [b"", b"\0" * 1024])
def test_a_blob_that_was_damaged_here_is_fetched_again(
    world: World, tmp_path: Path, store: Path, damage: bytes
) -> None:
    source = f"docker://{world.open.address}/site/toy:gzip-one"
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "store").symlink_to(store)
    imported(source, first, Access(insecure=True))
    layer = max((store / "blobs/sha256").iterdir(), key=lambda file: file.read_bytes()[:2] == b"\x1f\x8b")
    layer.write_bytes(damage)

    imported(source, second, Access(insecure=True))

    assert (second / "work/tree/etc/motd").read_text() == "hello"


@pytest.mark.parametrize("damage", ["truncated", "changed"])
def test_a_blob_that_the_registry_damaged_is_refused_and_not_kept(
    world: World, tmp_path: Path, store: Path, damage: str
) -> None:
    digest = world.push_layer(damage, Tar().add(damage, data=bytes(1 << 20)).done())
    place = world.open.blob(digest)
    content = place.read_bytes()
    place.write_bytes(content[: 1 << 19] if damage == "truncated" else b"X" + content[1:])

    with pytest.raises(IntegrityError, match="not what its digest says"):
        imported(f"docker://{world.open.address}/site/toy:{damage}", tmp_path, Access(insecure=True))
    assert digest not in blobs(store)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_manifest_that_is_not_the_pinned_one_is_refused(world: World, tmp_path: Path, store: Path) -> None:
    pinned = world.layout.image([LAYER, LAYER, LAYER])
    world.push("pinned", pinned)
    place = world.open.blob(pinned["digest"])
    place.write_bytes(world.layout.read(world.pushed["gzip-one"]["digest"]))

    with pytest.raises(IntegrityError, match="the registry gives sha256:"):
        imported(f"docker://{world.open.address}/site/toy@{pinned['digest']}", tmp_path, Access(insecure=True))
    assert not (tmp_path / "work/tree").exists()


@pytest.mark.parametrize("login", [None, (USER, "wrong")])
def test_without_the_right_login_nothing_is_given(
    world: World, tmp_path: Path, store: Path, login: tuple[str, str] | None
) -> None:
    address = world.registries["http", True].address

    with pytest.raises(ProvisionerError, match="without the right login") as caught:
        imported(f"docker://{address}/site/toy:gzip-one", tmp_path, Access(login=login, insecure=True))
    assert "--login USER" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["site/toy:nope", "site/nothing:1", f"site/toy@sha256:{'0' * 64}"])
def test_what_the_registry_does_not_have_is_named(world: World, tmp_path: Path, store: Path, name: str) -> None:
    with pytest.raises(NotFoundError, match=f"no {world.open.address}/{name}"):
        imported(f"docker://{world.open.address}/{name}", tmp_path, Access(insecure=True))


def test_plain_http_is_not_spoken_unless_told_to(world: World, tmp_path: Path, store: Path) -> None:
    with pytest.raises(UnavailableError, match="speaks plain HTTP") as caught:
        imported(f"docker://{world.open.address}/site/toy:gzip-one", tmp_path, Access())
    assert "--insecure" in (caught.value.hint or "")


def test_a_certificate_of_an_unknown_authority_is_refused(world: World, tmp_path: Path, store: Path) -> None:
    address = world.registries["tls", False].address

    with pytest.raises(UnavailableError, match="is not trusted") as caught:
        imported(f"docker://{address}/site/toy:gzip-one", tmp_path, Access())
    assert "--cert-dir" in (caught.value.hint or "")


def test_a_registry_that_is_not_there_is_told(tmp_path: Path, store: Path) -> None:
    # Port 9 of loopback: nothing listens there.
    with pytest.raises(UnavailableError, match="does not answer"):
        imported("docker://127.0.0.1:9/site/toy:1", tmp_path, Access())


def test_a_policy_of_the_site_is_held_to(world: World, tmp_path: Path, store: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"default": [{"type": "reject"}]}))

    with pytest.raises(IntegrityError, match="policy does not allow"):
        imported(
            f"docker://{world.open.address}/site/toy:gzip-one", tmp_path, Access(policy=policy, insecure=True)
        )


def test_a_policy_that_allows_an_image_is_part_of_its_story(world: World, tmp_path: Path, store: Path) -> None:
    policy = tmp_path / "policy.json"
    allowed = {f"{world.open.address}/site": [{"type": "insecureAcceptAnything"}]}
    policy.write_text(json.dumps({"default": [{"type": "reject"}], "transports": {"docker": allowed}}))
    access = Access(policy=policy, insecure=True)

    obtained = imported(f"docker://{world.open.address}/site/toy:gzip-one", tmp_path, access)

    assert obtained.origin.signature == f"allowed by the policy {policy}"


def test_a_file_that_does_not_exist_is_named_before_anything_is_asked(tmp_path: Path, store: Path) -> None:
    with pytest.raises(NotFoundError, match="nope does not exist"):
        imported("docker://127.0.0.1:9/x", tmp_path, Access(authfile=tmp_path / "nope"))
