from __future__ import annotations

import pytest

from provisioner.errors import CommandError, IntegrityError, NotFoundError, ProvisionerError, UnavailableError
from provisioner.image.registryfault import explained

NAME = "reg.example:5000/a:1"
BEGIN = 'time="2026-11-21T15:16:46Z" level=fatal msg="Error parsing image name \\"docker://x\\": '


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("reading manifest 1: manifest unknown: manifest unknown", NotFoundError, "has no reg.example:5000/a:1"),
        ("unauthorized: authentication required", ProvisionerError, "without the right login"),
        ("requested access to the resource is denied", ProvisionerError, "without the right login"),
        ("http: server gave HTTP response to HTTPS client", UnavailableError, "plain HTTP"),
        ("x509: certificate signed by unknown authority", UnavailableError, "is not trusted"),
        ("dial tcp: lookup x: no such host", UnavailableError, "no host has the name"),
        ("dial tcp 1.2.3.4:443: connect: connection refused", UnavailableError, "does not answer"),
        ("Digest did not match, expected sha256:00, got sha256:11", IntegrityError, "not what its digest"),
        ("Source image rejected: Running image is rejected by policy.", IntegrityError, "policy does not allow"),
        ("write /x: no space left on device", UnavailableError, "no space left on device"),
        ("something nobody thought of", ProvisionerError, "something nobody thought of"),
    ],
)
def test_what_went_wrong_is_said_in_words(said: str, kind: type[ProvisionerError], words: str) -> None:
    failed = CommandError("skopeo failed", status=1, output=f'Getting image\n{BEGIN}{said}"\n')

    found = explained(failed, NAME)

    assert type(found) is kind
    assert words in found.message
    assert said in found.message


def test_a_program_that_said_nothing_is_told_all_the_same() -> None:
    assert "status 9" in explained(CommandError("failed with status 9", status=9), NAME).message


def test_a_name_that_sounds_like_a_fault_changes_nothing() -> None:
    said = "reading manifest 1 in reg.example/denied: manifest unknown"
    lost = "dial tcp: lookup denied.example: no such host"

    for name, text, kind in (("reg.example/denied:1", said, NotFoundError), (NAME, lost, UnavailableError)):
        assert type(explained(CommandError("x", status=1, output=text), name)) is kind
