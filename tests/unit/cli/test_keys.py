"""`prov keys`: fingerprints that heads can compare, and a rotation that says what it costs."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli.main import prov
from provisioner.config.paths import Paths
from provisioner.model.boot import TokenStage
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.token import Claims, TokenError, TokenMint
from provisioner.trust.tokenepoch import WatchedEpoch
from tests.support.site import SITE, write_site


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return write_site(tmp_path, {"provisioner.yaml": SITE})


def typed(paths: Paths, *words: str) -> Result:
    return CliRunner().invoke(prov, ["--root", str(paths.site), "keys", *words])


def mint(paths: Paths) -> TokenMint:
    """What a daemon that starts now signs with."""
    return TokenMint(SiteKey.load_or_create(paths.keys), WatchedEpoch(paths.keys))


def token(paths: Paths) -> str:
    stage = TokenStage.SYSTEM
    expires = int(time.time()) + stage.lifetime
    return mint(paths).issue(Claims("n001", "52:54:00:00:00:01", "b1", "d@1", "ab", stage, expires, ("10.0.1.1",)))


def test_a_site_without_keys_says_what_makes_them(paths: Paths) -> None:
    found = typed(paths, "show")

    assert found.exit_code != 0
    assert "no site key yet" in str(found.exception)


def test_the_keys_are_shown_by_fingerprint_and_no_byte_of_them(paths: Paths) -> None:
    SiteKey.load_or_create(paths.keys)
    rows = json.loads(typed(paths, "show", "--format", "json").output)
    written = (paths.keys / "site.key").read_text().strip()

    assert [row["key"] for row in rows] == ["site", "token 1", "signing 1"]
    assert all(len(row["fingerprint"]) == 16 and row["fingerprint"] not in written for row in rows)


def test_another_site_has_other_fingerprints_and_the_same_key_has_the_same(paths: Paths, tmp_path: Path) -> None:
    SiteKey.load_or_create(paths.keys)
    other = write_site(tmp_path / "other", {"provisioner.yaml": SITE})
    SiteKey.load_or_create(other.keys)
    first, again, others = (typed(each, "show").output for each in (paths, paths, other))

    assert first == again
    assert not {line.split()[1 + line.startswith(("token", "signing"))] for line in first.splitlines()[1:]} & set(
        others.split()
    )


def test_tokens_of_before_a_rotation_are_good_until_the_next_one(paths: Paths) -> None:
    first = token(paths)
    assert typed(paths, "rotate").output == "tokens are signed with key 2\n"
    mint(paths).verify(first, now=time.time())

    assert [row["key"] for row in json.loads(typed(paths, "show", "--format", "json").output)] == [
        *("site", "token 2", "token 1", "signing 1")
    ]
    typed(paths, "rotate")
    with pytest.raises(TokenError):
        mint(paths).verify(first, now=time.time())


def test_a_revocation_is_asked_for_because_it_ends_boots(paths: Paths) -> None:
    first = token(paths)
    refused = typed(paths, "rotate", "--revoke")

    assert refused.exit_code != 0
    mint(paths).verify(first, now=time.time())
    assert typed(paths, "rotate", "--revoke", "--yes").output == "tokens are signed with key 3\n"
    with pytest.raises(TokenError):
        mint(paths).verify(first, now=time.time())
