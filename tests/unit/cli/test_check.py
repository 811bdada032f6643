"""`prov check` on a site with ten different mistakes."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from provisioner.cli.check import command
from provisioner.config.paths import Paths
from tests.support.golden import Golden
from tests.support.site import SITE, write_site

TEN = Path(__file__).parents[2] / "golden/check/ten-mistakes"


def test_ten_different_mistakes_are_all_named_with_their_place_and_a_hint(golden: Golden) -> None:
    result = CliRunner().invoke(command, obj=Paths.below(TEN))

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("hint:") == 10
    golden("check/ten-mistakes/expected.txt", result.stderr)


def test_a_site_without_mistakes_is_summed_up_in_one_line(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/a.yaml": "nodes: {'n[1-4]': }\n"})

    result = CliRunner().invoke(command, obj=paths)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("ok: 4 nodes, 0 groups, revision ")
    assert len(result.stdout.split()[-1]) == 16
