"""URLs of a boot, resolved without the HTTP service but by its rules."""

from __future__ import annotations

import pytest

from provisioner.boot.access import Resource
from provisioner.http.scripts import Scripts
from provisioner.http.single import NodeArchives
from provisioner.http.tokens import Fetches, Gate
from provisioner.model.boot import Boot, TokenStage
from provisioner.operations.fetches import Tokens, UnresolvedError, resolve, urls_in
from tests.support import resolved

URL = "http://10.0.0.1:8080"
FILLED = {"{mac}": "52-54-00-00-00-01", "{name}": "snponly.efi"}
SITE: object = None


def tokens() -> Tokens:
    node = resolved.node()
    decision = Boot(node, resolved.generation(), node.interfaces[0], "")
    return Tokens(decision, resolved.REVISION, resolved.MAC1)


def test_every_route_of_the_http_service_is_known_here() -> None:
    gate = Gate(SITE)  # type: ignore[arg-type] # only listed
    parts = (Scripts(SITE), Fetches(SITE, gate), NodeArchives(SITE, gate))  # type: ignore[arg-type] # as said
    routes = [route for part in parts for route in part.routes()]
    issued = tokens()
    script = dict.fromkeys(("/kernel", "/stage1", "/uki", "/archive", "/node"), TokenStage.SCRIPT)
    stages = {**script, "/overlay/runtime": TokenStage.SYSTEM}

    for route in routes:
        stage = next((stages[end] for end in stages if route.path.endswith(end)), TokenStage.STAGE1)
        path = route.path.replace("{token}", issued.of(stage))
        for name, value in FILLED.items():
            path = path.replace(name, value)
        target = resolve(f"{URL}{path}", resolved.snapshot(), issued)
        assert target.resource or target.loader or target.page, route.path

    assert len(routes) > 8


def test_what_a_token_opens_is_decided_by_the_rule_of_the_daemon() -> None:
    issued = tokens()

    assert (
        resolve(f"{URL}/t/{issued.script.script}/kernel", resolved.snapshot(), issued).resource is Resource.KERNEL
    )
    with pytest.raises(UnresolvedError, match="a token of stage stage1 does not open kernel"):
        resolve(f"{URL}/t/{issued.script.stage1}/kernel", resolved.snapshot(), issued)


def test_no_token_gets_into_a_message() -> None:
    issued = tokens()

    with pytest.raises(UnresolvedError) as caught:
        resolve(f"{URL}/t/{issued.script.script}/nothing", resolved.snapshot(), issued)

    assert issued.script.script not in caught.value.message


def test_urls_are_found_once_and_not_in_kernel_arguments() -> None:
    script = f"kernel {URL}/a prov.url={URL} x\ninitrd {URL}/b\nkernel {URL}/a\n"

    assert urls_in(script) == [f"{URL}/a", f"{URL}/b"]
