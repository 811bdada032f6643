"""Whatever devices a node has: every backend makes files that its language allows, and no value adds anything."""

from __future__ import annotations

import configparser
import re
import shlex
from collections import Counter
from functools import cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.config.paths import Paths
from provisioner.model.device import Bond, BondMode, DeviceType, Infiniband, Route, Vlan
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.overlay.context import Identity, Surroundings
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import collect
from provisioner.render.environment import Renderer, RenderError
from provisioner.trust.sitekey import SiteKey
from tests.support import netmatrix, resolved
from tests.support.netmatrix import BACKENDS, SITE, device, mac

_IDENTITY = Identity(SiteKey(b"k" * 32))
_HOSTILE = (
    "eth0\nx",
    "eth0\r",
    "e th",
    "[x]",
    "a;b",
    "a#b",
    "$(id)",
    "`id`",
    "a'b",
    'a"b',
    "../x",
    "é",
    "a/b",
    "",
)

hosts = st.integers(1, 250)
some = st.booleans()


@cache
def library(folder: Path) -> Library:
    return Library(WrittenFiles(collect(Paths.below(folder))), RenderMemo(Renderer()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


def made(folder: Path, name: str, node: ResolvedNode) -> dict[str, str]:
    snapshot = Snapshot.build(resolved.REVISION, SITE, (node,))
    return netmatrix.texts(library(folder).tree([name], Surroundings(snapshot, _IDENTITY).context(node)))


def routes(number: int) -> st.SearchStrategy[tuple[Route, ...]]:
    via4, via6 = IPv4Address(f"10.{number}.0.254"), IPv6Address(f"fd{number:02x}::fe")
    metric = st.none() | st.integers(0, 2**32 - 1)
    four = st.builds(
        Route, to=st.sampled_from(["default", IPv4Network("172.16.0.0/12")]), via=st.just(via4), metric=metric
    )
    six = st.builds(
        Route, to=st.sampled_from(["default", IPv6Network("fd99::/48")]), via=st.just(via6), metric=metric
    )
    return st.lists(four | six, max_size=2, unique_by=lambda route: str(route.to)).map(tuple)


def shared(number: int) -> dict[str, st.SearchStrategy[Any]]:
    """Fields that any device may have, in networks of its own."""
    return {
        "network": st.sampled_from(["provision", "storage", ""]),
        "ip": st.none() | hosts.map(lambda host: IPv4Interface(f"10.{number}.0.{host}/24")),
        "ip6": st.none() | hosts.map(lambda host: IPv6Interface(f"fd{number:02x}::{host:x}/64")),
        "mtu": st.none() | st.integers(1280, 9000),
        "gateway": st.none() | st.just(IPv4Address(f"10.{number}.0.253")),
        "gateway6": st.none() | st.just(IPv6Address("fe80::1")),
        "dns": st.lists(st.sampled_from([IPv4Address("10.0.0.53"), IPv6Address("fd00::53")]), unique=True).map(
            tuple
        ),
        "search": st.lists(st.sampled_from(["a.example", "b.example"]), unique=True).map(tuple),
        "routes": routes(number),
        "onboot": some,
    }


bond_settings = {
    "mode": st.none() | st.sampled_from(BondMode),
    "miimon": st.none() | st.integers(0, 1000),
    "updelay": st.none() | st.integers(0, 1000),
    "downdelay": st.none() | st.integers(0, 1000),
    "lacp_rate": st.none() | st.sampled_from(["slow", "fast"]),
    "xmit_hash_policy": st.none() | st.sampled_from(["layer2", "layer3+4", "vlan+srcmac"]),
}


@st.composite
def nodes(draw: st.DrawFn, *, partitions: bool = True) -> ResolvedNode:
    """A node with up to four NICs, some of them in bonds, VLANs on whatever is there, and InfiniBand perhaps."""
    nics = [
        device(f"eth{number}", mac=mac(number), **draw(st.fixed_dictionaries(shared(number))))
        for number in range(draw(st.integers(1, 4)))
    ]
    place = {each.name: draw(st.sampled_from(["", "bond0", "bond1"])) for each in nics}
    bonds = [
        device(
            name,
            type=DeviceType.BOND,
            bond=Bond(
                members=tuple(nic for nic in place if place[nic] == name),
                **draw(st.fixed_dictionaries(bond_settings)),
            ),
            **draw(st.fixed_dictionaries(shared(20 + number))),
        )
        for number, name in enumerate(sorted(set(place.values()) - {""}))
    ]
    parents = [*(name for name, master in place.items() if not master), *(each.name for each in bonds)]
    vlans = [
        device(
            f"v{number}.{number}",
            type=DeviceType.VLAN,
            vlan=Vlan(id=draw(st.integers(1, 4094)), parent=draw(st.sampled_from(parents))),
            **draw(st.fixed_dictionaries(shared(40 + number))),
        )
        for number in range(draw(st.integers(0, 2)))
    ]
    mode = st.none() | st.sampled_from(["datagram", "connected"])
    infiniband = [
        netmatrix.INFINIBAND[0].model_copy(update={"infiniband": Infiniband(mode=draw(mode))}),
        *(
            [netmatrix.INFINIBAND[1].model_copy(update={"infiniband": Infiniband(mode=draw(mode), pkey="0x12")})]
            if partitions
            else []
        ),
    ]
    primary = draw(st.sampled_from([each.name for each in nics]))
    return netmatrix.node(*nics, *bonds, *vlans, *(infiniband if draw(some) else []), primary=primary)


def sections(text: str) -> list[tuple[str, list[str]]]:
    """The sections of a file of systemd, each with its lines as they are; fails for anything else."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if re.fullmatch(r"\[[A-Za-z0-9]+\]", line):
            found.append((line[1:-1], []))
        elif line and not line.startswith("#"):
            assert re.fullmatch(r"[A-Za-z0-9]+=\S[^\[\]]*", line), line
            found[-1][1].append(line)
    return found


@settings(deadline=None)
@given(node=nodes())
def test_files_for_networkd_have_each_section_and_setting_once(folder: Path, node: ResolvedNode) -> None:
    many = {"Route", "Address"}
    for path, text in made(folder, "networkd", node).items():
        if "/systemd/network/" not in path:
            continue
        found = sections(text)
        counted = Counter(name for name, _ in found if name not in many)
        assert set(counted.values()) <= {1}, text
        for name, lines in found:
            assert lines, f"[{name}] is empty in {path}"
            assert max(Counter(lines).values()) == 1, text
            keys = Counter(line.partition("=")[0] for line in lines)
            assert all(count == 1 or key in {"Address", "DNS", "VLAN", "IPoIB"} for key, count in keys.items()), (
                text
            )


@settings(deadline=None)
@given(node=nodes())
def test_keyfiles_are_read_by_a_strict_reader_and_have_no_address_twice(folder: Path, node: ResolvedNode) -> None:
    for path, text in made(folder, "networkmanager", node).items():
        if not path.endswith(".nmconnection"):
            continue
        reader = configparser.RawConfigParser(strict=True, delimiters=("=",), empty_lines_in_values=False)
        reader.read_string(text)
        assert reader["connection"]["interface-name"] in path
        assert (
            reader.has_section("ipv4")
            is reader.has_section("ipv6")
            is not reader.has_option("connection", "master")
        )


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that is there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        assert len(keys) == len(set(keys)), keys
        return super().construct_mapping(node, deep=deep)


@settings(deadline=None)
@given(node=nodes(partitions=False))
def test_the_file_for_netplan_is_yaml_with_every_device_once(folder: Path, node: ResolvedNode) -> None:
    read = yaml.load(made(folder, "netplan", node)["etc/netplan/60-provisioner.yaml"], StrictLoader)["network"]

    names = [name for kind in ("ethernets", "bonds", "vlans") for name in read.get(kind, {})]
    assert sorted(names) == sorted(each.name for each in node.interfaces)
    defaults = [
        (":" in route["via"], route.get("metric", 0))
        for kind in ("ethernets", "bonds", "vlans")
        for each in read.get(kind, {}).values()
        for route in each.get("routes", [])
        if route["to"] == "default"
    ]
    assert len(defaults) == len(set(defaults)), "two default routes of one metric"


@settings(deadline=None)
@given(node=nodes(), name=st.sampled_from(["ifcfg", "wicked"]))
def test_ifcfg_files_set_each_variable_once_to_one_word(folder: Path, node: ResolvedNode, name: str) -> None:
    for path, text in made(folder, name, node).items():
        if "/ifcfg-" not in path:
            continue
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        words = [shlex.split(line) for line in lines]
        assert all(len(each) == 1 for each in words), text
        keys = [each[0].partition("=")[0] for each in words]
        assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", key) for key in keys), text
        assert len(keys) == len(set(keys)), text


@settings(deadline=None)
@given(node=nodes())
def test_interfaces_have_one_stanza_for_each_family_of_a_device(folder: Path, node: ResolvedNode) -> None:
    text = made(folder, "ifupdown", node)["etc/network/interfaces"]

    stanzas = re.findall(r"^iface (\S+) (inet6?) (static|manual|loopback)$", text, re.MULTILINE)
    assert all(
        re.match(r"(auto|iface) |    [a-z_-]+ \S|$", line) or line.startswith("    #") for line in text.split("\n")
    )
    several = Counter((name, family) for name, family, _ in stanzas)
    # A bond has the addresses of all its members.
    assert all(count == 1 or name.startswith("bond") for (name, _), count in several.items())
    assert len(re.findall(r"^auto ", text, re.MULTILINE)) <= len({name for name, *_ in stanzas})


@pytest.mark.parametrize("overlay", [*BACKENDS, "netname"])
@pytest.mark.parametrize("name", _HOSTILE)
def test_a_name_that_is_not_one_of_a_device_is_refused_with_the_place(
    folder: Path, overlay: str, name: str
) -> None:
    node = netmatrix.node(netmatrix.NICS[5].model_copy(update={"name": name}))

    with pytest.raises(RenderError, match=r"^overlays/[a-z]+/rootfs/.*: .*is not the name of a network device"):
        made(folder, overlay, node)


@pytest.mark.parametrize("overlay", [name for name in BACKENDS if name != "wicked"])
@pytest.mark.parametrize("domain", ["a\nb", "a b", "a;b", 'a"', "$(id)", "a,b", ""])
def test_a_domain_that_is_none_is_refused(folder: Path, overlay: str, domain: str) -> None:
    node = netmatrix.node(netmatrix.NICS[5].model_copy(update={"search": (domain,)}))

    with pytest.raises(RenderError, match="is not a domain"):
        made(folder, overlay, node)
