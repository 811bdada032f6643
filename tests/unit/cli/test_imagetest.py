"""`prov image test`: what is refused before anything starts; the boot itself is in tests/e2e/test_imagetest.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli.main import prov
from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.image import store
from tests.support.bootable import bootable, write
from tests.support.resolved import generation


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return bootable(tmp_path)


def run(paths: Paths, *words: str) -> Result:
    return CliRunner().invoke(prov, ["--root", str(paths.site), "image", "test", "--accel", "tcg", *words])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("fedora",), "there is no image fedora"),
        (("demo", "--group", "gpu"), "gpu"),
        (("demo", "--node", "n9"), "there is no node n9"),
    ],
)
def test_what_is_not_there_is_told(paths: Paths, words: tuple[str, ...], told: str) -> None:
    done = run(paths, *words)

    assert isinstance(done.exception, ProvisionerError)
    assert told in str(done.exception)


def test_an_image_that_no_node_has_asks_for_a_node_or_a_group(paths: Paths) -> None:
    store.publish(paths, generation(image="other"))

    done = run(paths, "other")

    assert isinstance(done.exception, NotFoundError)
    assert str(done.exception) == "no node has other and an address"
    assert done.exception.hint == "prov image test other@1 --node NODE, or --group GROUP"


def test_a_node_without_an_address_cannot_be_tried(paths: Paths) -> None:
    write(paths, "nodes.d/bare.yaml", "nodes: {bare: {groups: [compute]}}\n")

    done = run(paths, "demo", "--node", "bare")

    assert str(done.exception) == "bare has no address"


def test_a_base_cannot_be_tried(paths: Paths) -> None:
    store.publish(paths, generation(image="base").model_copy(update={"root": None, "lacks": ("a kernel",)}))

    done = run(paths, "base", "--node", "n1")

    assert "it lacks a kernel" in str(done.exception)


@pytest.mark.parametrize("option", [("--firmware", "coreboot"), ("--memory", "16"), ("--accel", "x")])
def test_options_that_no_machine_has_are_refused(paths: Paths, option: tuple[str, str]) -> None:
    assert run(paths, "demo", *option).exit_code == 2


def test_nothing_is_left_of_what_was_refused(paths: Paths) -> None:
    run(paths, "fedora")
    run(paths, "demo", "--node", "n9")

    assert list(paths.site.rglob("image-test-*")) == []
    assert list(paths.images.rglob("tests")) == []
