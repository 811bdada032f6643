"""What GRUB gets by TFTP, and who gets nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from provisioner.boot.attempts import UNDER_WAY
from provisioner.boot.ledger import Ledger
from provisioner.boot.script import Language, ScriptTokens
from provisioner.daemon.bootfiles import BootFiles
from provisioner.http.site import HttpSite
from provisioner.model.address import MacAddress
from provisioner.model.boot import Boot, TokenStage
from provisioner.model.event import Event
from provisioner.overlay.rendered import RenderedOverlay
from provisioner.tftp.packet import ErrorCode
from provisioner.tftp.table import Held, RefusedError
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.token import Claims, TokenMint
from tests.support import resolved

NODE, STRANGER = "10.0.1.1", "10.0.9.9"
URL = "http://10.0.0.1:8080"
SCRIPT = f"grub/{resolved.MAC1}.cfg"
KERNEL = b"kernel" * 1000


class Rendering:
    """Scripts that show who asked for them, and in which language."""

    async def boot_script(
        self,
        decision: Boot,
        revision: str,
        tokens: ScriptTokens,
        mac: MacAddress,
        url: str | None,
        *,
        language: Language,
    ) -> str:
        del revision, mac, url
        return f"{language} {decision.node.name} {tokens.script}"

    async def other_script(self, *_: object, language: Language) -> str:
        return f"{language} other"

    async def overlay(self, *_: object) -> RenderedOverlay:
        raise NotImplementedError


class Recorder:
    """Keeps nothing."""

    def save_report(self, *_: object) -> None:
        """Forget a report."""

    async def flush(self) -> None:
        """There is nothing to wait for."""


@dataclass
class Bed:
    site: HttpSite
    files: BootFiles
    events: list[Event] = field(default_factory=list)
    now: float = 1000.0

    async def get(self, name: str, client: str = NODE) -> Held:
        coming = self.files.find(name, client, URL)
        assert coming is not None
        return await coming

    async def token(self) -> str:
        """What the script of n001 carries."""
        self.site.attempts.gave(resolved.MAC1, now=self.now)
        return bytes((await self.get(SCRIPT)).content).decode().split()[2]


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    artifact = tmp_path / "artifact"
    artifact.write_bytes(KERNEL)
    events: list[Event] = []
    site = HttpSite(
        snapshot=resolved.snapshot,
        catalogue=resolved.catalogue,
        artifact=lambda _: artifact,
        loaders={},
        url_in=lambda _: "http://10.0.0.1:8080",
        mac_of=lambda _: None,
        rendering=Rendering(),
        ledger=Ledger(lambda _: None),
        mint=TokenMint(SiteKey(b"k" * 32)),
        record=events.append,
        recorder=Recorder(),
        now=lambda: made.now,
    )
    made = Bed(site, BootFiles(site), events)
    return made


async def test_the_first_file_sends_every_machine_to_its_own(bed: Bed) -> None:
    assert b"configfile /grub/$net_default_mac.cfg" in bytes((await bed.get("/grub/grub.cfg", STRANGER)).content)


async def test_a_machine_that_dhcp_sent_to_a_loader_gets_its_script_and_its_boot_begins(bed: Bed) -> None:
    bed.site.attempts.gave(resolved.MAC1, now=bed.now)
    script = bytes((await bed.get(SCRIPT)).content).decode()

    assert script.startswith("grub n001 ")
    assert [event.name for event in bed.events] == ["script.boot"]


async def test_a_request_out_of_nowhere_ends_no_boot(bed: Bed) -> None:
    await bed.token()
    boot = bed.site.ledger.current(resolved.MAC1)
    bed.now += UNDER_WAY

    with pytest.raises(RefusedError, match="was sent to no loader lately") as refused:
        await bed.get(SCRIPT)
    assert refused.value.code is ErrorCode.ACCESS_VIOLATION
    assert bed.site.ledger.current(resolved.MAC1) == boot


async def test_another_address_gets_no_script_and_is_an_alarm(bed: Bed) -> None:
    bed.site.attempts.gave(resolved.MAC1, now=bed.now)

    assert bytes((await bed.get(SCRIPT, STRANGER)).content) == b"grub other"
    assert "script.stranger" in [event.name for event in bed.events]
    assert bed.site.ledger.current(resolved.MAC1) is None


async def test_a_machine_that_is_no_node_is_told_so(bed: Bed) -> None:
    assert bytes((await bed.get("grub/02:00:00:00:00:99.cfg", STRANGER)).content) == b"grub other"


async def test_a_token_opens_the_kernel_and_the_end_of_its_transfer_is_told(bed: Bed) -> None:
    held = await bed.get(f"t/{await bed.token()}/kernel")
    assert bytes(held.content) == KERNEL
    assert held.sent is not None
    held.sent(len(KERNEL), 0.5)
    held.sent(None, 0.5)

    told = [(event.name, event.bytes, event.node) for event in bed.events[-2:]]
    assert told == [("kernel.sent", len(KERNEL), "n001"), ("kernel.broken", None, "n001")]


async def test_a_token_from_elsewhere_of_another_stage_or_made_up_opens_nothing_and_is_an_alarm(bed: Bed) -> None:
    token = await bed.token()
    record = bed.site.ledger.current(resolved.MAC1)
    assert record is not None
    holds = record.generation, record.revision
    claims = Claims("n001", resolved.MAC1, record.id, *holds, TokenStage.STAGE1, 2**31, (NODE,))
    for name, client in (
        (f"t/{token}/kernel", STRANGER),
        (f"t/{bed.site.mint.issue(claims)}/kernel", NODE),
        ("t/made.up/stage1", NODE),
    ):
        with pytest.raises(RefusedError, match="refused: "):
            await bed.get(name, client)

    assert [event.name for event in bed.events[-3:]] == ["access.denied"] * 3


@pytest.mark.parametrize(
    "name",
    ["t/token/root", "t/a/../kernel", "grub/../../etc/passwd", "grub/52:54:00:00:00:01.cfg\n", "t//kernel", ""],
)
def test_other_names_are_none_of_its_own(bed: Bed, name: str) -> None:
    assert bed.files.find(name, NODE, URL) is None
