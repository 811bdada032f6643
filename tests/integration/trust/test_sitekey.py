"""The site key and what is derived from it, among real processes and with OpenSSH as the judge."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from provisioner.host.run import run
from provisioner.trust.hostkey import host_key
from provisioner.trust.sitekey import SiteKey

pytestmark = [pytest.mark.integration, pytest.mark.needs("ssh-keygen")]

_SHOW = """
import sys
from pathlib import Path
from provisioner.trust.sitekey import SiteKey
print(SiteKey.load_or_create(Path(sys.argv[1])).derive("test").hex())
"""


def test_processes_that_start_a_site_at_the_same_moment_agree_on_one_key(tmp_path: Path) -> None:
    command: list[str | Path] = [sys.executable, "-c", _SHOW, tmp_path / "keys"]

    with ThreadPoolExecutor(6) as pool:
        shown = {future.result() for future in [pool.submit(run, command) for _ in range(6)]}

    assert len(shown) == 1


def test_openssh_reads_the_key_of_every_node(tmp_path: Path) -> None:
    key = SiteKey(b"k" * 32)
    for number in range(20):
        pair = host_key(key, f"n{number}", epoch=number + 1)
        path = tmp_path / f"key{number}"
        path.touch(mode=0o600)
        path.write_text(f"{pair.private}\n")

        assert run(["ssh-keygen", "-y", "-f", path]).split()[:2] == pair.public.split()
