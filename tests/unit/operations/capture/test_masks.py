"""Nothing that opens anything leaves the site in a capture."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.boot import TokenStage
from provisioner.operations.capture.masks import masked, short_tokens, without_tokens
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.token import Claims, TokenMint
from tests.support.resolved import MAC1, REVISION


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A genuine token."""
    folder: Path = tmp_path_factory.mktemp("keys")
    claims = Claims("n001", MAC1, "b1", "debian-12@1", REVISION, TokenStage.STAGE1, 2_000_000_000, ("10.0.1.1",))
    return TokenMint(SiteKey.load_or_create(folder)).issue(claims)


def test_the_token_of_a_request_is_masked_and_all_else_of_its_head_stays(token: str) -> None:
    request = f"GET /t/{token}/kernel HTTP/1.1\r\nHost: head\r\nRange: bytes=0-\r\n\r\n".encode()

    shown = masked(request)

    assert shown == request.replace(token.encode(), b"x" * len(token))
    assert len(shown) == len(request)


def test_a_boot_script_stays_readable_without_its_tokens(token: str) -> None:
    script = f"#!ipxe\nkernel http://10.0.0.1/t/{token}/kernel prov.token={token} quiet\nboot\n"

    shown = masked(f"HTTP/1.1 200 OK\r\n\r\n{script}".encode()).decode()

    assert token not in shown
    assert "quiet\nboot\n" in shown


def test_content_and_what_continues_it_are_cut_off(token: str) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nroot:$6$salt$hash:"

    assert masked(answer) == b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
    assert masked(b"root:$6$salt$hash:") == b""
    assert masked(f"HTTP/1.1 200 OK\r\n\r\n{token}".encode()) == b"HTTP/1.1 200 OK\r\n\r\n"
    assert masked(f"POST /t/{token}/report HTTP/1.1\r\n\r\nfailed=secret".encode()).endswith(b"HTTP/1.1\r\n\r\n")


def test_the_reason_of_a_refusal_stays() -> None:
    refusal = b"HTTP/1.1 403 Forbidden\r\n\r\nrefused: the stage is closed\n"

    assert masked(refusal) == refusal


def test_people_see_that_there_was_a_token(token: str) -> None:
    assert short_tokens(f"GET /t/{token}/kernel") == "GET /t/.../kernel"
    assert short_tokens("GET /t/made-up/kernel") == "GET /t/.../kernel"


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_a_token_is_masked_wherever_it_stands_and_the_length_stays(before: bytes, after: bytes) -> None:
    token = b"bjAwMR81Mjo1NDowMDowMDowMDowMR9iMQ.JFmO8k7wHn3uVYx2zS9qTe5b1cR4aDg6iKoMpQsUvXy"

    shown = without_tokens(before + b" " + token + b" " + after)

    assert token not in shown
    assert len(shown) == len(before) + len(after) + len(token) + 2


@given(st.binary(max_size=300))
def test_nothing_that_is_masked_grows_or_raises(payload: bytes) -> None:
    assert len(masked(payload)) <= len(payload)
