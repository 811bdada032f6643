"""Secrets are blacked out of texts for support."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.operations.support.censor import BLACK, Censor

TOKEN = f"{'eyJub2RlIjoibjAwMSJ9' * 4}.{'a-Z_0' * 8}abc"
PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\nAAAA\n-----END OPENSSH PRIVATE KEY-----"


@given(st.binary(min_size=4, max_size=40), st.text(), st.text())
def test_a_known_secret_stands_nowhere_in_no_spelling(secret: bytes, before: str, after: str) -> None:
    spellings = [base64.b64encode(secret).decode(), secret.hex()]

    for spelling in spellings:
        assert spelling not in Censor([secret]).apply(f"{before}{spelling}{after}")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=4).map(lambda text: f"ß{text}ß"))
def test_a_known_text_is_found_as_it_is_and_inside_json(secret: str) -> None:
    censor = Censor([f"{secret}\n".encode()])

    assert censor.apply(f"<<<{secret.strip()}>>>") == f"<<<{BLACK}>>>"
    assert json.dumps(secret.strip())[1:-1] not in censor.apply(json.dumps({"message": f"== {secret.strip()} =="}))


@pytest.mark.parametrize(
    "secret",
    [
        PEM,
        PEM[:60],
        TOKEN,
        "$6$rounds=5000$saltsalt$hashhashhash/hash.",
        "$y$j9T$abcdefgh$ABCDEFGHIJKLMN",
    ],
)
def test_what_has_the_shape_of_a_secret_is_removed(secret: str) -> None:
    told = Censor().apply(f"before {secret} after")

    assert secret not in told
    assert told.startswith("before ")
    assert BLACK in told


@pytest.mark.parametrize(
    "line",
    [
        "password: calvin",
        "  bmc: {username: root, password: calvin, address: 10.0.0.9}",
        '{"snmp_community": "calvin"}',
        "ipmi_passwd = 'calvin'",
        "--token=calvin",
        "API-KEY: calvin",
        "https://root:calvin@mirror.example/debian",
        r'{"message": "set {\"password\": \"calvin\"}"}',
    ],
)
def test_the_value_of_a_key_that_names_a_secret_is_removed_and_the_rest_stays(line: str) -> None:
    told = Censor().apply(line)

    assert "calvin" not in told
    assert BLACK in told
    assert ("10.0.0.9" in told) == ("10.0.0.9" in line)


def test_a_block_below_such_a_key_goes_with_it() -> None:
    text = "vars:\n  munge_secret: |\n    line one\n\n    line two\n  rack: r1\n"

    assert Censor().apply(text) == f"vars:\n  munge_secret: {BLACK}\n  rack: r1\n"


@pytest.mark.parametrize(
    "text",
    [
        "n001 boots debian-12@3 at revision a676e43b235d70d1 (52:54:00:00:00:01)",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA admin@head",
        "kernel 6.1.0-28-cloud-amd64.x86_64",
    ],
)
def test_what_helps_stays(text: str) -> None:
    assert Censor([b"\x00\x01"]).apply(text) == text


def test_long_lines_that_look_like_the_start_of_a_secret_end() -> None:
    for piece in ("token", "A", "password ", "-----BEGIN ", "$6$aaaaaaaa", "https://a:"):
        assert Censor().apply(piece * 20_000)
