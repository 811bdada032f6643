"""Warewulf's files become a site that means the same, and nothing of them is lost without a word."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config.emit import block
from provisioner.config.marked import MarkedList, MarkedMap, Scalar, Value, parse
from provisioner.config.paths import shipped_data
from provisioner.errors import ConfigError, NotFoundError, ProvisionerError
from provisioner.exchange.warewulf.importer import Imported, import_warewulf
from provisioner.exchange.warewulf.merge import demand_images
from provisioner.exchange.warewulf.overlays import BECOMES, OTHERS, STANDS_FOR
from provisioner.model.resolved import ResolvedInterface, ResolvedNode
from provisioner.registry.load import examine
from tests.support.golden import Golden
from tests.support.site import OVERLAYS, SCRIPTS, catalogue_of, examined
from tests.support.warewulf import meaning, nodes_confs

_SERVER = b"ipaddr: 10.0.0.1\nnetmask: 255.255.0.0\ndhcp: {range start: 10.0.3.1, range end: 10.0.3.99}\n"
# Overlays that the site has of its own.
_OWN = ("lustre", "motd", "users")
_SHIPPED = frozenset(path.name for path in (shipped_data() / "overlays").iterdir())
_EXPECTED_MISSING = ("unknown image",)


def resolved(imported: Imported) -> dict[str, ResolvedNode]:
    """The nodes of an import; anything wrong but missing images and overlays fails the test."""
    files = {name: text.encode() for name, text in imported.files.items()}
    images = catalogue_of("rocky-9", "rocky-8", "debian-12")
    site = examine(files, catalogue=images, overlays=_SHIPPED.union(_OWN), scripts=SCRIPTS)
    assert [each for each in site.problems if not each.message.startswith(_EXPECTED_MISSING)] == []
    assert site.loaded is not None
    return {node.name: node for node in site.loaded.nodes}


def one(text: str, server: bytes | None = _SERVER) -> tuple[dict[str, ResolvedNode], Imported]:
    imported = import_warewulf(text.encode(), server)
    return resolved(imported), imported


def reasons(imported: Imported) -> dict[str, str]:
    return {remark.field: remark.reason for remark in imported.report}


@given(nodes_confs())
def test_a_node_means_the_same_after_the_import(content: dict[str, Any]) -> None:
    nodes = resolved(import_warewulf(block(content).encode(), _SERVER, overlays=_OWN))

    assert set(nodes) == set(content["nodes"])
    for name, node in nodes.items():
        expected = meaning(content, name)
        assert node.image == expected.get("image name")
        assert node.cluster == expected.get("cluster name")
        assert node.init == expected.get("init")
        assert list(node.kernel_args) == expected.get("kernel", {}).get("args", [])
        assert [each for each in node.system_overlays if each not in OVERLAYS - {"motd"}] == expected.get(
            "system overlay", []
        )
        assert list(node.runtime_overlays) == expected.get("runtime overlay", [])
        assert node.tags == expected.get("tags", {})
        assert {key: value for key, value in node.resources.items() if value} == {
            key: value for key, value in expected.get("resources", {}).items() if value
        }
        said = {key: value for key, value in expected["network devices"].items() if any(value.values())}
        _same_devices(node, said)


def _same_devices(node: ResolvedNode, expected: dict[str, dict[str, Any]]) -> None:
    interfaces = {each.name: each for each in node.interfaces}
    assert set(interfaces) == {said.get("device", name) for name, said in expected.items()}
    for name, said in expected.items():
        _same_device(interfaces[said.get("device", name)], said)


def _same_device(interface: ResolvedInterface, said: dict[str, Any]) -> None:
    tags = said.get("tags", {})
    assert str(interface.ip and interface.ip.ip) == str(said.get("ipaddr"))
    assert interface.mac == said.get("hwaddr")
    assert str(interface.mtu) == str(said.get("mtu"))
    assert str(interface.gateway) == str(said.get("gateway"))
    assert interface.onboot is (said.get("onboot", "true") == "true")
    assert [str(each) for each in interface.dns] == list(
        dict.fromkeys(tags[key] for key in ("DNS1", "DNS2") if key in tags)
    )
    assert interface.tags.get("zone") == tags.get("zone")


# Every value is a word that occurs nowhere else, so that it can be found again.
_COMPLETE = """\
WW_INTERNAL: 45
nodeprofiles:
  default:
    comment: commentword
    cluster name: clusterword
    container name: imageword
    ipxe template: ipxeword
    runtime overlay: [generic, runtimeword]
    system overlay: wwinit,systemword
    kernel: {args: argword otherword, override: 5.14.0-word}
    init: /sbin/initword
    root: rootword
    ipmi: {username: userword, password: passwordword, netmask: 255.255.255.0, gateway: 10.8.0.254,
           port: "6231", interface: lanplus, escapechar: "%", write: "true", template: templateword,
                 tags: {vlan: "77", bt: tagword}}
    ipmi ipaddr: UNDEF
    network devices:
      default: {device: eth7, type: Ethernet, onboot: "false", netmask: 255.255.0.0, gateway: 10.0.250.7,
            mtu: "1400",
                tags: {DNS1: 10.7.7.7, DNSSEARCH: searchword.local, zone: zoneword, ipv6_method: methodword}}
      bond: {device: bond7, type: bond, tags: {mode: "4", miimon: "177", xmit_hash_policy: layer3+4}}
      vlan: {device: eth7.55, type: vlan, tags: {vlan_id: "55", parent_device: eth7}}
    resources: {fstab: [{spec: specword}], deep: {inner: innerword}}
    unknownkey: {below: belowword}
  unused: {network devices: {other: {netmask: 255.0.0.0}}, discoverable: true, asset key: wrongword}
