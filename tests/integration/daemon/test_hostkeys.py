"""Host keys that are imported while the daemon runs: in the next archive, at the same revision."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.operations import live
from provisioner.trust.hostkey import HostKey, host_key
from provisioner.trust.sitekey import KEY_BYTES, SiteKey
from tests.support.daemon import HeadNode, Machine

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "ip")]


def imported(head: HeadNode, machine: Machine, folder: Path) -> HostKey:
    """Import a key of a machine, as people do, from a folder of copies."""
    key = host_key(SiteKey(b"o" * KEY_BYTES), machine.node)
    (folder / machine.node).mkdir()
    (folder / machine.node / "ssh_host_ed25519_key").write_text(key.private + "\n")
    head.prov("import", "hostkeys", machine.node, "--from", str(folder))
    return key


def test_the_next_boot_has_the_key_though_the_archive_before_it_was_kept(head: HeadNode, tmp_path: Path) -> None:
    machine = head.machine()
    before = machine.get(f"/t/{machine.start().stage1}/overlay/system").body

    key = imported(head, machine, tmp_path)
    after = machine.get(f"/t/{machine.start().stage1}/overlay/system").body

    assert key.public.encode() not in before
    assert key.public.encode() in after
    assert key.private.encode() in after


def test_a_running_node_is_sent_the_keys_of_others_once(head: HeadNode, tmp_path: Path) -> None:
    machine = head.machine()
    head.write("nodes.d/z.yaml", f"nodes: {{{machine.node}: {{overlays: {{runtime: [known-hosts]}}}}}}\n")
    live.reload(head.paths)
    path = f"/t/{machine.hand_over()}/overlay/runtime"
    assert machine.get(path).status == 200

    key = imported(head, machine, tmp_path)
    news = machine.get(path)
    again = machine.get(path, "--header", f"If-None-Match: {news.headers['etag']}")

    assert key.public.encode() in news.body
    assert again.status == 304
