"""The DEB and the RPM: built, installed on a copy of this machine, used, upgraded, removed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.host.run import run
from tests.support.realsite import CHECKOUT
from tests.support.systemcopy import DEVICE, SystemCopy

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("dpkg-deb", "rpmbuild", "unshare", "systemd-sysusers", "ss"),
    pytest.mark.timeout(900),
]

PACKAGING = CHECKOUT / "packaging"
OLDER, NEWER = "0.0.9", "0.1.0"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What both packages install."""
    folder = tmp_path_factory.mktemp("staged") / "tree"
    run([PACKAGING / "stage-tree.sh", folder], timeout=600)
    return folder


@pytest.fixture(scope="module")
def debs(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The Debian package in two versions."""
    folder = tmp_path_factory.mktemp("deb")
    for version in (OLDER, NEWER):
        run(["env", f"PACKAGE_VERSION={version}", PACKAGING / "build-deb.sh", tree, folder], timeout=600)
    return {file.name.split("_")[1]: file for file in folder.glob("*.deb")}


@pytest.fixture(scope="module")
def rpm(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The RPM."""
    folder = tmp_path_factory.mktemp("rpm")
    run(["env", f"PACKAGE_VERSION={NEWER}", PACKAGING / "build-rpm.sh", tree, folder], timeout=600)
    return next(folder.glob("*.rpm"))


@pytest.fixture
def copy() -> Iterator[SystemCopy]:
    """A machine to install on."""
    with SystemCopy() as made:
        yield made


def test_an_installed_deb_is_whole_and_makes_a_head_node(debs: dict[str, Path], copy: SystemCopy) -> None:
    told = copy.shell(f"dpkg --install {copy.bring(debs[NEWER])}")
    assert "prov setup --interface DEVICE" in told
    assert copy.shell("dpkg --verify provisioner") == ""
    assert copy.shell("prov --version; provisioner --version").splitlines() == [f"prov, version {NEWER}"] * 2
    assert "/usr/lib/provisioner/" in copy.shell("dpkg --listfiles provisioner")
    # The package brought unit, user and folders, so only the site is left to make.
    setup = f"prov setup --interface {DEVICE} --cluster demo --no-packages --yes"

    told = copy.shell(setup)

    # That no service is started here is told too.
    steps = [line.partition(":")[0] for line in told.splitlines() if not line.startswith(" ")]
    assert steps == ["site", "key", "service", "the head node is set up"]
    assert copy.shell(setup).splitlines()[-1] == "nothing to do"
    assert copy.shell("prov check").startswith("ok: 0 nodes")
    assert "hostname" in copy.shell("prov overlay list")
    assert copy.shell("stat --format '%U:%G %a' /etc/provisioner/provisioner.yaml") == "root:provisioner 640\n"


def test_the_daemon_of_the_package_runs_as_its_user(debs: dict[str, Path], copy: SystemCopy) -> None:
    copy.shell(f"dpkg --install {copy.bring(debs[NEWER])}")
    copy.shell(f"prov setup --interface {DEVICE} --no-packages --yes; install -d -o provisioner /run/provisioner")
    caps = "+net_bind_service,+net_raw"
    serve = (
        f"setpriv --reuid provisioner --regid provisioner --init-groups --inh-caps {caps} --ambient-caps {caps}"
    )

    # It has to answer within a while, however slow this machine is.
    answers = "prov status --format json 2>/dev/null | grep -q pid"
    copy.shell(f"{serve} prov serve >/tmp/log 2>&1 & timeout 240 sh -c 'until {answers}; do sleep 0.2; done'")

    found = copy.shell("prov doctor --format json || true")
    assert '"daemon-down"' not in found, copy.shell("cat /tmp/log")
    assert '"port-unserved"' not in found
    # What holds our ports now is our own daemon.
    copy.shell(f"prov setup --interface {DEVICE} --no-packages --plan")


def test_an_upgrade_and_a_removal_keep_the_site(debs: dict[str, Path], copy: SystemCopy) -> None:
    copy.shell(f"dpkg --install {copy.bring(debs[OLDER])}")
    copy.shell(
        f"prov setup --interface {DEVICE} --no-packages --yes; echo '# mine' >>/etc/provisioner/provisioner.yaml"
    )
    digests = "sha256sum /etc/provisioner/provisioner.yaml /var/lib/provisioner/keys/site.key"
    before = copy.shell(digests)

    assert f"over ({OLDER})" in copy.shell(f"dpkg --install {copy.bring(debs[NEWER])}")
    assert copy.shell("dpkg-query --show --showformat '${Version} ${Status}' provisioner") == (
        f"{NEWER} install ok installed"
    )
    assert copy.shell(digests) == before
    assert "the key" not in copy.shell("prov check")

    assert "stay" in copy.shell("dpkg --purge provisioner")
    assert copy.shell(digests) == before
    assert copy.shell("ls -d /usr/lib/provisioner /usr/bin/prov 2>/dev/null || true") == ""


def test_manual_pages_and_completion_are_there_for_every_command(tree: Path) -> None:
    pages = {file.name.removesuffix(".8.gz") for file in (tree / "usr/share/man/man8").iterdir()}
    reference = re.findall(r"^##+ (prov.*)$", (CHECKOUT / "docs/cli.md").read_text(), re.MULTILINE)

    assert pages == {name.replace(" ", "-") for name in reference}
    for shell in (
        "bash-completion/completions/prov",
        "zsh/site-functions/_prov",
        "fish/vendor_completions.d/prov.fish",
    ):
        assert "prov" in (tree / "usr/share" / shell).read_text()


def test_nothing_of_the_package_lies_where_people_write(tree: Path) -> None:
    assert {each.name for each in tree.iterdir()} == {"usr"}
    writable = [path for path in tree.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022]
    assert writable == []


def test_the_same_tree_makes_the_same_deb(tree: Path, debs: dict[str, Path], tmp_path: Path) -> None:
    run(["env", f"PACKAGE_VERSION={NEWER}", PACKAGING / "build-deb.sh", tree, tmp_path], timeout=600)

    assert next(tmp_path.glob("*.deb")).read_bytes() == debs[NEWER].read_bytes()


def test_the_rpm_holds_what_the_deb_holds(rpm: Path, debs: dict[str, Path]) -> None:
    query = ["rpm", "--query", "--package", str(rpm)]
    rows = run([*query, "--queryformat", "[%{FILEMODES:perms} %{FILENAMES}\n]"]).splitlines()
    in_rpm = {row.split(maxsplit=1)[1] for row in rows if row[0] != "d"}
    listed = run(["dpkg-deb", "--contents", debs[NEWER]]).splitlines()
    in_deb = {re.sub(r" (->|link to) .*", "", line).split(maxsplit=5)[5][1:] for line in listed if line[0] != "d"}

    assert in_rpm == in_deb
    assert {"python3.11", "dracut", "skopeo", "ipxe-bootimgs-x86"} <= set(run([*query, "--requires"]).split())


def test_the_rpm_installs_and_verifies(rpm: Path, copy: SystemCopy) -> None:
    # Dependencies have the names of the EL family, which the copy of a Debian machine lacks.
    copy.shell(f"rpm --initdb; rpm --install --nodeps {copy.bring(rpm)}")

    assert copy.shell("rpm --verify --nodeps provisioner") == ""
    assert copy.shell("prov --version") == f"prov, version {NEWER}\n"
    assert copy.shell("id --name --user provisioner") == "provisioner\n"
    copy.shell("rpm --erase provisioner")
    assert copy.shell("ls -d /usr/lib/provisioner /usr/bin/prov 2>/dev/null || true") == ""