nodes:
  n1:
    profiles: [default, missingword]
    discoverable: "false"
    asset key: assetword
    keys: {oldkey: oldword}
    tags: {rack: rackword, "bad key": badword, IPXEMenuEntry: dracutword}
    primary network: default
    ipmi: {ipaddr: 10.8.0.11}
    network devices:
      default: {hwaddr: 52:54:00:00:00:71, ipaddr: 10.0.1.71, ipaddr6: "fd00::71", prefixlen6: "64",
            primary: "true",
                tags: {master: bond7, route1: "192.168.71.0/24,10.0.250.9,7"}}
      ib: {device: ib7, type: infiniband, ipcidr: 10.9.0.71/16,
           hwaddr: "80:00:00:48:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:00:71"}
    disks: {/dev/vdq: {wipe_table: "true", partitions: {scratchword: {number: "7", size_mib: "7168",
          guid: guidword,
            start_mib: "171", type_guid: typeword, wipe_partition_entry: "true", should_exist: "true",
                  resize: "false"}}}}
    filesystems: {/dev/disk/by-partlabel/fsword: {format: btrfs, path: /pathword, wipe_filesystem: "true",
                  label: labelword, uuid: uuidword, options: [optionword], mount_options: "mountword,nodev"}}
  bad_name: {comment: lostword}
"""
# What is said in other words here.
_TRANSLATED = {"45", "Ethernet", "4", "255.255.0.0", "255.255.255.0", "UNDEF", "64", "10.9.0.71/16", "default"}


def test_every_value_is_in_the_new_site_or_in_the_report() -> None:
    imported = import_warewulf(_COMPLETE.encode(), _SERVER)
    texts = "\n".join(imported.files.values())
    spoken = {remark.place for remark in imported.report}

    lost = [
        place
        for place, text in _leaves(parse("x", _COMPLETE).root, ("nodes.conf",))
        if text not in _TRANSLATED
        and not all(word in texts for word in text.replace(",", " ").split())
        and not any(place[:length] in spoken for length in range(1, len(place) + 1))
    ]

    assert lost == []


def test_the_import_of_a_file_with_every_field_reads_as_expected(golden: Golden) -> None:
    imported = import_warewulf(_COMPLETE.encode(), _SERVER)

    resolved(imported)
    golden("exchange/warewulf-site.txt", "".join(f"# {name}\n{text}" for name, text in imported.files.items()))
    golden("exchange/warewulf-report.txt", "".join(f"{remark}\n" for remark in imported.report))


def _leaves(value: Value | None, place: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, MarkedMap):
        return [leaf for pair in value.pairs for leaf in _leaves(pair.value, (*place, pair.key.text or ""))]
    if isinstance(value, MarkedList):
        return [leaf for index, item in enumerate(value.items) for leaf in _leaves(item, (*place, index))]
    return [(place, value.text)] if isinstance(value, Scalar) and value.text else []


def test_tags_of_devices_become_typed_fields() -> None:
    nodes, _ = one(_COMPLETE)
    found = {each.name: each for each in nodes["n1"].interfaces}

    bond, vlan = found["bond7"].bond, found["eth7.55"].vlan
    assert bond is not None
    assert vlan is not None
    assert (bond.members, bond.mode, bond.miimon) == (("eth7",), "802.3ad", 177)
    assert (vlan.id, vlan.parent) == (55, "eth7")
    assert [(str(each.to), str(each.via), each.metric) for each in found["eth7"].routes] == [
        ("192.168.71.0/24", "10.0.250.9", 7)
    ]
    assert found["eth7"].tags["netname"] == "default"


def test_networks_come_from_netmasks_and_the_server() -> None:
    imported = import_warewulf(_COMPLETE.encode(), _SERVER)
    site = examined(dict(imported.files)).loaded

    assert site is not None
    networks = {name: (str(each.cidr), str(each.dhcp)) for name, each in site.site.networks.items()}
    assert networks == {
        "provision": ("10.0.0.0/16", "authoritative"),
        "bmc": ("10.8.0.0/24", "off"),
        "ib": ("10.9.0.0/16", "off"),
    }
    assert str(site.site.networks["provision"].pool) == "10.0.3.1-10.0.3.99"


def test_profiles_that_nest_each_other_keep_their_order() -> None:
    text = """\
