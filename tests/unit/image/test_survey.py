from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.image.survey import TEXTS, survey
from provisioner.model.inventory import Init, Service
from tests.support.imagetree import tree
from tests.support.kernel import bzimage

RELEASE = "6.1.0-1-test"
NETWORK_SCRIPTS = {
    "etc/sysconfig/network-scripts/network-functions": "#",
    "usr/sbin/NetworkManager": "ELF",
    "usr/lib/systemd/system/NetworkManager.service": "[Install]\nWantedBy=multi-user.target\n",
}


def test_the_system_is_what_its_files_say(tmp_path: Path) -> None:
    found = survey(tree(tmp_path))

    assert (found.os["ID"], found.os["ID_LIKE"]) == ("debian", "toy")
    assert found.init == Init(name="systemd", version="252")
    assert [each.name for each in found.users] == ["root", "munge"]
    assert found.group_by_name["slurm"].members == ("munge", "root")
    assert found.texts["/etc/shells"] == "/bin/bash\n"


def test_a_network_backend_is_enabled_when_something_starts_it(tmp_path: Path) -> None:
    found = survey(tree(tmp_path, NETWORK_SCRIPTS))

    assert found.network == (
        Service(name="systemd-networkd", enabled=True),
        Service(name="NetworkManager", enabled=False),
        Service(name="network-scripts", enabled=False),
    )


def test_kernels_are_told_with_the_switches_that_matter(tmp_path: Path) -> None:
    root = tree(
        tmp_path, {"boot/config-6.1.0-1-test": "CONFIG_SQUASHFS=m\nCONFIG_USB=y\n# CONFIG_BONDING is not set\n"}
    )
    (root / f"boot/vmlinuz-{RELEASE}").write_bytes(bzimage(RELEASE))

    (kernel,) = survey(root).kernels

    assert (kernel.release, kernel.has_modules, kernel.config) == (RELEASE, False, {"SQUASHFS": "m"})


def test_a_kernel_without_configuration_says_so(tmp_path: Path) -> None:
    root = tree(tmp_path, {f"usr/lib/modules/{RELEASE}/modules.dep": ""})
    (root / f"usr/lib/modules/{RELEASE}/vmlinuz").write_bytes(bzimage(RELEASE))

    (kernel,) = survey(root).kernels

    assert (kernel.has_modules, kernel.config) == (True, None)


def test_another_init_goes_by_its_name(tmp_path: Path) -> None:
    root = tree(tmp_path, {"usr/bin/busybox": "ELF"}, {"usr/sbin/init": "../bin/busybox"})

    assert survey(root).init == Init(name="busybox")


@pytest.mark.parametrize("target", ["{outside}", "../../../../../..{outside}", "/etc/passwd", "passwd"])
def test_a_text_that_links_elsewhere_shows_nothing_of_this_machine(tmp_path: Path, target: str) -> None:
    outside = tmp_path / "secret"
    outside.write_text("root:x:0:0:of this machine:/root:/bin/bash\n")
    root = tree(tmp_path / "root", links={"etc/passwd": target.format(outside=outside)})

    found = survey(root)

    assert "/etc/passwd" not in found.texts
    assert found.users == ()


def test_users_are_told_whatever_the_encoding_of_their_names(tmp_path: Path) -> None:
    root = tree(tmp_path)
    (root / "etc/passwd").write_bytes(b"joerg:x:1000:100:J\xf6rg:/home/joerg:/bin/sh\n")

    found = survey(root)

    assert (found.user_by_name["joerg"].uid, "/etc/passwd" in found.texts) == (1000, False)


def test_what_only_root_may_read_is_no_text(tmp_path: Path) -> None:
    root = tree(tmp_path, {"etc/shadow": "root:$6$hash:1::::::\n"}, {"etc/shells": "shadow"})
    (root / "etc/shadow").chmod(0o640)
    (root / "etc/motd").write_text("closed")
    (root / "etc/motd").chmod(0o600)

    texts = survey(root).texts

    assert "/etc/shells" not in texts
    assert "/etc/motd" not in texts
    assert "hash" not in "".join(texts.values())


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\0b", b"x" * ((1 << 18) + 1)], ids=["latin", "nul", "long"])
def test_what_is_no_text_is_left_out(tmp_path: Path, content: bytes) -> None:
    root = tree(tmp_path)
    (root / "etc/shells").write_bytes(content)

    assert "/etc/shells" not in survey(root).texts


def test_pipes_do_not_hold_the_survey_up(tmp_path: Path) -> None:
    root = tree(tmp_path)
    for path in ("etc/group", "usr/lib/systemd/system/a.service", "etc/os-release"):
        (root / path).unlink(missing_ok=True)
        os.mkfifo(root / path)

    found = survey(root)

    assert (found.groups, found.os) == ((), {})


def test_no_text_is_a_place_for_secrets() -> None:
    others = [path for path in TEXTS if path != "/etc/ssh/sshd_config"]

    assert not [path for path in others if any(word in path for word in ("shadow", "ssh", "key", "sudo", "fstab"))]


SETTINGS = {
    "etc/sysctl.conf": "vm.swappiness = 1\n",
    "etc/default/grub": "GRUB_TIMEOUT=5\n# GRUB_PASSWORD=\n",
    "etc/nscd.conf": "enable-cache passwd yes\n",
    "etc/sysconfig/network": "NETWORKING=yes\n",
    "etc/ssh/sshd_config": "UsePAM yes\n",
}


def test_settings_of_the_system_are_texts(tmp_path: Path) -> None:
    found = survey(tree(tmp_path, SETTINGS)).texts

    assert {path: found[f"/{path}"] for path in SETTINGS} == SETTINGS


@pytest.mark.parametrize(
    ("path", "content", "mode"),
    [
        ("etc/closed.conf", "x", 0o640),
        ("etc/default/secrets", "x", 0o644),
        ("etc/munge.key.conf", "x", 0o644),
        ("etc/tls.conf", "-----BEGIN PRIVATE KEY-----", 0o644),
        ("etc/ldap.conf", "uri ldap://a\nbindpw tiger\n", 0o644),
        ("etc/my.conf", "[client]\nPassword = tiger\n", 0o644),
        ("etc/default/app", "export APP_TOKEN='tiger'\n", 0o644),
        ("etc/long.conf", "x" * ((1 << 16) + 1), 0o644),
        ("etc/other", "x", 0o644),
        ("etc/sysconfig/network-scripts/ifcfg-eth0", "x", 0o644),
        ("etc/nul.conf", "a\0b", 0o644),
    ],
)
def test_what_may_be_secret_or_is_no_short_text_is_left_out(
    tmp_path: Path, path: str, content: str, mode: int
) -> None:
    root = tree(tmp_path, {path: content})
    (root / path).chmod(mode)

    assert f"/{path}" not in survey(root).texts


def test_a_link_among_the_settings_is_not_followed(tmp_path: Path) -> None:
    root = tree(tmp_path, {"etc/other": "x"}, {"etc/link.conf": "other"})

    assert "/etc/link.conf" not in survey(root).texts


def test_all_texts_together_have_a_bound(tmp_path: Path) -> None:
    many = {f"etc/{number:02}.conf": "x" * (1 << 16) for number in range(20)}

    texts = survey(tree(tmp_path, many)).texts

    assert 10 < len(texts) < 20
    assert sum(map(len, texts.values())) <= 1 << 20


def test_an_empty_tree_holds_nothing(tmp_path: Path) -> None:
    found = survey(tmp_path)

    assert (found.init, found.kernels, found.units, found.network, found.texts) == (None, (), (), (), {})
