"""Imports that break off: by a signal, by SIGKILL, by a full disk. What is left, and what the next one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from provisioner.config.paths import Paths
from provisioner.operations.images import list_images
from tests.support.daemon import eventually
from tests.support.oci import Layout, Tar, bootable_layer
from tests.support.registry import BreakingRegistry

NEEDED = ("skopeo", "dracut", "mksquashfs", "zstd", "cpio", "depmod", "setpriv", "unshare")
pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs(*NEEDED)]

PROV = [sys.executable, "-m", "provisioner"]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "site")


def environment(paths: Paths) -> dict[str, str]:
    return {**os.environ, "PROVISIONER_ROOT": str(paths.site), "NO_COLOR": "1"}


def start(paths: Paths, *words: str | Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command: Sequence[str | Path] = [*PROV, "image", "import", *words]
    return subprocess.Popen(command, env=environment(paths), stdout=pipe, stderr=pipe, text=True)


def kept(paths: Paths) -> set[str]:
    return {f"sha256:{file.name}" for file in (paths.images / "blobs").rglob("*") if file.is_file()}


def descendants(process: int) -> list[str]:
    return [str(child.pid) for child in psutil.Process(process).children(recursive=True)]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_import_that_was_cut_short_goes_on_with_what_it_lacks(
    paths: Paths, tmp_path: Path, how: signal.Signals
) -> None:
    layout = Layout(tmp_path / "layout")
    small, big = bootable_layer(), Tar().add("big", data=os.urandom(1 << 20)).done()
    image = layout.image([small, big])
    digests = [layout.layer(each)["digest"] for each in (small, big)]
    with BreakingRegistry(layout, image) as registry:
        registry.held = {digests[1]}
        source = f"docker://{registry.address}/toy:1"
        first = start(paths, source, "toy", "--insecure")
        assert registry.holding.wait(60)
        eventually(lambda: digests[0] in kept(paths))
        children = descendants(first.pid)

        first.send_signal(how)
        first.communicate()

        eventually(lambda: not any(Path("/proc", each).exists() for each in children))
        assert digests[1] not in kept(paths)
        assert list_images(paths) == ()
        assert how is signal.SIGKILL or list((paths.images / "tmp").iterdir()) == []
        registry.held = set()
        registry.go_on.set()
        registry.asked.clear()

        second = start(paths, source, "toy", "--insecure")
        output, errors = second.communicate()

        assert second.returncode == 0, errors
        assert output.splitlines()[-1] == "toy@1 is made and current"
        assert digests[0] not in registry.asked
        assert digests[1] in registry.asked
    assert list((paths.images / "tmp").iterdir()) == []


def test_a_killed_unpacking_leaves_no_process_behind(paths: Paths, tmp_path: Path) -> None:
    pipe = tmp_path / "fifo"
    os.mkfifo(pipe)
    script = (
        "import os, sys; from pathlib import Path; from provisioner.image import confined, unpack; "
        "from provisioner.image.sandbox import Request; from provisioner.image.layer import Limits; "
        "from provisioner.image.terms import silent; handle = os.open(sys.argv[1], os.O_RDWR); "
        "root = Path(sys.argv[2]); unpack.make_root(root, 0); "
        "confined.apply_stream(Request(handle, 'none', str(root), None, 0, Limits()), silent)"
    )
    with subprocess.Popen([sys.executable, "-c", script, pipe, tmp_path / "tree"]) as process:
        eventually(lambda: descendants(process.pid))
        children = descendants(process.pid)
        process.kill()
    eventually(lambda: not any(Path("/proc", each).exists() for each in children))


@pytest.mark.parametrize("kind", ["layer", "archive", "blobs"])
def test_a_full_disk_is_named_and_nothing_half_is_left(paths: Paths, tmp_path: Path, kind: str) -> None:
    big = Tar().add("zeros", data=bytes(100 << 20))
    layout = Layout(tmp_path / "layout")
    stored = layout.layer(big.done(), "none" if kind == "blobs" else "gzip")
    image = layout.image([big.done()], descriptors=[stored])
    layout.name(image, "latest")
    with BreakingRegistry(layout, image) as registry:
        registry.go_on.set()
        if kind == "archive":
            (tmp_path / "root.tar").write_bytes(big.done())
        source = {
            "layer": f"oci:{layout.folder}",
            "archive": f"tar:{tmp_path / 'root.tar'}",
            "blobs": f"docker://{registry.address}/toy:1",
        }[kind]
        paths.site.mkdir()
        script = (
            'mount -t tmpfs -o size=64m x "$1" && { "${@:2}"; echo $?; find "$1/var/images/tmp" -mindepth 1; }'
        )
        words = [*PROV, "image", "import", source, "toy", "--insecure"]
        space = ["unshare", "--mount", "--propagation", "private", "bash", "-c", script, "bash", str(paths.site)]
        done = subprocess.run(
            [*space, *words], env=environment(paths), capture_output=True, text=True, check=False
        )

    assert done.stdout.split() == ["1"], done.stderr
    full = f"the file system at {paths.site} is full" if kind != "blobs" else "MiB free"
    assert full in done.stderr
    assert "prov image gc" in done.stderr
