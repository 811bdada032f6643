"""Reports of nodes: what is read, and what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import ProtocolError
from provisioner.http.report import parse_report
from provisioner.model.boot import TokenStage
from provisioner.model.event import Stage


def test_a_report_is_an_event_a_time_and_facts() -> None:
    report = parse_report(b"event=image.verified\nuptime=9.5\nbytes=74\nnote=a = b\n", TokenStage.STAGE1)

    assert (report.event, report.stage, report.uptime) == ("image.verified", Stage.IMAGE, 9.5)
    assert report.facts == {"bytes": "74", "note": "a = b"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"event=ready\n",
        b"event=failed\nuptime=soon\n",
        b"event=failed\nno equals sign\n",
        b"event=failed\nreason=\x1b[2J\n",
        b"event=failed\n" + b"a=b\n" * 100,
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_report(body, TokenStage.STAGE1)


@given(st.binary(max_size=500))
def test_arbitrary_bytes_raise_only_protocol_errors(body: bytes) -> None:
    with suppress(ProtocolError):
        assert parse_report(body, TokenStage.STAGE1).event
