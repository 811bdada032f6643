"""`prov import warewulf`, from files of Warewulf to a site that passes its checks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from provisioner.errors import CommandError
from provisioner.host.run import run

pytestmark = pytest.mark.integration

_NODES = """\
nodeprofiles:
  default:
    kernel: {args: [quiet]}
    network devices: {default: {device: eth0, netmask: 255.255.0.0}}
    ipmi: {username: admin, password: geheim}
    root: initramfs
nodes:
  n1: {profiles: [default], network devices: {default: {hwaddr: "52:54:00:00:00:01", ipaddr: 10.0.1.1}}}
  n2: {profiles: [default], network devices: {default: {hwaddr: "52:54:00:00:00:02", ipaddr: 10.0.1.2}}}
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "nodes.conf").write_text(_NODES)
    (tmp_path / "warewulf.conf").write_text("ipaddr: 10.0.0.1\nnetmask: 255.255.0.0\n")
    return str(tmp_path / "nodes.conf"), "--warewulf-conf", str(tmp_path / "warewulf.conf")


def prov(root: Path, *words: str) -> str:
    return run([sys.executable, "-m", "provisioner", "--root", root, *words], timeout=60)


def test_an_import_into_a_folder_is_a_site(tmp_path: Path, files: tuple[str, ...]) -> None:
    prov(tmp_path / "none", "import", "warewulf", *files, "--output", str(tmp_path / "new"))

    assert prov(tmp_path / "new", "check").startswith("ok: 2 nodes, 1 groups")
    assert (tmp_path / "new/groups.d/default.yaml").stat().st_mode & 0o777 == 0o640
    with pytest.raises(CommandError, match="exists already"):
        prov(tmp_path, "import", "warewulf", *files, "--output", str(tmp_path / "new"))


def test_an_import_into_a_site_uses_its_networks_and_refuses_to_overwrite(
    tmp_path: Path, files: tuple[str, ...]
) -> None:
    root = tmp_path / "site"
    prov(root, "init", "--cluster", "demo", "--network", "10.0.0.0/16", "--server", "10.0.0.1")
    before = (root / "provisioner.yaml").read_text()

    prov(root, "import", "warewulf", *files, "--yes")

    assert prov(root, "check").startswith("ok: 2 nodes, 1 groups")
    assert (root / "provisioner.yaml").read_text() == before
    shown = json.loads(prov(root, "node", "show", "n2", "--format", "json"))
    assert "geheim" not in json.dumps(shown)
    with pytest.raises(CommandError, match=r"nodes of these names already: n\[1-2\]"):
        prov(root, "import", "warewulf", *files, "--yes")


def test_an_import_without_consent_writes_nothing(tmp_path: Path, files: tuple[str, ...]) -> None:
    root = tmp_path / "site"
    prov(root, "init", "--cluster", "demo", "--network", "10.0.0.0/16")

    with pytest.raises(CommandError):
        prov(root, "import", "warewulf", *files)

    assert not list((root / "nodes.d").iterdir())


def test_an_import_into_a_site_keeps_the_overlays_that_the_site_has_and_names_the_others(tmp_path: Path) -> None:
    root, conf = tmp_path / "site", tmp_path / "nodes.conf"
    conf.write_text("nodes: {n1: {system overlay: [mine, other, chrony]}}\n")
    prov(root, "init", "--cluster", "demo", "--network", "10.0.0.0/16")
    (root / "overlays/mine/rootfs/etc").mkdir(parents=True)
    (root / "overlays/mine/rootfs/etc/mine").write_text("mine\n")

    prov(root, "import", "warewulf", str(conf), "--yes")

    shown = json.loads(prov(root, "node", "show", "n1", "--format", "json"))
    assert shown["overlays"]["system"][-2:] == ["mine", "chrony"]


def test_an_import_that_needs_an_image_says_where_it_comes_from_and_writes_nothing(tmp_path: Path) -> None:
    root, conf = tmp_path / "site", tmp_path / "nodes.conf"
    conf.write_text("nodes: {n1: {image name: rocky-9}}\n")
    prov(root, "init", "--cluster", "demo", "--network", "10.0.0.0/16")

    with pytest.raises(CommandError, match=r"images rocky-9(.|\n)*prov image import SOURCE rocky-9(.|\n)*-o DIR"):
        prov(root, "import", "warewulf", str(conf), "--yes")

    assert not list((root / "nodes.d").iterdir())
    prov(root, "import", "warewulf", str(conf), "-o", str(tmp_path / "new"))