nodeprofiles:
  a: {profiles: [b], tags: {t: a}}
  b: {profiles: [a], tags: {t: b}}
nodes: {n1: {profiles: [a]}, n2: {profiles: [b]}}
"""
    nodes, imported = one(text)

    assert (nodes["n1"].groups, nodes["n2"].groups) == (("b", "a"), ("a", "b"))
    assert (nodes["n1"].tags, nodes["n2"].tags) == ({"t": "a"}, {"t": "b"})
    assert "lead back" in reasons(imported)["nodeprofiles.a.profiles"]


def test_what_an_old_file_took_back_stays_taken_back() -> None:
    text = """\
WW_INTERNAL: 43
nodeprofiles: {default: {container name: rocky-9, tags: {t: x}, kernel args: quiet x}}
nodes: {n1: {container name: UNDEF, tags: {t: UNSET}, kernel args: y}}
"""
    nodes, _ = one(text)

    assert (nodes["n1"].image, nodes["n1"].tags, nodes["n1"].kernel_args) == (None, {}, ("y",))


@pytest.mark.parametrize(
    ("node", "field", "reason"),
    [
        (
            "{network devices: {a: {ipaddr: 10.0.0.1, netmask: 255.255.0.0}}}",
            "a.ipaddr",
            "the address of the server",
        ),
        (
            "{network devices: {a: {ipaddr: 10.0.3.5, netmask: 255.255.0.0}}}",
            "range start",
            "holds addresses of nodes",
        ),
        ("{network devices: {a: {device: lo}}}", "network devices.a", "not an interface"),
        ("{network devices: {a: {hwaddr: '01:00:5e:00:00:01'}}}", "a.hwaddr", "names a group"),
        ("{network devices: {a: {device: e}, b: {device: e}}}", "network devices.b", "is the device of a already"),
        ("{network devices: {a: {type: vlan}}}", "a.type", "vlan_id"),
        ("{kernel: {args: ['${x}']}}", "kernel.args.0", "iPXE"),
        ("{ipxe template: mine}", "ipxe template", "Jinja"),
        ("{network devices: [1, 2]}", "network devices", "expected a mapping"),
        ("{image name: [1]}", "image name", "expected one text"),
    ],
)
def test_what_cannot_be_carried_is_named_with_its_reason(node: str, field: str, reason: str) -> None:
    _, imported = one(f"nodes:\n  n1: {node}\n")

    found = [each for each in imported.report if each.field.endswith(field) and reason in each.reason]
    assert found
    assert found[0].line > 0


def remarks_on(imported: Imported, end: str) -> list[tuple[str, str]]:
    return [(each.reason, each.advice) for each in imported.report if each.field.endswith(end)]


def test_every_overlay_that_is_shipped_here_is_known_to_the_import() -> None:
    assert {*BECOMES.values(), *STANDS_FOR.values(), *OTHERS} <= _SHIPPED
    assert {*BECOMES.values(), *STANDS_FOR, *OTHERS} >= _SHIPPED
    assert OTHERS.isdisjoint({*BECOMES, *STANDS_FOR})


def test_overlays_that_warewulf_ships_become_ours() -> None:
    nodes, imported = one(
        "nodeprofiles:\n  p: {system overlay: [wwinit, hosts, chrony, sfdisk, mkfs, systemd.mount, ignition]}\n"
        "nodes:\n  n1: {profiles: [p], runtime overlay: [fstab, localtime], system overlay: [~chrony, ~mkfs]}\n"
        "  n2: {system overlay: [fstab, systemd.mount]}\n"
    )

    n1, n2 = nodes["n1"], nodes["n2"]
    assert n1.system_overlays == ("hostname", "hosts", "network", "ssh", "agent", "disks", "mounts")
    assert n1.runtime_overlays == ("fstab", "localtime")
    assert n2.system_overlays[-2:] == ("agent", "fstab")
    (kept,) = remarks_on(imported, "nodes.n1.system overlay.1")
    assert kept == (
        "the overlay disks stays, which does more than mkfs did",
        "prov node set n1 overlays.system+=~disks",
    )


@pytest.mark.parametrize("own", [(), ("mine",)])
def test_an_overlay_that_the_site_does_not_have_is_left_out_and_named(own: tuple[str, ...]) -> None:
    text = b"nodes:\n  n1: {system overlay: [mine, slurm, ~mine]}\n  n2: {runtime overlay: [mine, hosts]}\n"
    imported = import_warewulf(text, _SERVER, overlays=own)
    written = "".join(imported.files.values())

    assert ("mine" in written) is bool(own)
    assert "slurm" not in written
    if not own:
        ((reason, advice),) = remarks_on(imported, "nodes.n2.runtime overlay.0")
        assert reason == "the overlay mine has to be brought along, so it is left out"
        assert advice.endswith("then: prov node set n2 overlays.runtime+=mine")
    ((reason, _),) = remarks_on(imported, "nodes.n1.system overlay.1")
    assert "the name of another overlay here" in reason


def test_lines_of_fstab_get_the_words_of_the_overlay_fstab() -> None:
    nodes, imported = one("""\
