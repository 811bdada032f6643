"""Conditions of a request for a file: what is answered, and what is refused with a reason."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from provisioner.http.blob import check_conditions


def check(**headers: str) -> None:
    request = make_mocked_request(
        "GET", "/", headers={name.replace("_", "-"): text for name, text in headers.items()}
    )
    check_conditions(request, 100)


@pytest.mark.parametrize(
    "wanted", ["bytes=0-", "bytes=99-", "bytes=5-9", "bytes=-1", "bytes=-500", "bytes=50-5000"]
)
def test_a_range_that_overlaps_the_file_is_answered(wanted: str) -> None:
    check(Range=wanted)


@pytest.mark.parametrize("wanted", ["bytes=100-", "bytes=9-5", "bytes=", "bytes=0-1,5-6", "lines=1-", ""])
def test_any_other_range_is_refused_and_the_size_told(wanted: str) -> None:
    with pytest.raises(web.HTTPRequestRangeNotSatisfiable) as caught:
        check(Range=wanted)

    assert caught.value.headers["Content-Range"] == "bytes */100"
    assert caught.value.text == f"the file has 100 bytes; {wanted!r} is no range of them\n"


@pytest.mark.parametrize("header", ["If_Match", "If_Unmodified_Since", "if_match"])
def test_a_precondition_is_refused(header: str) -> None:
    with pytest.raises(web.HTTPPreconditionFailed):
        check(**{header: "*"})


def test_a_request_without_conditions_is_answered() -> None:
    check(Accept="*/*")
