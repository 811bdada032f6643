"""The same service by TLS: the site's own authority, what it signs, and certificates from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.errors import CommandError
from provisioner.host.run import run
from tests.support.daemon import ADDRESS, ROOT, URL, HeadNode, head_node

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "openssl")]

PORTS = "ports: {https: 8443}\n"
SECURE = f"https://{ADDRESS.ip}:8443"


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    with head_node(tmp_path_factory.mktemp("head")) as head:
        head.write("provisioner.yaml", (head.paths.site / "provisioner.yaml").read_text() + PORTS)
        head.daemon.start()
        yield head
        head.daemon.stop()
        assert "Traceback" not in head.log()


@pytest.fixture
def authority(head: HeadNode) -> Path:
    """The authority as a node fetches it, before it trusts anybody."""
    file = head.new_file()
    head.namespace.run(["curl", "--silent", "--fail", "--output", file, f"{URL}/ca.pem"])
    return file


def secured(head: HeadNode, authority: Path, path: str, *options: str | Path) -> str:
    words = ["curl", "--silent", "--show-error", "--fail", "--cacert", authority, *options, f"{SECURE}{path}"]
    return head.namespace.run(words)


def test_a_boot_goes_by_tls_with_the_authority_that_the_head_node_gave(head: HeadNode, authority: Path) -> None:
    machine, got = head.machine(), head.new_file()
    token = machine.start().stage1
    mine = ("--interface", machine.address)

    sheet = secured(head, authority, f"/t/{token}/sheet", *mine)
    secured(head, authority, f"/t/{token}/root", *mine, "--output", got)
    system = secured(
        head, authority, f"/t/{token}/report", *mine, "--data-binary", "event=handover.done\nuptime=1\n"
    )

    assert f"node={machine.node}\n" in sheet
    assert got.read_bytes() == ROOT
    assert system


def test_stage_1_is_told_the_port(head: HeadNode) -> None:
    machine = head.machine()

    assert " prov.https=8443 " in machine.get(f"/boot/{machine.mac.hyphenated}").text


def test_who_trusts_somebody_else_does_not_come_through(head: HeadNode, tmp_path: Path) -> None:
    stranger = tmp_path / "other.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run([*words, "-keyout", tmp_path / "key", "-out", stranger, "-subj", "/CN=demo provisioner CA", "-days", "9"])

    with pytest.raises(CommandError, match=r"certificate|issuer"):
        secured(head, stranger, "/ca.pem")


def test_the_keys_are_for_their_owner_alone_and_the_certificate_survives_a_restart(
    head: HeadNode, authority: Path
) -> None:
    shown = (head.paths.keys / "tls-server.crt").read_bytes()
    assert (head.paths.keys / "tls-server.key").stat().st_mode & 0o777 == 0o600

    head.daemon.stop()
    head.daemon.start()

    assert (head.paths.keys / "tls-server.crt").read_bytes() == shown
    assert secured(head, authority, "/ca.pem") == authority.read_text()


def test_what_is_no_tls_is_closed_and_the_service_goes_on(head: HeadNode, authority: Path) -> None:
    with pytest.raises(CommandError):
        head.namespace.run(["curl", "--silent", "--fail", f"{SECURE.replace('https', 'http')}/ca.pem"])

    assert secured(head, authority, "/ca.pem").startswith("-----BEGIN CERTIFICATE-----\n")


def test_a_certificate_from_elsewhere_is_shown_in_the_place_of_our_own(head: HeadNode, tmp_path: Path) -> None:
    key, certificate = tmp_path / "own.key", tmp_path / "own.crt"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    san = f"subjectAltName=IP:{ADDRESS.ip}"
    run([*words, "-keyout", key, "-out", certificate, "-subj", "/CN=head", "-days", "9", "-addext", san])
    written = (head.paths.site / "provisioner.yaml").read_text()
    head.write("provisioner.yaml", f"{written}tls: {{certificate: {certificate}, key: {key}}}\n")
    head.daemon.stop()
    head.daemon.start()
    try:
        assert secured(head, certificate, "/ca.pem") == certificate.read_text()
    finally:
        head.write("provisioner.yaml", written)
        head.daemon.stop()
        head.daemon.start()