nodes:
  n1:
    resources:
      fstab:
        - {spec: "warewulf:/home", file: /home, vfstype: nfs, mntops: "defaults,nofail", freq: 0, passno: 0}
        - {spec: tmpfs, file: /scratch}
        - {odd: line}
""")

    assert nodes["n1"].resources["fstab"] == [
        {"device": "warewulf:/home", "path": "/home", "format": "nfs", "options": ["defaults", "nofail"]},
        {"device": "tmpfs", "path": "/scratch"},
        {"odd": "line"},
    ]
    reasons_given = {reason for reason, _ in remarks_on(imported, "resources.fstab")}
    assert reasons_given == {
        "`warewulf` is the server's name there; here it is `provisioner`",
        "a line of it is carried, but the overlay fstab does not know its words",
    }


def test_one_address_of_a_profile_for_many_nodes_is_one_remark() -> None:
    nodes, imported = one(
        "nodeprofiles: {p: {ipmi: {ipaddr: 10.7.0.1}}}\n"
        "nodes: {n1: {profiles: [p]}, n2: {profiles: [p]}, n3: {profiles: [p], ipmi: {ipaddr: 10.0.7.3}}}\n"
    )

    assert [(remark.field, remark.reason) for remark in imported.report] == [
        ("nodeprofiles.p.ipmi.ipaddr", "2 nodes would have it, n1 the first; none of them gets it")
    ]
    assert [node.bmc and node.bmc.ip and str(node.bmc.ip.ip) for node in nodes.values()] == [
        None,
        None,
        "10.0.7.3",
    ]


def test_an_interface_that_is_called_as_its_netname_is_named() -> None:
    text = "{network devices: {default: {hwaddr: '52:54:00:00:00:0%d'}, lan: {device: eth0, mtu: 1500}}}"
    _, imported = one(f"nodes:\n  n1: {text % 1}\n  n2: {text % 2}\n")

    found = [each for each in imported.report if "no device is named" in each.reason]
    assert [each.field for each in found] == [f"nodes.n{number}.network devices.default" for number in (1, 2)]


@pytest.mark.parametrize("name", ["../x", "a/b", "x y", "x\ny"])
def test_advice_about_a_boot_script_names_no_path_elsewhere(name: str) -> None:
    _, imported = one(f"nodes:\n  n1: {{ipxe template: {json.dumps(name)}}}\n")

    ((_, advice),) = remarks_on(imported, "ipxe template")
    assert advice == "write templates/NAME.ipxe.j2, then: prov node set n1 script=NAME"


def test_an_import_that_names_missing_images_says_how_to_get_them() -> None:
    imported = import_warewulf(b"nodeprofiles: {p: {image name: rocky-9}}\nnodes: {n1: {image name: rocky-8}}\n")

    with pytest.raises(NotFoundError, match="does not have the images rocky-9") as caught:
        demand_images(imported, catalogue_of("rocky-8"))

    assert "-o DIR" in str(caught.value.hint)
    assert "prov image import SOURCE rocky-9" in str(caught.value.hint)
    demand_images(imported, catalogue_of("rocky-8", "rocky-9"))


def test_an_address_or_mac_that_two_nodes_have_goes_to_the_first() -> None:
    device = "{lan: {device: eth0, hwaddr: '52:54:00:00:00:01', ipaddr: 10.0.1.1, netmask: 255.255.0.0}}"
    nodes, imported = one(f"nodes: {{n1: {{network devices: {device}}}, n2: {{network devices: {device}}}}}\n")

    assert (nodes["n1"].interfaces[0].ip, nodes["n2"].interfaces[0].ip) != (None, None)
    assert nodes["n2"].interfaces[0].mac is None
    assert reasons(imported)["nodes.n2.network devices.lan.hwaddr"] == "n1 has it already"


def test_a_report_shows_no_password() -> None:
    _, imported = one(_COMPLETE)

    assert "passwordword" not in "\n".join(map(str, imported.report))
    assert any("passwordword" in text for text in imported.files.values())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"nodes: [a]",
        b"nodeprofiles: text",
        b"\xff\xfe",
        b"a: &a [*a]",
        b"a: &a [x]\nb: [*a, *a]\n",
        b"nodes: {a: 1",
        b"[" * 100_000,
        b"nodes: {" + b"x" * (9 << 20) + b": }",
    ],
    ids=["empty", "list", "nodes-list", "profiles-text", "not-utf8", "alias", "bomb", "cut", "brackets", "huge"],
)
def test_a_file_that_is_none_of_warewulf_is_one_clear_error(content: bytes) -> None:
    with pytest.raises(ConfigError):
        import_warewulf(content)


def test_a_chain_of_a_thousand_profiles_is_refused() -> None:
    profiles = "".join(f"  p{number}: {{profiles: [p{number + 1}]}}\n" for number in range(1000))

    with pytest.raises(ProvisionerError, match="nested deeper"):
        import_warewulf(f"nodeprofiles:\n{profiles}nodes: {{n1: {{profiles: [p0]}}}}\n".encode())


_KEYS = [
    *(
        "profiles",
        "comment",
        "image name",
        "container name",
        "ipxe template",
        "root",
        "kernel",
        "kernel args",
        "ipmi",
    ),
    *("network devices", "tags", "keys", "resources", "disks", "filesystems", "system overlay", "primary network"),
    *(
        "device",
        "type",
        "hwaddr",
        "ipaddr",
        "netmask",
        "ipcidr",
        "ipaddr6",
        "args",
        "vlan_id",
        "master",
        "DNS1",
        "lan",
    ),
    *("/dev/sda", "partitions", "mount_options", "path", "default", "~x", "primary"),
]
_TEXTS = st.sampled_from(
    [
        *(
            "true",
            "UNDEF",
            "~default",
            "default",
            "10.0.0.1",
            "10.0.0.9",
            "300.1.2.3",
            "255.255.0.0",
            "null",
            "/24",
        ),
        *("bond", "eth0", "52:54:00:00:00:01", "", "a,b", "-1", "99999999999", "fd00::1", "{{ x }}", "vlan"),
    ]
)
_TREES = st.recursive(
    _TEXTS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4)
)


@given(
    st.dictionaries(st.sampled_from(["default", "x", "a b", "~y"]), _TREES, max_size=3),
    st.dictionaries(st.sampled_from(["n1", "N1", "n2.a.b", "n[1-2]", "localhost", ""]), _TREES, max_size=4),
)
def test_odd_types_everywhere_never_break_the_import(profiles: dict[str, Any], nodes: dict[str, Any]) -> None:
    imported = import_warewulf(block({"nodeprofiles": profiles, "nodes": nodes}).encode(), _SERVER)

    resolved(imported)


@given(_TREES)
def test_an_odd_server_file_never_breaks_the_import(tree: Any) -> None:
    server = block({"ipaddr": "10.0.0.1", "dhcp": tree, "netmask": tree, "ipaddr6": tree, "fqdn": tree})

    resolved(import_warewulf(b"nodes: {n1: }\n", server.encode()))


def test_nothing_depends_on_the_order_of_profiles_in_the_file() -> None:
    entries = ["  a: {tags: {t: a}}", "  b: {profiles: [a], tags: {t: b}}", "  c: {profiles: [b, a]}"]
    results = set()
    for seed in range(3):
        random.Random(seed).shuffle(entries)
        nodes, _ = one("nodeprofiles:\n" + "\n".join(entries) + "\nnodes: {n1: {profiles: [c]}}\n")
        results.add((nodes["n1"].groups, tuple(nodes["n1"].tags.items())))

    assert results == {(("a", "b", "c"), (("t", "b"),))}
