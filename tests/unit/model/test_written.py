"""What people may write, value by value."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from provisioner.model.device import Interface
from provisioner.model.name import Domain, ImageRef, InterfaceName, KernelArgument, Name
from provisioner.model.written import Network, NodeEntry


def refused(kind: Any, text: str) -> str:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(text)
    return str(caught.value)


@pytest.mark.parametrize("kind", [Name, InterfaceName, Domain, ImageRef])
@pytest.mark.parametrize("letter", ["\N{KELVIN SIGN}", "\N{LATIN SMALL LETTER LONG S}", "\N{FULLWIDTH DIGIT ONE}"])
def test_letters_that_only_look_like_ascii_are_refused(kind: Any, letter: str) -> None:
    assert TypeAdapter(kind).validate_python("Kn1") == "Kn1"
    assert "is not" in refused(kind, f"{letter}n1")


@pytest.mark.parametrize("name", ["eth0", "enp129s0f1np1", "bond0.100", "a" * 15])
def test_what_linux_calls_an_interface_is_one(name: str) -> None:
    assert TypeAdapter(InterfaceName).validate_python(name) == name


@pytest.mark.parametrize("name", ["a" * 16, "e/0", "lo", "", ".", "..", "eth0\n"])
def test_what_linux_cannot_call_an_interface_is_refused(name: str) -> None:
    assert "is not an interface" in refused(InterfaceName, name)


def test_a_domain_has_at_most_253_characters() -> None:
    longest = ".".join(["a" * 62] * 4) + ".a"

    assert len(TypeAdapter(Domain).validate_python(longest)) == 253
    assert "at most 253" in refused(Domain, f"{longest}b")


@pytest.mark.parametrize(
    "mac", ["01:00:5e:00:00:01", "33:33:00:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"]
)
def test_a_mac_that_no_machine_has_is_refused(mac: str) -> None:
    with pytest.raises(ValidationError, match="is of no machine"):
        Interface.model_validate({"mac": mac})


@pytest.mark.parametrize("argument", ["||", "&&", "|", "&", ";", "#", "#x", "${net0/mac}", "a=${b}"])
def test_a_kernel_argument_that_ipxe_would_act_on_is_refused(argument: str) -> None:
    assert "has a meaning of its own in iPXE" in refused(KernelArgument, argument)


@pytest.mark.parametrize("argument", ["prov.token=x", "root=/dev/sda1"])
def test_a_kernel_argument_of_the_product_is_refused(argument: str) -> None:
    assert "is not yours to set" in refused(KernelArgument, argument)


@pytest.mark.parametrize(
    "argument", ["console=ttyS0,115200n8", "quiet", "a=b;c", "x=a||b", "a#b", "$x", "rootwait", "rd.shell=1"]
)
def test_other_kernel_arguments_are_fine(argument: str) -> None:
    assert TypeAdapter(KernelArgument).validate_python(argument) == argument


@pytest.mark.parametrize("character", ["\x1b", "\n", "\t", "\x00", "\x9b", "\u2028"])
@pytest.mark.parametrize("where", ["tags", "comment", "interfaces", "bmc"])
def test_a_control_character_in_a_tag_or_comment_is_refused(where: str, character: str) -> None:
    text = f"a{character}b"
    entry = {
        "tags": {"tags": {"rack": text}},
        "comment": {"comment": text},
        "interfaces": {"interfaces": {"eth0": {"tags": {"port": text}}}},
        "bmc": {"bmc": {"tags": {"port": text}}},
    }

    with pytest.raises(ValidationError, match="without control characters"):
        NodeEntry.model_validate(entry[where])


def test_a_tag_may_be_empty_long_and_of_any_language() -> None:
    tags = {"a": "", "b": "x" * 5000, "c": "Höhle 7, жёлтый"}

    assert NodeEntry.model_validate({"tags": tags}).tags == tags


@pytest.mark.parametrize(("written", "one_port"), [({}, False), ({"tftp": {"one_port": "true"}}, True)])
def test_a_network_may_want_all_of_tftp_from_one_port(written: dict[str, Any], one_port: bool) -> None:
    network = TypeAdapter(Network).validate_python({"cidr": "10.0.0.0/16", **written})

    assert network.tftp.one_port is one_port
