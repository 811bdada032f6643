"""Boots rehearsed: what goes well, and everything that stands in a machine's way."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, NotFoundError
from provisioner.image.store import artifact_path, catalogue
from provisioner.model.catalogue import Catalogue
from provisioner.operations.firmware import Asker
from provisioner.operations.rehearsal import Step
from provisioner.operations.simulate import Outcome, Simulation, simulate
from provisioner.trust.hostkey import host_key
from provisioner.trust.importedkeys import ImportedKeys
from provisioner.trust.sitekey import KEY_BYTES, SiteKey
from tests.support.bootable import GROUPS, NODES, SITE, bootable, write

SCRIPT = "#!ipxe\nkernel {{ url }}/t/{{ token }}/kernel {{ kernel_line | ipxe }}\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return bootable(tmp_path / "site")


def rehearsed(
    paths: Paths, nodeset: str | None = None, *askers: Asker, images: Catalogue | None = None
) -> Simulation:
    return simulate(paths, images or catalogue(paths), nodeset, askers=askers or None)


def only(simulation: Simulation) -> Outcome:
    (outcome,) = simulation.outcomes
    return outcome


def problem(paths: Paths, nodeset: str = "n1", *askers: Asker) -> Step:
    """The one problem of a node."""
    (step,) = only(rehearsed(paths, nodeset, *askers)).problems
    return step


def test_a_boot_goes_from_the_first_packet_to_the_overlays(paths: Paths) -> None:
    outcome = only(rehearsed(paths, "n1"))

    assert not outcome.problems
    assert [(step.what, step.said) for step in outcome.steps] == [
        ("dhcp bios", "10.0.1.1 and undionly.kpxe"),
        ("loader", "undionly.kpxe by TFTP, 4 bytes"),
        ("dhcp uefi", "10.0.1.1 and snponly.efi"),
        ("loader", "snponly.efi by TFTP, 3 bytes"),
        ("dhcp uefi-http", "10.0.1.1 and http://10.0.0.1:8080/loader/snponly.efi"),
        ("loader", "snponly.efi by HTTP, 3 bytes"),
        ("dhcp ipxe", "10.0.1.1 and http://10.0.0.1:8080/boot/52-54-00-00-00-01"),
        ("decision", "boots demo@1, kernel 6.1.0-1-cloud-amd64"),
        ("script", "templates/boot.ipxe.j2"),
        ("kernel line", "short enough"),
        ("kernel", "14000 bytes, digest right"),
        ("stage1", "30000 bytes, digest right"),
        ("sheet", "answered"),
        ("root", "500 bytes, digest right"),
        ("overlay/system", outcome.steps[-2].said),
        ("overlay/runtime", "1 file"),
    ]


def test_nodes_that_fare_alike_stand_together_and_those_with_problems_come_first(paths: Paths) -> None:
    write(paths, "nodes.d/n.yaml", NODES.replace('00:03"}}', '00:03"}}, image: gone'))

    failing, going = rehearsed(paths).outcomes

    assert (failing.folded, going.folded) == ("n3", "n[1-2]")
    assert ("dhcp bios", "{ip} and undionly.kpxe") in [(step.what, step.said) for step in going.steps]
    assert rehearsed(paths).has_problems
    assert not rehearsed(paths, "n[1-2]").has_problems


def test_the_image_that_does_not_exist_refuses_the_node(paths: Paths) -> None:
    step = only(rehearsed(paths, "n1", images=Catalogue())).problems[0]

    assert (step.what, step.problem, step.hint) == (
        "decision",
        "the image demo of n1 does not exist",
        "prov image list",
    )


def test_only_the_firmware_that_is_asked_for_asks_and_ipxe_behind_it(paths: Paths) -> None:
    steps = only(rehearsed(paths, "n1", Asker.BIOS)).steps

    assert [step.what for step in steps if step.what.startswith("dhcp")] == ["dhcp bios", "dhcp ipxe"]


def test_a_loader_that_is_not_there_is_a_problem(paths: Paths) -> None:
    step = problem(paths, "n1", Asker.ARM64_HTTP)

    assert (step.what, step.problem) == ("loader", "snponly-arm64.efi is not there")
    assert "apt-get install ipxe" in step.hint


def test_a_node_without_a_mac_is_no_machine(paths: Paths) -> None:
    write(paths, "nodes.d/n.yaml", NODES.replace("n[1-3]", "n[1-4]"))

    step = problem(paths, "n4")

    assert step.problem.startswith("n4 has no MAC")
    assert step.hint == "prov node set n4 --mac MAC"


def test_a_node_without_an_address_gets_no_answer_and_is_refused(paths: Paths) -> None:
    write(
        paths,
        "nodes.d/n.yaml",
        'nodes: {n1: {groups: [compute], interfaces: {eth0: {mac: "52:54:00:00:00:01"}}}}\n',
    )

    problems = only(rehearsed(paths, "n1")).problems

    assert problems[0].problem.startswith("no answer: n1 has no address on the network provision")
    assert problems[-1].what == "decision"


@pytest.mark.parametrize("ports", ["dhcp", "tftp"])
def test_a_service_that_is_switched_off_is_a_problem_for_who_needs_it(paths: Paths, ports: str) -> None:
    write(paths, "provisioner.yaml", f"{SITE}ports: {{{ports}: 0}}\n")

    problems = only(rehearsed(paths, "n1", Asker.BIOS)).problems

    assert {step.problem for step in problems} == {f"{ports.upper()} is switched off"}


def test_where_another_server_gives_addresses_nothing_is_asked_of_this_one(paths: Paths) -> None:
    write(paths, "provisioner.yaml", SITE.replace("domain:", "dhcp: off, domain:"))

    outcome = only(rehearsed(paths, "n1", Asker.BIOS))

    assert not outcome.problems
    assert outcome.steps[0] == Step("dhcp bios", "another server's: the network has dhcp: off")


def test_a_file_of_the_image_that_is_missing_short_or_damaged_is_a_problem(paths: Paths) -> None:
    generation = catalogue(paths).generations["demo"][1]
    artifact_path(paths, generation.boot_set.kernel.digest).unlink()
    root = artifact_path(paths, generation.boot_set.root.digest)
    root.chmod(0o644)
    root.write_bytes(b"ROOT " * 100)
    stage1 = artifact_path(paths, generation.boot_set.stage1.digest)
    stage1.chmod(0o644)
    stage1.write_bytes(b"short")

    problems = {step.what: step.problem for step in only(rehearsed(paths)).problems}

    assert problems.keys() == {"kernel", "stage1", "root"}
    assert problems["kernel"].endswith("is missing")
    assert problems["stage1"].endswith("has 5 bytes and not 30000")
    assert "is damaged: its content has the digest sha256:" in problems["root"]


@pytest.mark.parametrize(
    ("script", "what", "words"),
    [
        ("{{ node.nothing }}", "script", "templates/boot.ipxe.j2:1:"),
        (
            f"{SCRIPT}imgfetch {{{{ url }}}}/t/{{{{ token }}}}/kernle",
            "fetch",
            "this site answers nothing at /t/TOKEN/kernle",
        ),
        (f"{SCRIPT}chain {{{{ url }}}}/loader/none.efi", "loader", "none.efi is not there"),
        (f"{SCRIPT}chain {{{{ url }}}}/boot/abc", "fetch", "is not a MAC address"),
        (f"{SCRIPT}chain http://10.0.0.1/x", "fetch", "this site answers at port 8080"),
        (
            f"{SCRIPT}imgfetch {{{{ url }}}}/t/{{{{ token }}}}/root",
            "fetch",
            "a token of stage script does not open root",
        ),
        (f"{SCRIPT}imgfetch {{{{ url }}}}/t/forged.token/kernel", "fetch", "kernel: "),
        ("kernel {{ url }}/t/{{ token }}/kernel quiet", "stage 1", "gives no kernel line"),
    ],
)
def test_every_url_of_a_script_must_lead_to_something(paths: Paths, script: str, what: str, words: str) -> None:
    write(paths, "templates/boot.ipxe.j2", f"{script}\n")

    step = problem(paths, "n1", Asker.IPXE)

    assert step.what == what
    assert words in step.problem
    assert step.hint


def test_urls_of_others_and_those_that_ipxe_completes_are_let_alone(paths: Paths) -> None:
    more = "chain http://mirror.example/x\nchain {{ url }}/boot/${netX/mac:hexhyp}\n"
    write(paths, "templates/boot.ipxe.j2", SCRIPT + more)

    outcome = only(rehearsed(paths, "n1", Asker.IPXE))

    assert not outcome.problems
    assert Step("fetch", "http://mirror.example/x is not of this site: not looked at") in outcome.steps


def test_a_kernel_line_that_is_too_long_is_a_problem(paths: Paths) -> None:
    write(paths, "groups.d/g.yaml", GROUPS.replace("quiet", "x" * 2000))

    assert "the kernel line of n1 has" in problem(paths).problem


def test_an_overlay_that_cannot_be_rendered_is_a_problem_with_its_line(paths: Paths) -> None:
    write(paths, "overlays/own/rootfs/etc/own.j2", "one\n{{ node.tags.nothing }}\n")
    write(paths, "groups.d/g.yaml", GROUPS.replace("runtime: [hosts]", "system: [own]"))

    step = problem(paths)

    assert step.what == "overlay/system"
    assert step.problem.startswith("overlays/own/rootfs/etc/own.j2:2:")


def test_a_site_with_mistakes_is_not_rehearsed(paths: Paths) -> None:
    write(paths, "nodes.d/n.yaml", NODES.replace("[compute]", "[nobody]"))

    with pytest.raises(ConfigError, match="unknown group 'nobody'"):
        rehearsed(paths)


def test_a_node_that_does_not_exist_is_an_error(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match="there is no node n9"):
        rehearsed(paths, "n9")


def test_without_a_site_key_no_digest_of_an_overlay_is_told_and_no_key_is_made(paths: Paths) -> None:
    # Publishing the image has made it, to sign.
    shutil.rmtree(paths.keys)
    before = only(rehearsed(paths, "n1")).steps[-2].detail
    assert not paths.keys.exists()

    SiteKey.load_or_create(paths.keys)

    assert "sha256" not in before
    assert "sha256" in only(rehearsed(paths, "n1")).steps[-2].detail


def test_the_digest_of_an_overlay_is_that_with_the_host_keys_that_were_taken_over(paths: Paths) -> None:
    SiteKey.load_or_create(paths.keys)
    before = only(rehearsed(paths, "n1")).steps[-2].detail

    ImportedKeys(paths.keys).keep("n1", {"ed25519": host_key(SiteKey(b"o" * KEY_BYTES), "n1")})

    assert only(rehearsed(paths, "n1")).steps[-2].detail != before


def test_a_simulation_is_plain_data_for_programs(paths: Paths) -> None:
    (outcome,) = rehearsed(paths, "n1").record()["outcomes"]

    assert (outcome["nodes"], outcome["count"], outcome["boots"]) == ("n1", 1, True)
    assert outcome["steps"][0]["what"] == "dhcp bios"
    assert outcome["script"].startswith("#!ipxe")


def speaking_ipv6(paths: Paths, ip6: str) -> Paths:
    """The network gives out IPv6 addresses, and n1 has this one written."""
    write(
        paths,
        "provisioner.yaml",
        SITE.replace("provision: {", "provision: {cidr6: 'fd00::/64', dhcp6: authoritative, "),
    )
    write(paths, "nodes.d/zz.yaml", f"nodes:\n  n1: {{interfaces: {{eth0: {{{ip6}}}}}}}\n")
    return paths


def test_what_dhcpv6_answers_is_told_beside_what_dhcp_does(paths: Paths) -> None:
    outcome = only(rehearsed(speaking_ipv6(paths, "ip6: 'fd00::11'"), "n1"))

    assert not outcome.problems
    assert [(step.what, step.said) for step in outcome.steps if step.what.startswith("dhcpv6")] == [
        ("dhcpv6 uefi", "fd00::11 and tftp://[fd00::1]/snponly.efi"),
        ("dhcpv6 uefi-http", "fd00::11 and http://[fd00::1]:8080/loader/snponly.efi"),
        ("dhcpv6 ipxe", "fd00::11 and http://[fd00::1]:8080/boot/52-54-00-00-00-01"),
    ]


def test_a_node_without_an_ipv6_address_still_boots_by_ipv4_and_is_told_so(
    paths: Paths,
) -> None:
    outcome = only(rehearsed(speaking_ipv6(paths, "mtu: 1500"), "n1", Asker.UEFI))

    assert not outcome.problems
    step = next(step for step in outcome.steps if step.what == "dhcpv6 uefi")
    assert step.said.startswith("no answer: n1 has no")
    assert step.hint == "prov node set n1 --interface eth0 --ip6 ADDRESS"


def test_a_node_with_an_ipv6_address_alone_is_rehearsed_over_ipv6_alone(paths: Paths) -> None:
    speaking_ipv6(paths, "ip6: 'fd00::11'")
    write(paths, "nodes.d/n.yaml", NODES.replace("n[1-3]", "n[2-3]").replace("n1: {", "n1: {groups: [compute], "))

    outcome = only(rehearsed(paths, "n1"))

    assert not outcome.problems
    said = [(step.what, step.said) for step in outcome.steps]
    assert ("dhcp bios", "not asked: the node has an IPv6 address alone") in said
    over6 = said.index(("dhcpv6 uefi", "fd00::11 and tftp://[fd00::1]/snponly.efi"))
    assert said[over6 + 1] == ("loader", "snponly.efi by TFTP, 3 bytes")
    assert ("dhcpv6 uefi-http", "fd00::11 and http://[fd00::1]:8080/loader/snponly.efi") in said
    assert {"kernel", "stage1", "sheet", "root", "overlay/system"} <= {what for what, _ in said}


def test_a_loader_that_a_node_with_an_ipv6_address_alone_cannot_get_is_a_problem(paths: Paths) -> None:
    speaking_ipv6(paths, "ip6: 'fd00::11'")
    write(paths, "nodes.d/n.yaml", NODES.replace("n[1-3]", "n[2-3]").replace("n1: {", "n1: {groups: [compute], "))

    assert problem(paths, "n1", Asker.ARM64_HTTP).problem == "snponly-arm64.efi is not there"
