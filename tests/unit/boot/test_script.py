"""Scripts: whole texts, and what they refuse to say."""

from __future__ import annotations

import pytest

from provisioner.boot.script import ScriptTokens, ScriptWriter
from provisioner.config.paths import shipped_data
from provisioner.errors import ProvisionerError
from provisioner.model.address import MacAddress
from provisioner.model.boot import Boot, Refused, Unknown
from provisioner.render.environment import Renderer
from tests.support import resolved
from tests.support.golden import Golden

TOKENS = ScriptTokens("TOKEN-OF-SCRIPT", "TOKEN-OF-STAGE1")


def writer() -> ScriptWriter:
    folder = shipped_data() / "templates"
    return ScriptWriter(Renderer(), lambda name: (folder / f"{name}.ipxe.j2").read_text(), "http://10.0.0.1:8080")


def boot(*kernel_args: str, init: str | None = None) -> str:
    node = resolved.node(kernel_args=kernel_args or ("console=ttyS0",), init=init)
    decision = Boot(node, resolved.generation(), node.interfaces[0], "because")
    return writer().boot(decision, resolved.snapshot(node), TOKENS, mac=resolved.MAC1)


def test_the_script_of_a_node(golden: Golden) -> None:
    golden("boot/node.ipxe", boot())


def test_the_script_for_an_unknown_machine_names_its_mac(golden: Golden) -> None:
    mac = MacAddress("02:00:00:00:00:99")
    golden("boot/unknown.ipxe", writer().unknown(Unknown(mac, "no node has it")))


def test_the_script_for_a_node_that_cannot_boot_says_why_and_what_to_do(golden: Golden) -> None:
    refused = Refused(resolved.node(), "the image x of n001 does not exist", "prov image list")
    golden("boot/refused.ipxe", writer().refused(refused, resolved.MAC1))


def test_what_stage_1_needs_comes_last_on_the_kernel_line() -> None:
    line = next(each for each in boot("prov.url=http://evil").splitlines() if each.startswith("kernel"))

    assert line.index("prov.url=http://evil") < line.index("prov.url=http://10.0.0.1:8080")


def test_a_nodes_own_init_is_what_stage_1_starts() -> None:
    assert " real_init=/sbin/openrc-init " in boot(init="/sbin/openrc-init")


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
