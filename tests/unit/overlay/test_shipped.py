"""The overlays that a node has by default, rendered whole for a node with two devices, IPv6 and a gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.archive.tree import Entry, Kind
from tests.support.golden import Golden
from tests.support.overlays import SHIPPED, render


@pytest.mark.parametrize("name", SHIPPED)
def test_an_overlay_renders_to_these_files(name: str, tmp_path: Path, golden: Golden) -> None:
    golden(f"overlays/{name}.txt", "".join(map(_shown, render(tmp_path, name))))


def test_a_node_whose_mac_nobody_has_seen_gets_no_network_files(tmp_path: Path) -> None:
    paths = [entry.path for entry in render(tmp_path, "network", node="n003")]

    assert not [path for path in paths if path.startswith("etc/systemd/network/")]


def test_all_overlays_together_hold_every_file_once(tmp_path: Path) -> None:
    paths = [entry.path for entry in render(tmp_path, *SHIPPED)]

    assert paths == sorted(set(paths))


def test_a_second_node_gets_other_keys_and_another_name(tmp_path: Path) -> None:
    trees = [{entry.path: entry.content for entry in render(tmp_path, *SHIPPED, node=f"n00{n}")} for n in (1, 2)]

    for path in ("etc/hostname", "etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub"):
        assert trees[0][path] != trees[1][path]


def _shown(entry: Entry) -> str:
    head = f"==== {entry.path} {entry.kind.name.lower()} {entry.mode:04o} {entry.uid}:{entry.gid}"
    text = entry.content.decode()
    return f"{head} -> {text}\n" if entry.kind is Kind.SYMLINK else f"{head}\n{text}"
