"""Tokens: only what this site issued, unaltered and in time, is accepted."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.boot import TokenStage
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.token import Claims, TokenError, TokenMint

SOURCES = ("10.0.250.7", "10.0.1.1")
CLAIMS = Claims("n001", "52:54:00:00:00:01", "ab" * 8, "debian-12@1", "cd" * 32, TokenStage.STAGE1, 1000, SOURCES)
MINT = TokenMint(SiteKey(b"k" * 32))


def test_a_token_gives_back_what_it_was_issued_for() -> None:
    assert MINT.verify(MINT.issue(CLAIMS), now=1000) == CLAIMS


def test_a_token_may_say_the_digest_of_its_kernel_line() -> None:
    claims = replace(CLAIMS, line="ab" * 16)

    assert MINT.verify(MINT.issue(claims), now=1000) == claims
    assert len(MINT.issue(CLAIMS)) < len(MINT.issue(claims))


def test_another_daemon_with_the_same_site_key_accepts_it() -> None:
    assert TokenMint(SiteKey(b"k" * 32)).verify(MINT.issue(CLAIMS), now=0) == CLAIMS


def test_a_daemon_of_another_site_refuses_it() -> None:
    with pytest.raises(TokenError, match="not issued by this site"):
        TokenMint(SiteKey(b"x" * 32)).verify(MINT.issue(CLAIMS), now=0)


@pytest.mark.parametrize(
    ("issued", "now", "good"), [(1, 1, True), (1, 2, True), (2, 2, True), (1, 3, False), (2, 1, False)]
)
def test_two_keys_are_good_at_a_time_the_newest_and_the_one_before(*, issued: int, now: int, good: bool) -> None:
    key = SiteKey(b"k" * 32)
    token = TokenMint(key, lambda: issued).issue(CLAIMS)
    later = TokenMint(key, lambda: now)

    if good:
        assert later.verify(token, now=0) == CLAIMS
    else:
        with pytest.raises(TokenError, match="not issued by this site"):
            later.verify(token, now=0)


def test_the_epoch_may_change_under_a_daemon_that_runs() -> None:
    epoch = [1]
    mint = TokenMint(SiteKey(b"k" * 32), lambda: epoch[0])
    first = mint.issue(CLAIMS)
    epoch[0] = 2

    assert mint.issue(CLAIMS) != first
    assert mint.verify(first, now=0) == CLAIMS


def test_a_token_is_refused_one_second_after_its_expiry() -> None:
    with pytest.raises(TokenError, match="expired 1 s ago"):
        MINT.verify(MINT.issue(CLAIMS), now=1001)


def test_a_changed_claim_breaks_the_signature() -> None:
    head, tail = MINT.issue(CLAIMS).split(".")
    payload = urlsafe_b64decode(head + "=" * (-len(head) % 4)).replace(b"n001", b"n002")
    forged = urlsafe_b64encode(payload).rstrip(b"=").decode()

    with pytest.raises(TokenError, match="altered"):
        MINT.verify(f"{forged}.{tail}", now=0)


def test_a_token_fits_in_a_kernel_line_and_needs_no_escaping_in_a_url() -> None:
    token = MINT.issue(CLAIMS)

    assert len(token) < 300
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@pytest.mark.parametrize("odd", ["\x06", " ", "=", "\n", "*"])
def test_a_token_has_one_spelling_only(odd: str) -> None:
    token = MINT.issue(CLAIMS)

    for position in (0, 10, len(token)):
        with pytest.raises(TokenError):
            MINT.verify(token[:position] + odd + token[position:], now=0)


@given(st.text(max_size=2000))
def test_any_other_text_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(TokenError):
        MINT.verify(text, now=0)
