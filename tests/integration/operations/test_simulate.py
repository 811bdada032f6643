"""A rehearsal against the boot itself: recorded firmware asks the real daemon, and gets what was foretold."""

from __future__ import annotations

import asyncio
import http.client
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from provisioner.config.paths import Paths
from provisioner.dhcp.message import Kind, Message
from provisioner.host.run import run
from provisioner.image.store import catalogue
from provisioner.operations.fetches import urls_in
from provisioner.operations.firmware import Asker
from provisioner.operations.simulate import Outcome, simulate
from provisioner.trust.sitekey import SiteKey
from tests.support.daemon import add_generation
from tests.support.load import fetch_by_tftp
from tests.support.packets import IPXE_BIOS, OVMF_HTTP, OVMF_PXE, Firmware
from tests.support.rig import HEAD, Rig, address_of, daemon, mac_of, name_of, rig, write_nodes
from tests.support.simulated import Wire

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("ip")]

BIOS = Firmware("bios", {code: value for code, value in IPXE_BIOS.options.items() if code not in {77, 175}})
FIRMWARE = {Asker.BIOS: BIOS, Asker.UEFI: OVMF_PXE, Asker.UEFI_HTTP: OVMF_HTTP, Asker.IPXE: IPXE_BIOS}
NUMBER = 2


@dataclass(frozen=True)
class Reality:
    """A daemon that serves, the network of its clients, and what was foretold for one node."""

    place: Rig
    foretold: Outcome

    def get(self, path: str) -> bytes:
        """What the node gets by HTTP."""
        with self.place.clients.entered():
            connection = http.client.HTTPConnection(
                str(HEAD.ip), 8080, source_address=(str(address_of(NUMBER)), 0)
            )
            connection.connect()
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        assert answer.status == 200, content
        return content

    def step(self, what: str) -> str:
        """What was foretold of a step."""
        return next(f"{step.said} {step.detail}".strip() for step in self.foretold.steps if step.what == what)


@pytest.fixture(scope="module")
def reality(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reality]:
    paths = Paths.below(tmp_path_factory.mktemp("simulate") / "site")
    write_nodes(paths, 3)
    add_generation(paths)
    SiteKey.load_or_create(paths.keys)
    (foretold,) = simulate(paths, catalogue(paths), name_of(NUMBER)).outcomes
    with rig() as place:
        run(["ip", "-n", place.clients.name, "addr", "add", f"{address_of(NUMBER)}/16", "dev", place.theirs])
        with daemon(place.home, paths):
            yield Reality(place, foretold)


def offers(reality: Reality) -> dict[Asker, Message]:
    async def ask() -> dict[Asker, Message]:
        wire = Wire(reality.place.theirs)
        try:
            mac = mac_of(NUMBER)
            return {
                asker: await wire.ask(firmware.datagram(Kind.DISCOVER, mac=mac, xid=number), mac=mac, seconds=10)
                for number, (asker, firmware) in enumerate(FIRMWARE.items(), start=1)
            }
        finally:
            wire.close()

    with reality.place.clients.entered():
        return asyncio.run(ask())


def masked(script: str) -> str:
    return re.sub(r"(/t/|prov\.token=)[^/\s]+", r"\1TOKEN", script)


def test_real_firmware_is_offered_the_address_and_the_file_that_were_foretold(reality: Reality) -> None:
    for asker, offer in offers(reality).items():
        assert reality.step(f"dhcp {asker}") == f"{offer.yiaddr} and {offer.file.decode()}"


def test_the_loaders_have_the_size_that_was_foretold(reality: Reality) -> None:
    loaders = [step.said for step in reality.foretold.steps if step.what == "loader" and "TFTP" in step.said]

    for said in loaders:
        name = said.split()[0]
        with reality.place.clients.entered():
            size, _ = fetch_by_tftp(name, window=1, before_last=lambda: None)
        assert said == f"{name} by TFTP, {size} bytes"

    assert len(loaders) == 2


def test_the_script_and_all_that_it_leads_to_are_what_was_foretold(reality: Reality) -> None:
    script = reality.get(f"/boot/{mac_of(NUMBER).hyphenated}").decode()
    token = re.search(r"prov\.token=(\S+)", script)
    assert token

    assert masked(script) == masked(reality.foretold.script)
    assert len(script) == len(reality.foretold.script)
    assert [masked(url) for url in urls_in(script)] == [masked(url) for url in urls_in(reality.foretold.script)]
    for url in urls_in(script):
        name, content = url.rpartition("/")[2], reality.get(url.partition(":8080")[2])
        size = len(content) if name == "kernel" else content.index(b"070701")
        assert reality.step(name) == f"{size} bytes, digest right"
    sheet = dict(line.split("=", 1) for line in reality.get(f"/t/{token[1]}/sheet").decode().splitlines())
    overlay = reality.get(f"/t/{token[1]}/overlay/system")
    assert reality.step("overlay/system").endswith(f"{len(overlay)} bytes, sha256 {sheet['overlay_sha256']}")
