"""Unit states. `tests/integration/image/test_debian.py` compares them with those that systemctl finds."""

from __future__ import annotations

from pathlib import Path

from provisioner.image import units
from provisioner.model.inventory import Unit

INSTALL = "[Unit]\n[Install]\nWantedBy=multi-user.target\n"


def unit(root: Path, name: str) -> Unit:
    return {each.name: each for each in units.find(root)}[name]


def vendor(root: Path, name: str, text: str = INSTALL) -> Path:
    return write(root / "usr/lib/systemd/system" / name, text)


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def link(root: Path, path: str, target: str) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def test_a_unit_that_something_wants_is_enabled(tmp_path: Path) -> None:
    vendor(tmp_path, "a.service")
    link(tmp_path, "etc/systemd/system/multi-user.target.wants/a.service", "/usr/lib/systemd/system/a.service")

    assert unit(tmp_path, "a.service") == Unit(name="a.service", state="enabled", wanted_by=("multi-user.target",))
    assert unit(tmp_path, "a.service").starts


def test_a_unit_that_nothing_wants_is_disabled_or_static(tmp_path: Path) -> None:
    vendor(tmp_path, "a.service")
    vendor(tmp_path, "b.service", "[Unit]\nDescription=x\n")
    vendor(tmp_path, "c.service", "[Install]\nAlso=a.service\n")

    assert [each.state for each in units.find(tmp_path)] == ["disabled", "static", "indirect"]
    assert not unit(tmp_path, "a.service").starts


def test_a_unit_that_its_package_pulls_in_starts_and_is_static(tmp_path: Path) -> None:
    vendor(tmp_path, "a.service", "[Unit]\n")
    link(tmp_path, "usr/lib/systemd/system/sysinit.target.wants/a.service", "../a.service")

    found = unit(tmp_path, "a.service")

    assert (found.state, found.starts) == ("static", True)


def test_a_masked_unit_never_starts(tmp_path: Path) -> None:
    vendor(tmp_path, "a.service")
    link(tmp_path, "etc/systemd/system/multi-user.target.wants/a.service", "/usr/lib/systemd/system/a.service")
    link(tmp_path, "etc/systemd/system/a.service", "/dev/null")
    vendor(tmp_path, "empty.service", "")

    assert (unit(tmp_path, "a.service").state, unit(tmp_path, "a.service").starts) == ("masked", False)
    assert unit(tmp_path, "empty.service").state == "masked"


def test_the_administrators_file_wins_over_the_packages(tmp_path: Path) -> None:
    vendor(tmp_path, "a.service")
    write(tmp_path / "etc/systemd/system/a.service", "[Unit]\n")

    assert unit(tmp_path, "a.service").state == "static"


def test_an_alias_enables_what_it_stands_for(tmp_path: Path) -> None:
    vendor(tmp_path, "ssh.service")
    link(tmp_path, "etc/systemd/system/sshd.service", "/usr/lib/systemd/system/ssh.service")
    link(
        tmp_path, "etc/systemd/system/multi-user.target.wants/sshd.service", "/usr/lib/systemd/system/ssh.service"
    )

    assert unit(tmp_path, "sshd.service").state == "alias"
    assert unit(tmp_path, "ssh.service") == Unit(
        name="ssh.service", state="enabled", wanted_by=("multi-user.target",)
    )


def test_an_instance_enables_its_template(tmp_path: Path) -> None:
    vendor(tmp_path, "getty@.service")
    link(
        tmp_path,
        "etc/systemd/system/getty.target.wants/getty@tty1.service",
        "/usr/lib/systemd/system/getty@.service",
    )

    assert unit(tmp_path, "getty@.service").state == "enabled"


def test_a_system_v_script_is_a_service(tmp_path: Path) -> None:
    for name in ("network", "idle"):
        write(tmp_path / "etc/rc.d/init.d" / name, "#!/bin/sh\n").chmod(0o755)
    link(tmp_path, "etc/init.d", "rc.d/init.d")
    link(tmp_path, "etc/rc3.d", "rc.d/rc3.d")
    link(tmp_path, "etc/rc.d/rc3.d/S10network", "../init.d/network")

    assert unit(tmp_path, "network.service") == Unit(
        name="network.service", state="enabled", wanted_by=("multi-user.target",)
    )
    assert unit(tmp_path, "idle.service").state == "disabled"


def test_links_in_circles_and_out_of_the_tree_do_no_harm(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", write(tmp_path / "outside/a.service", INSTALL)
    vendor(root, "z.service")
    link(root, "usr/lib/systemd/system/loop.service", "loop.service")
    link(root, "usr/lib/systemd/system/leak.service", str(outside))
    link(root, "etc/systemd/system", "system")
    link(root, "usr/local/lib/systemd/system", str(outside.parent))

    assert {each.name: each.state for each in units.find(root)} == {
        "leak.service": "alias",
        "loop.service": "static",
        "z.service": "disabled",
    }


def test_names_that_are_none_are_left_out(tmp_path: Path) -> None:
    for name in ("evil\x1b[2J.service", "no-type", "readme.txt", "a.service.d/x.service"):
        vendor(tmp_path, name)

    assert units.find(tmp_path) == ()
