"""The gate: what it does with a token before any route sees the request."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from provisioner.boot.access import Resource
from provisioner.boot.ledger import Ledger
from provisioner.http.site import HttpSite
from provisioner.http.tokens import Gate
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.event import Event, Level
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.token import Claims, TokenMint
from tests.support import resolved

MINT = TokenMint(SiteKey(b"k" * 32))
CLAIMS = Claims(
    "n001", resolved.MAC1, "b1", "debian-12@1", resolved.REVISION, TokenStage.STAGE1, 1000, ("10.0.1.1",)
)


class Nothing:
    """Stands where the gate must not reach."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"the gate used {name}")


class Desk:
    """A gate, and what it recorded."""

    def __init__(self, now: float) -> None:
        self.events: list[Event] = []
        self.saved: list[BootRecord] = []
        site = HttpSite(
            snapshot=resolved.snapshot,
            catalogue=resolved.catalogue,
            artifact=Path,
            loaders={},
            mac_of=lambda _: None,
            url_in=lambda _: "http://10.0.0.1:8080",
            rendering=Nothing(),
            ledger=Ledger(self.saved.append),
            mint=MINT,
            record=self.events.append,
            recorder=Nothing(),
            now=lambda: now,
        )
        self._gate = Gate(site)

    def open(self, token: str, resource: Resource = Resource.ROOT) -> BootRecord:
        request = make_mocked_request("GET", f"/t/{token}/{resource}", match_info={"token": token})
        return self._gate.open(request.clone(remote="10.0.1.1"), resource)[1]


def test_a_token_is_good_up_to_its_expiry() -> None:
    assert Desk(now=1000.0).open(MINT.issue(CLAIMS)).id == "b1"


def test_an_expired_token_is_refused_and_recorded_as_an_alarm() -> None:
    desk = Desk(now=1060.5)

    with pytest.raises(web.HTTPForbidden) as caught:
        desk.open(MINT.issue(CLAIMS))

    assert caught.value.text == "refused: the token expired 60 s ago\n"
    (event,) = desk.events
    assert (event.name, event.level) == ("access.denied", Level.ALARM)
    assert event.message == "GET root: the token expired 60 s ago"


def test_the_alarm_for_a_genuine_token_names_node_and_boot_and_for_any_other_one_nobody() -> None:
    desk = Desk(now=900.0)

    for token in (MINT.issue(CLAIMS), "x.y"):
        with pytest.raises(web.HTTPForbidden):
            desk.open(token, Resource.KERNEL)

    named = [(event.node, event.boot, event.mac) for event in desk.events]
    assert named == [("n001", "b1", resolved.MAC1), (None, None, None)]


def test_a_boot_that_another_head_of_the_site_issued_is_adopted_from_its_token() -> None:
    desk = Desk(now=900.0)

    record = desk.open(MINT.issue(CLAIMS))

    assert desk.saved == [record]
    assert (record.generation, record.revision, record.stage) == (
        "debian-12@1",
        resolved.REVISION,
        TokenStage.STAGE1,
    )
