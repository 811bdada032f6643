"""`prov image test`: a generation boots in a lab as a node of the site, and what came of it is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from provisioner.image import store
from tests.support.imagestore import artifact
from tests.support.realsite import RealSite, image_store

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

GOOD, BROKEN = "debian-12@1", "debian-12@2"
PATIENCE = "900"


@dataclass(frozen=True)
class Tried:
    """A site in which two generations were tested, and what the commands said and left."""

    site: RealSite
    good: subprocess.CompletedProcess[str]
    broken: subprocess.CompletedProcess[str]
    before: dict[str, bytes]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    site = RealSite.make(tmp_path_factory.mktemp("site"), image_store())
    site.prov("group", "set", "compute", "--yes", "--tag", "kind=tested")
    damage(site)
    (site.root / "secrets").mkdir(mode=0o700)
    (site.root / "secrets" / "word").write_text("not for anybody")
    # What a test leaves behind that was killed.
    (site.paths.run / "image-test-killed" / "secrets").mkdir(parents=True)
    before = written(site)
    return Tried(site, image(site, GOOD), image(site, BROKEN), before)


def damage(site: RealSite) -> None:
    """A second generation whose root image cannot be unpacked; the bare name goes on to mean the first one."""
    store.prepare(site.paths)
    good = store.find(site.paths, "debian-12")
    bad = good.model_copy(update={"root": artifact(site.paths, b"no root image " * 5000)})
    store.publish(site.paths, bad)
    site.prov("image", "rollback", "debian-12", "--yes")


def image(site: RealSite, generation: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "provisioner", "--root", str(site.root), "image", "test", generation]
    options = ["--group", "compute", "--accel", "tcg", "--patience", PATIENCE]
    return subprocess.run([*command, *options], check=False, capture_output=True, text=True, timeout=1500)


def written(site: RealSite) -> dict[str, bytes]:
    """Everything of the site that people write, secrets and keys with it."""
    folders = ("groups.d", "nodes.d", "switches.d", "overlays", "secrets", "var/keys")
    found = (path for name in folders for path in (site.root / name).rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in (*found, site.root / "provisioner.yaml")}


def data(tried: Tried, *words: str) -> Any:
    return json.loads(tried.site.prov("image", *words, "--format", "json"))


def test_a_good_generation_gets_ready_as_a_node_of_its_group(tried: Tried) -> None:
    assert tried.good.returncode == 0, tried.good.stderr
    assert tried.good.stdout.startswith(f"{GOOD} ready after ")
    assert tried.good.stdout.rstrip().endswith("as n001")
    assert f"{GOOD} as n001, a copy of the site in a lab" in tried.good.stderr


def test_a_broken_generation_fails_with_the_end_of_its_console(tried: Tried) -> None:
    assert tried.broken.returncode == 1
    assert tried.broken.stdout.startswith(f"{BROKEN} failed as n001: ")
    assert "  | provisioner: FAILED" in tried.broken.stdout
    assert f"prov: {BROKEN} did not get ready" in tried.broken.stderr


def test_the_last_result_is_shown_with_the_generation(tried: Tried) -> None:
    shown = {name: data(tried, "show", name)["tested"] for name in (GOOD, BROKEN)}
    listed = {each["name"]: each["tested"] for each in data(tried, "list") if each["name"] in shown}
    told = {each["name"]: each["tested"] for each in data(tried, "history", "debian-12")["generations"]}

    assert shown == listed == told
    assert shown[GOOD].startswith("ready after ")
    assert shown[BROKEN].startswith("failed as n001: ")
    assert "TESTED" in tried.site.prov("image", "list").splitlines()[0]
    assert "    tested: ready after " in tried.site.prov("image", "history", "debian-12")


def test_the_site_its_secrets_and_its_history_are_untouched(tried: Tried) -> None:
    assert written(tried.site) == tried.before
    assert tried.site.last_boot("n001") is None
    assert not (tried.site.root / "switches.d").exists()


def test_nothing_is_left_running_mounted_or_on_the_disk(tried: Tried) -> None:
    commands = (each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"]))

    assert not [each for each in commands if str(tried.site.paths.run) in " ".join(each)]
    assert str(tried.site.root) not in Path("/proc/self/mounts").read_text()
    assert list(tried.site.paths.run.glob("image-test-*")) == []


def test_a_generation_that_was_tested_is_verified_like_any_other(tried: Tried) -> None:
    assert tried.site.prov("image", "verify", GOOD)
