from __future__ import annotations

import logging
import random
from itertools import islice
from pathlib import Path

import pytest

from tests.support.corpus import variations
from tests.support.httpfuzz import bombard, requests, sent, serving

pytestmark = pytest.mark.integration

TEN_THOUSAND = 10_000
GOOD = b"GET /autoexec.ipxe HTTP/1.1\r\nHost: head\r\n\r\n"


async def test_honest_requests_reach_what_they_want(tmp_path: Path) -> None:
    """Without this the inputs below would all end at the door."""
    async with serving(tmp_path) as served:
        outcomes = await bombard(served.port, requests(), seconds=5)

    assert {"200", "206", "400", "404", "416"} <= set(outcomes)
    assert served.events["stage1.started"] > 0
    assert served.events["tpm.unknown"] > 0


@pytest.mark.timeout(300)
async def test_whatever_comes_the_server_answers_the_next_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No input ends in a 500 or in a traceback, and none is told in the log by itself."""
    inputs = islice(variations(requests(), random.Random(random.randrange(1 << 32))), TEN_THOUSAND)
    caplog.set_level(logging.INFO)
    async with serving(tmp_path) as served:
        outcomes = await bombard(served.port, inputs)
        assert await sent(served.port, GOOD, seconds=10) == "200"

    assert outcomes.total() == TEN_THOUSAND
    assert not {status for status in outcomes if status.startswith("5")}
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.WARNING] == []
    assert len(caplog.records) < 100
