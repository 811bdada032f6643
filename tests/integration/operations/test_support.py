"""`prov support`: an archive that helps, in which no planted secret is left."""

from __future__ import annotations

import base64
import json
import stat
import tarfile
import time
from pathlib import Path

import pytest

from provisioner.cli.main import main
from provisioner.config.paths import Paths
from provisioner.errors import ConflictError
from provisioner.events.store import EventStore
from provisioner.model.event import Event, Stage
from provisioner.operations.secrets import set_secret
from provisioner.operations.support.archive import write_support
from provisioner.trust.sitekey import SiteKey
from tests.support.site import write_site

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.timeout(200)]

CLEAR, MUNGE, HASH = "calvin-and-hobbes", bytes(range(1, 200)), "$6$saltsalt$abcdefghijklmnopqrstuvwxyz012345"
TLS_KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----\n"
LICENSE = b'correct "horse"\n'
FILES = {
    "provisioner.yaml": "cluster: demo\nnetworks:\n  provision: {cidr: 10.0.0.0/16}\n",
    "nodes.d/nodes.yaml": f"nodes:\n  n001:\n    bmc: {{address: 10.1.0.1, username: root, password: {CLEAR}}}\n"
    f'    tags: {{rack: r1, login: "{HASH}"}}\n',
}


@pytest.fixture
def site(tmp_path: Path) -> Paths:
    """A site with a secret, a password in clear, keys, and events in which all of them were printed by mistake."""
    paths = write_site(tmp_path / "site", FILES)
    set_secret(paths, "munge", MUNGE)
    set_secret(paths, "license", LICENSE)
    SiteKey.load_or_create(paths.keys)
    (paths.keys / "tls-server.key").write_text(TLS_KEY)
    said = [LICENSE.decode(), (paths.keys / "site.key").read_text(), base64.b64encode(MUNGE).decode(), MUNGE.hex()]
    store = EventStore(paths.events)
    for text in said:
        store.record(Event(time.time(), Stage.SITE, "site.revision", f"it printed {text}", data={"text": text}))
    store.close()
    return paths


def texts(file: Path) -> dict[str, str]:
    """The parts of an archive by their names without the folder."""
    with tarfile.open(file) as archive:
        members = [(each, archive.extractfile(each)) for each in archive.getmembers()]
        return {each.name.partition("/")[2]: stream.read().decode() for each, stream in members if stream}


def test_no_planted_secret_is_left_in_any_part(site: Paths, tmp_path: Path) -> None:
    write_support(site, tmp_path / "support.tar.gz")

    whole = "\n".join(texts(tmp_path / "support.tar.gz").values())
    key = (site.keys / "site.key").read_text().strip()
    licensed = LICENSE.decode().strip()
    planted = [CLEAR, HASH, licensed, json.dumps(licensed)[1:-1], key, "MC4CAQAwBQYDK2VwBCIEIA"]
    planted += [MUNGE.hex(), base64.b64encode(MUNGE).decode()]
    assert [each for each in planted if each in whole] == []
    # They were there to be found.
    assert whole.count("it printed [removed]") == 4


def test_what_helps_is_in_it(site: Paths, tmp_path: Path) -> None:
    names = write_support(site, tmp_path / "support.tar.gz")

    parts = texts(tmp_path / "support.tar.gz")
    assert list(parts) == names
    assert json.loads(parts["versions.json"])["provisioner"]
    assert "daemon-down" in {each["check"] for each in json.loads(parts["doctor.json"])}
    assert len(parts["events.jsonl"].splitlines()) == 4
    assert "n001:" in parts["site/nodes.d/nodes.yaml"]
    assert "rack: r1" in parts["site/nodes.d/nodes.yaml"]
    assert "secrets/munge" in parts["files.txt"]
    assert "LOOPBACK" in parts["machine/addresses.txt"]


def test_it_is_for_its_owner_alone_and_overwrites_nothing(site: Paths, tmp_path: Path) -> None:
    file = tmp_path / "support.tar.gz"
    write_support(site, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    with pytest.raises(ConflictError, match="exists already"):
        write_support(site, file)


def test_a_site_that_is_broken_or_missing_gets_one_too(tmp_path: Path) -> None:
    paths = write_site(tmp_path / "site", {"provisioner.yaml": "cluster: [\n"})
    paths.state.mkdir()
    paths.events.write_bytes(b"no database")

    for each in (paths, Paths.below(tmp_path / "nothing")):
        file = tmp_path / f"{each.site.name}.tar.gz"
        write_support(each, file)
        assert "provisioner" in texts(file)["versions.json"]


def test_the_command_says_what_it_wrote(
    site: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SystemExit) as ended:
        main(["--root", str(site.site), "support"])

    assert ended.value.code == 0
    (file,) = tmp_path.glob("prov-support-*.tar.gz")
    assert capsys.readouterr().out.startswith(f"wrote {file.name}: ")
