"""`prov init`."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from provisioner.cli.init import command
from tests.support.site import write_site


def test_a_site_is_made_with_the_keys_of_its_admins(tmp_path: Path) -> None:
    paths = write_site(tmp_path / "site", {})
    key = tmp_path / "id.pub"
    key.write_text("ssh-ed25519 AAAA me\n")
    words = ["--cluster", "demo", "--network", "10.0.0.0/16", "--admin-key", str(key)]

    result = CliRunner().invoke(command, words, obj=paths)

    assert (result.exit_code, result.output) == (0, f"wrote {paths.site_file}\n")
    assert '- "ssh-ed25519 AAAA me"' in paths.site_file.read_text()


def test_what_a_site_needs_is_asked_for() -> None:
    result = CliRunner().invoke(command, ["--cluster", "demo"])

    assert result.exit_code == 2
    assert "--network" in result.stderr
