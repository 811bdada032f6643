from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.image.skopeo import host_of, read_login, skopeo
from provisioner.image.terms import Access


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("rocky", "docker.io"),
        ("rockylinux/rockylinux", "docker.io"),
        ("reg.example/a", "reg.example"),
        ("reg:5000/a", "reg:5000"),
        ("localhost/a", "localhost"),
    ],
)
def test_the_registry_of_a_name_is_found_as_everywhere(name: str, host: str) -> None:
    assert host_of(name) == host


def test_a_login_is_given_in_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    with skopeo("reg.example/a", Access(login=("alice", "s:ecret")), scratch=tmp_path) as client:
        assert client.authfile is not None
        assert client.authfile.stat().st_mode & 0o777 == 0o600
        held = json.loads(client.authfile.read_text())

    assert base64.b64decode(held["auths"]["reg.example"]["auth"]) == b"alice:s:ecret"
    assert list(tmp_path.iterdir()) == []


def test_a_policy_is_always_given(tmp_path: Path) -> None:
    with skopeo("a", Access(), scratch=tmp_path) as client:
        assert json.loads(client.policy.read_text()) == {"default": [{"type": "insecureAcceptAnything"}]}


@pytest.mark.parametrize("content", ["", "alice", "alice:", ":secret", "a:b\nc:d"])
def test_a_file_that_holds_no_login_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "login").write_text(content)
    (tmp_path / "login").chmod(0o600)

    with pytest.raises(ProvisionerError, match="holds no login"):
        read_login(tmp_path / "login")


def test_a_login_that_others_may_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "login").write_text("alice:secret")
    (tmp_path / "login").chmod(0o640)

    with pytest.raises(ProvisionerError, match="others may read") as caught:
        read_login(tmp_path / "login")
    assert caught.value.hint == f"chmod 600 {tmp_path / 'login'}"


def test_a_login_may_hold_colons(tmp_path: Path) -> None:
    (tmp_path / "login").write_text("alice:s:ecret\n")
    (tmp_path / "login").chmod(0o600)

    assert read_login(tmp_path / "login") == ("alice", "s:ecret")


def test_a_login_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="cannot be read"):
        read_login(tmp_path / "nope")
