"""Scripts: whole texts, and what they refuse to say."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import pytest

from provisioner.boot.script import Language, ScriptTokens, ScriptWriter, kernel_line, line_digest, written_line
from provisioner.config.paths import shipped_data
from provisioner.errors import ProvisionerError
from provisioner.model.address import MacAddress
from provisioner.model.boot import Boot, Local, Refused, Unknown
from provisioner.model.device import Route
from provisioner.model.resolved import ResolvedBoot, ResolvedInterface
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Network, UnifiedMode
from provisioner.render.environment import Renderer
from tests.support import resolved
from tests.support.golden import Golden

ROUTER = IPv4Address("10.0.0.253")
TOKENS = ScriptTokens("TOKEN-OF-SCRIPT", "TOKEN-OF-STAGE1")


def writer(language: Language = Language.IPXE) -> ScriptWriter:
    folder = shipped_data() / "templates"
    return ScriptWriter(
        Renderer(),
        lambda name: (folder / f"{name}.{language}.j2").read_text(),
        "http://10.0.0.1:8080",
        language,
    )


def boot(*kernel_args: str, init: str | None = None, language: Language = Language.IPXE) -> str:
    node = resolved.node(kernel_args=kernel_args or ("console=ttyS0",), init=init)
    decision = Boot(node, resolved.generation(), node.interfaces[0], "because")
    return writer(language).boot(decision, resolved.snapshot(node), TOKENS, mac=resolved.MAC1)


def test_the_script_of_a_node_that_boots_by_grub(golden: Golden) -> None:
    golden("boot/node.grub", boot(language=Language.GRUB))


def test_the_scripts_of_grub_for_machines_that_cannot_boot(golden: Golden) -> None:
    mac, grub = MacAddress("02:00:00:00:00:99"), writer(Language.GRUB)
    refused = Refused(resolved.node(), "the image 'x' of n001 does not exist; $root", "prov image list")

    golden("boot/unknown.grub", grub.unknown(Unknown(mac, "no node has it")))
    golden("boot/refused.grub", grub.refused(refused, resolved.MAC1))


def test_words_that_grub_would_act_on_are_quoted_and_what_it_cannot_quote_is_refused() -> None:
    assert "'quiet=$x;reboot'" in boot("quiet=$x;reboot", language=Language.GRUB)
    with pytest.raises(ProvisionerError, match="GRUB cannot hand quotes or backslashes"):
        boot('dyndbg="file x.c +p"', language=Language.GRUB)


def test_what_grub_puts_before_the_kernel_line_counts() -> None:
    def fits(length: int, language: Language) -> bool:
        try:
            boot("x" * length, language=language)
        except ProvisionerError:
            return False
        return True

    longest = {each: max(length for length in range(1500, 2000) if fits(length, each)) for each in Language}

    assert longest[Language.IPXE] - longest[Language.GRUB] == len("BOOT_IMAGE=/t/TOKEN-OF-SCRIPT/kernel ")


def test_the_script_of_a_node(golden: Golden) -> None:
    golden("boot/node.ipxe", boot())


def test_the_script_of_a_node_whose_image_is_one_signed_program_for_uefi(golden: Golden) -> None:
    node = resolved.node()
    decision = Boot(node, resolved.generation(), node.interfaces[0], "because", unified=True)
    text = writer().boot(decision, resolved.snapshot(node), TOKENS, mac=resolved.MAC1)

    golden("boot/node-unified.ipxe", text)


def test_a_node_that_boots_no_other_way_is_not_told_where_the_parts_are() -> None:
    node = resolved.node(boot=ResolvedBoot(unified=UnifiedMode.ALWAYS))
    decision = Boot(node, resolved.generation(), node.interfaces[0], "because", unified=True)
    text = writer().boot(decision, resolved.snapshot(node), TOKENS, mac=resolved.MAC1)

    assert "/uki" in text
    assert "/stage1" not in text
    assert "echo Provisioner: boot.unified is always, and this firmware is no UEFI\n:failed" in text


def test_the_script_for_an_unknown_machine_names_its_mac(golden: Golden) -> None:
    mac = MacAddress("02:00:00:00:00:99")
    golden("boot/unknown.ipxe", writer().unknown(Unknown(mac, "no node has it")))


def test_the_script_for_a_node_that_cannot_boot_says_why_and_what_to_do(golden: Golden) -> None:
    refused = Refused(resolved.node(), "the image x of n001 does not exist", "prov image list")
    golden("boot/refused.ipxe", writer().refused(refused, resolved.MAC1))


def test_the_script_for_a_node_that_boots_its_own_disk(golden: Golden) -> None:
    local = Local(resolved.node(), "n001 boots its own disk (boot.source set nowhere)")
    golden("boot/local.ipxe", writer().other(local, resolved.MAC1))


def test_what_stage_1_needs_comes_last_on_the_kernel_line() -> None:
    line = next(each for each in boot("prov.url=http://evil").splitlines() if each.startswith("kernel"))

    assert line.index("prov.url=http://evil") < line.index("prov.url=http://10.0.0.1:8080")


def test_with_several_head_nodes_the_script_and_stage_1_go_on_with_the_next() -> None:
    node = resolved.node()
    servers = tuple(IPv4Address(f"10.0.0.{number}") for number in (2, 1, 3))
    site = resolved.site(networks={"provision": Network(cidr=IPv4Network("10.0.0.0/16"), servers=servers)})
    decision = Boot(node, resolved.generation(), node.interfaces[0], "because")

    text = writer().boot(decision, Snapshot.build(resolved.REVISION, site, (node,)), TOKENS, mac=resolved.MAC1)

    # Whoever gives the script comes first.
    urls = [f"http://10.0.0.{number}:8080" for number in (1, 2, 3)]
    assert [f"set head{number} {url}" in text for number, url in enumerate(urls)] == [True] * 3
    assert f" prov.url={urls[0]} prov.also={urls[1]},{urls[2]} " in text
    assert "initrd --name stage1 ${head${turn}}/t/TOKEN-OF-SCRIPT/stage1" in text
    assert "inc turn\nisset ${head${turn}} || set turn:int32 0\nsleep 3" in text


def test_a_nodes_own_init_is_what_stage_1_starts() -> None:
    assert " real_init=/sbin/openrc-init " in boot(init="/sbin/openrc-init")


@pytest.mark.parametrize(
    ("device", "changes", "gateway"),
    [
        (1, {}, "10.0.0.254"),
        (0, {"gateway": ROUTER}, "10.0.0.253"),
        (1, {"gateway": ROUTER}, None),
        (1, {"routes": (Route(to="default", via=ROUTER),)}, None),
        (1, {"routes": (Route(to=IPv4Network("0.0.0.0/0"), via=ROUTER),)}, None),
        (1, {"routes": (Route(to=IPv4Network("10.7.0.0/16"), via=ROUTER),)}, "10.0.0.254"),
        (1, {"routes": (Route(to="default", via=IPv6Address("fd00::fe")),)}, "10.0.0.254"),
    ],
)
def test_stage_1_sets_no_default_route_that_the_running_system_has_on_another_device(
    device: int, changes: dict[str, object], gateway: str | None
) -> None:
    devices = [resolved.interface(resolved.MAC1, 1), resolved.interface(resolved.MAC2, 77, name="eth1")]
    devices[device] = devices[device].model_copy(update=changes)
    node = resolved.node(interfaces=tuple(devices))
    network = Network(cidr=IPv4Network("10.0.0.0/16"), gateway=IPv4Address("10.0.0.254"))
    site = resolved.site(networks={"provision": network})

    line = kernel_line(
        Boot(node, resolved.generation(), node.interfaces[0], "because"),
        Snapshot.build(resolved.REVISION, site, (node,)),
        url="http://10.0.0.1:8080",
        token="TOKEN",
        mac=resolved.MAC1,
    )

    found = [word.removeprefix("prov.gateway=") for word in line.split() if word.startswith("prov.gateway=")]
    assert found == ([gateway] if gateway else [])


def line_over_ipv6(*devices: ResolvedInterface, **changes: object) -> list[str]:
    """The words of the kernel line of a node that has an IPv6 address alone."""
    node = resolved.node6()
    node = node.model_copy(update={"interfaces": (*node.interfaces, *devices)})
    decision = Boot(node, resolved.generation(), node.interfaces[0], "because")
    snapshot = resolved.snapshot6(node, **changes)
    made = replace(writer(), url="http://[fd00::1]:8080").boot(decision, snapshot, TOKENS, mac=resolved.MAC1)
    return next(text for text in made.splitlines() if text.startswith("kernel")).split()


def test_stage_1_of_a_node_with_an_ipv6_address_alone_is_told_ipv6_addresses_and_no_others() -> None:
    words = line_over_ipv6(gateway=IPv4Address("10.0.0.254"), gateway6=IPv6Address("fd00::fe"))

    assert "http://[fd00::1]:8080/t/TOKEN-OF-SCRIPT/kernel" in words
    assert {"prov.url=http://[fd00::1]:8080", "prov.ip=fd00::11/64", "prov.gateway=fd00::fe"} <= set(words)
    assert not [word for word in words if word.startswith("prov.also=") or "10.0." in word]


@pytest.mark.parametrize("to", ["default", IPv6Network("::/0")])
def test_stage_1_sets_no_ipv6_router_where_the_system_has_one_on_another_device(to: Any) -> None:
    second = resolved.interface(resolved.MAC2, 77, name="eth1")
    routed = second.model_copy(update={"routes": (Route(to=to, via=IPv6Address("fd00::fd")),)})

    assert "prov.gateway=fd00::fe" in line_over_ipv6(second, gateway6=IPv6Address("fd00::fe"))
    assert not [
        word
        for word in line_over_ipv6(routed, gateway6=IPv6Address("fd00::fe"))
        if word.startswith("prov.gateway")
    ]


def test_a_node_that_has_both_addresses_speaks_ipv4_from_stage_1_on() -> None:
    node = resolved.node()
    decision = Boot(node, resolved.generation(), node.interfaces[0], "because")
    over6 = replace(writer(), url="http://[fd00::1]:8080")

    text = over6.boot(decision, resolved.snapshot6(node), TOKENS, mac=resolved.MAC1)

    assert "kernel --name kernel http://[fd00::1]:8080/t/" in text
    assert " prov.url=http://10.0.0.1:8080 " in text


def test_a_kernel_argument_that_ipxe_would_act_on_is_refused() -> None:
    with pytest.raises(ProvisionerError, match="means something to iPXE"):
        boot("quiet=${net0/mac}")


def test_a_kernel_line_that_the_kernel_would_cut_off_is_refused() -> None:
    with pytest.raises(ProvisionerError, match="kernel reads 2047"):
        boot(*(f"option{number}=" + "x" * 50 for number in range(40)))


def test_a_machine_boots_by_the_interface_that_asks() -> None:
    second = resolved.interface(resolved.MAC2, 77, name="eth1")
    node = resolved.node(interfaces=(resolved.interface(resolved.MAC1, 1), second))
    decision = Boot(node, resolved.generation(), second, "because")

    text = writer().boot(decision, resolved.snapshot(node), TOKENS, mac=resolved.MAC2)

    assert f"prov.mac={resolved.MAC2} prov.interface=eth1 prov.ip=10.0.1.77/16" in text


def test_an_error_about_an_argument_never_carries_a_token() -> None:
    with pytest.raises(ProvisionerError) as failed:
        boot("||")

    assert "TOKEN" not in failed.value.message


def test_the_digest_of_a_kernel_line_is_that_of_the_line_in_the_script() -> None:
    node = resolved.node(kernel_args=("console=ttyS0", "quiet"))
    decision = Boot(node, resolved.generation(), node.interfaces[0], "because")
    script = writer().boot(decision, resolved.snapshot(node), TOKENS, mac=resolved.MAC1)
    line = next(each for each in script.splitlines() if each.startswith("kernel")).partition("/kernel ")[2]

    shown = line.removesuffix(" || goto failed")

    assert "TOKEN-OF-STAGE1" in shown
    assert line_digest(shown) == written_line(
        decision, resolved.snapshot(node), url="http://10.0.0.1:8080", mac=resolved.MAC1
    )
    assert len(line_digest(shown)) == 32


def test_the_digest_passes_over_what_loaders_add_and_over_nothing_else() -> None:
    assert line_digest("kernel BOOT_IMAGE=(tftp)/k a  b\tinitrd=x prov.token=t\n") == line_digest("a b")
    others = ("a b", "b a", "ab", "a", "a b c", "a b xinitrd=x", "a b kernel=", 'initrd="x a initrd=" b')
    assert len({line_digest(each) for each in others}) == len(others)
