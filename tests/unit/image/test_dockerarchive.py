from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import IntegrityError, NotFoundError, ProvisionerError
from provisioner.image import dockerarchive
from tests.support.oci import CREATED, CREATED_SECONDS, Tar

LAYER = Tar().add("a", data=b"1").done()
DIFF_ID = f"sha256:{hashlib.sha256(LAYER).hexdigest()}"
CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "created": CREATED,
    "rootfs": {"type": "layers", "diff_ids": [DIFF_ID]},
}


def saved(folder: Path, manifest: Any = None, config: Any = None) -> Path:
    entry = {"Config": "config.json", "RepoTags": ["toy:1"], "Layers": ["layer.tar"]}
    (folder / "config.json").write_text(json.dumps(CONFIG if config is None else config))
    (folder / "layer.tar").write_bytes(LAYER)
    (folder / "manifest.json").write_text(json.dumps([entry] if manifest is None else manifest))
    return folder


def test_the_image_is_found_by_its_name_or_alone(tmp_path: Path) -> None:
    saved(tmp_path)

    for tag in ("toy:1", None):
        image = dockerarchive.open_image(tmp_path, tag, platform="linux/amd64")
        assert (image.created, [layer.diff_id for layer in image.layers]) == (CREATED_SECONDS, [DIFF_ID])
        assert image.digest == f"sha256:{hashlib.sha256(json.dumps(CONFIG).encode()).hexdigest()}"


def test_several_images_without_a_name_are_refused_with_the_names(tmp_path: Path) -> None:
    entries = [{"Config": "config.json", "RepoTags": [name], "Layers": []} for name in ("a:1", "b:1")]

    with pytest.raises(ProvisionerError, match="2 images") as caught:
        dockerarchive.open_image(saved(tmp_path, entries), None, platform="linux/amd64")
    assert "a:1, b:1" in (caught.value.hint or "")


def test_another_platform_is_named(tmp_path: Path) -> None:
    config = {**CONFIG, "architecture": "arm64"}

    with pytest.raises(NotFoundError, match=r"it holds linux/arm64"):
        dockerarchive.open_image(saved(tmp_path, config=config), None, platform="linux/amd64")


def test_a_link_of_an_older_archive_is_followed_inside_of_it(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old/layer.tar").symlink_to("../layer.tar")
    saved(tmp_path, [{"Config": "config.json", "RepoTags": None, "Layers": ["old/layer.tar"]}])

    image = dockerarchive.open_image(tmp_path, None, platform="linux/amd64")

    assert image.layers[0].blob == tmp_path / "layer.tar"


@pytest.mark.parametrize("name", ["/etc/passwd", "../../../etc/passwd", "out", "nope", "a\0b", "", 7, None])
def test_a_layer_outside_of_the_archive_is_refused(tmp_path: Path, name: object) -> None:
    (tmp_path / "out").symlink_to("/etc/passwd")
    saved(tmp_path, [{"Config": "config.json", "Layers": [name]}])

    with pytest.raises(IntegrityError, match="has no file"):
        dockerarchive.open_image(tmp_path, None, platform="linux/amd64")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["config.json", "layer.tar", "toy:1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Config", "Layers", "RepoTags", "rootfs", "diff_ids"]), inner, max_size=4
        )
    ),
    max_leaves=15,
)


@given(JSON, JSON)
def test_any_documents_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, manifest: object, config: object
) -> None:
    folder = saved(tmp_path_factory.mktemp("fuzz"))
    for name, document in (("manifest.json", manifest), ("config.json", config)):
        (folder / name).write_text(json.dumps(document))

    with pytest.raises(ProvisionerError):
        dockerarchive.open_image(folder, None, platform="linux/amd64")
