from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import IntegrityError, NotFoundError, ProvisionerError
from provisioner.image.oci import OciImage, open_image
from tests.support.oci import CREATED_SECONDS, Layout, Tar

LAYER = Tar().add("a", data=b"1").done()
ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest"}


@pytest.fixture
def made(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def opened(made: Layout, tag: str | None = None) -> OciImage:
    return open_image(made.folder, tag)


def test_the_only_image_is_taken(made: Layout) -> None:
    descriptor = made.image([LAYER, LAYER], compressions=["gzip", "none"])
    made.name(descriptor)

    image = opened(made)

    assert (image.digest, image.created) == (descriptor["digest"], CREATED_SECONDS)
    assert [layer.compression for layer in image.layers] == ["gzip", "none"]


def test_a_tag_chooses_between_images(made: Layout) -> None:
    one, other = made.image([LAYER]), made.image([LAYER, LAYER])
    made.name(one, "one")
    made.name(other, "other")

    assert opened(made, "other").digest == other["digest"]


def test_several_images_without_a_tag_are_refused_with_the_tags(made: Layout) -> None:
    made.name(made.image([LAYER]), "one")
    made.name(made.image([LAYER, LAYER]), "two")

    with pytest.raises(ProvisionerError, match="2 images for linux/amd64") as caught:
        opened(made)
    assert "tags: one, two" in (caught.value.hint or "")


def test_one_image_with_two_tags_is_one_image(made: Layout) -> None:
    descriptor = made.image([LAYER])
    made.name(descriptor, "one")
    made.name(descriptor, "two")

    assert opened(made).digest == descriptor["digest"]


def test_the_architecture_is_chosen_inside_an_index(made: Layout) -> None:
    arm, intel = made.image([LAYER], architecture="arm64"), made.image([LAYER, LAYER])
    made.name(made.index([arm, made.index([intel])]), "multi")

    assert opened(made, "multi").digest == intel["digest"]


def test_an_image_of_another_architecture_only_is_named(made: Layout) -> None:
    made.name(made.image([LAYER], architecture="arm64"))

    with pytest.raises(NotFoundError, match=r"no image for linux/amd64 \(it holds linux/arm64\)"):
        opened(made)


def test_the_architecture_is_read_from_the_configuration_where_the_index_is_silent(made: Layout) -> None:
    descriptor = made.image([LAYER])
    made.name({key: value for key, value in descriptor.items() if key != "platform"})

    assert opened(made).digest == descriptor["digest"]


def test_attestations_are_passed_over(made: Layout) -> None:
    image = made.image([LAYER])
    made.name(made.index([image, {**made.image([LAYER, LAYER]), "annotations": ATTESTATION}]))

    assert opened(made).digest == image["digest"]


def test_a_missing_tag_is_named(made: Layout) -> None:
    made.name(made.image([LAYER]), "one")

    with pytest.raises(NotFoundError, match="no image nine") as caught:
        opened(made, "nine")
    assert "tags: one" in (caught.value.hint or "")


def test_an_artifact_is_refused_by_its_type(made: Layout) -> None:
    kind = "application/vnd.oci.image.manifest.v1+json"
    config = made.document("application/vnd.oci.empty.v1+json", {})
    manifest = {"artifactType": "application/vnd.chart", "config": config, "layers": []}
    made.name(made.document(kind, manifest))

    with pytest.raises(NotFoundError, match=r"it holds application/vnd\.chart"):
        opened(made)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "a layer is encrypted"),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "a layer is foreign"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "a layer is foreign"),
        ("application/x-else", "unknown type application/x-else"),
    ],
)
def test_a_layer_that_cannot_be_unpacked_is_refused_by_its_type(made: Layout, kind: str, reason: str) -> None:
    made.name(made.image([LAYER], descriptors=[{"mediaType": kind, **made.blob(b"x")}]))

    with pytest.raises(ProvisionerError, match=reason):
        opened(made)


def corrupt(made: Layout, digest: str, content: bytes) -> None:
    (made.folder / "blobs" / digest.replace(":", "/")).write_bytes(content)


def test_a_damaged_blob_is_refused(made: Layout) -> None:
    layer = made.layer(LAYER)
    made.name(made.image([LAYER], descriptors=[layer]))
    corrupt(made, layer["digest"], bytes(layer["size"]))

    with pytest.raises(IntegrityError, match="is damaged"):
        opened(made)


def test_a_truncated_blob_is_refused(made: Layout) -> None:
    layer = made.layer(LAYER)
    made.name(made.image([LAYER], descriptors=[layer]))
    corrupt(made, layer["digest"], b"short")

    with pytest.raises(IntegrityError, match=f"has not the {layer['size']} bytes"):
        opened(made)


def test_a_link_in_place_of_a_blob_is_refused(made: Layout, tmp_path: Path) -> None:
    layer = made.layer(LAYER)
    made.name(made.image([LAYER], descriptors=[layer]))
    blob = made.folder / "blobs" / layer["digest"].replace(":", "/")
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(IntegrityError, match="cannot be read"):
        opened(made)


def test_a_pipe_in_place_of_a_blob_does_not_block(made: Layout) -> None:
    layer = made.layer(LAYER)
    made.name(made.image([LAYER], descriptors=[layer]))
    blob = made.folder / "blobs" / layer["digest"].replace(":", "/")
    blob.unlink()
    os.mkfifo(blob)

    with pytest.raises(IntegrityError, match="no regular file"):
        opened(made)


@pytest.mark.parametrize("digest", ["sha256:../../../../etc/passwd", "md5:00", "", 7])
def test_a_digest_that_is_none_is_refused(made: Layout, digest: Any) -> None:
    made.name({**made.image([LAYER]), "digest": digest})

    with pytest.raises(IntegrityError, match="no sha256 digest"):
        opened(made)


def test_a_configuration_of_other_layers_is_refused(made: Layout) -> None:
    made.name(made.image([LAYER], diff_ids=["sha256:" + "0" * 64] * 2))

    with pytest.raises(IntegrityError, match="lists 1 layers"):
        opened(made)


def test_indexes_without_end_are_refused(made: Layout) -> None:
    descriptor = made.image([LAYER])
    for _ in range(5):
        descriptor = made.index([descriptor])
    made.name(descriptor)

    with pytest.raises(IntegrityError, match="nests indexes"):
        opened(made)


def test_a_folder_that_is_no_layout_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no OCI layout"):
        open_image(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["manifests", "digest", "size", "mediaType", "annotations"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_index_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, document: object) -> None:
    folder = tmp_path_factory.mktemp("fuzz") / "layout"
    made = Layout(folder)
    (folder / "index.json").write_text(json.dumps(document))

    with pytest.raises(ProvisionerError):
        opened(made)
