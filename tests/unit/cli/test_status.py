"""What `prov status` prints of overlays that cannot be rendered, with the daemon down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.cli.main import main
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError
from provisioner.model.catalogue import Catalogue
from provisioner.operations.check import compile_site
from provisioner.operations.strict import check_strictly

TEMPLATE = "overlays/own/rootfs/etc/own.j2"
FILES = {
    "provisioner.yaml": "cluster: demo\nnetworks: {provision: {cidr: 10.0.0.0/16}}\n",
    "nodes.d/n.yaml": "nodes: {'n[1-3]': {overlays: {system: [own], runtime: []}}}\n",
    TEMPLATE: "{{ node.tags.colour }}\n",
}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths.below(tmp_path / "site")
    for name, text in FILES.items():
        (paths.site / name).parent.mkdir(parents=True, exist_ok=True)
        (paths.site / name).write_text(text)
    compile_site(paths, Catalogue())
    return paths


def printed(paths: Paths, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["--root", str(paths.site), "status", *words])
    assert not caught.value.code
    return capsys.readouterr().out


def test_what_cannot_be_rendered_stands_above_the_nodes(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError):
        check_strictly(paths, Catalogue())

    heading, problem, *_ = printed(paths, capsys).splitlines()

    assert heading == "overlays cannot be rendered; nodes cannot boot with them, or keep what they have:"
    assert problem == f"{TEMPLATE}:1:1: the map has no key 'colour' (3 nodes: n[1-3])"
    told = json.loads(printed(paths, capsys, "--format", "json"))["rendering"]
    assert told == {"problems": [problem], "is_whole": True}


def test_before_anybody_looked_nothing_is_said(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(paths, capsys).startswith("NODE ")
    assert json.loads(printed(paths, capsys, "--format", "json"))["rendering"] is None
