"""The daemon between programs of others: BIND copies its zones and is its forwarder, dnsmasq answers beside it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import pairwise
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from tests.support.daemon import add_generation
from tests.support.netns import Namespace
from tests.support.peers import listens
from tests.support.rig import HEAD, RELAY, Rig, Server, address_of, daemon, rig, running, write_nodes
from tests.support.unpacked import program

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("dig", "dnsmasq", "getent")]

OURS, BIND, DNSMASQ = str(HEAD.ip), str(RELAY), "10.66.0.3"
REVERSE = "66.10.in-addr.arpa"
PATIENCE = 100.0

BMC, FABRIC = "10.66.200.4", "10.66.201.5"

MORE = f"""\
nodes:
  n00004: {{bmc: {{ip: {BMC}, network: provision}}}}
  n00005: {{interfaces: {{ib0: {{ip: {FABRIC}}}}}}}
"""

SITE = f"""\
cluster: demo
networks: {{provision: {{cidr: {HEAD.network}, dhcp: "off"}}}}
dns:
  forwarders: [{BIND}]
  transfer: [{BIND}]
  notify: [{BIND}]
  services: [{{name: _slurmctld._tcp, port: 6817, nodes: [n00001, n00002]}}]
  aliases: {{login: n00003}}
"""

NAMED = """\
options {{
    directory "{folder}"; pid-file none; session-keyfile "{folder}/session.key"; managed-keys-directory "{folder}";
    listen-on {{ {address}; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; allow-query {{ any; }};
}};
controls {{ }};
zone "example.org" {{ type primary; file "{folder}/example.org"; }};
zone "cluster.local" {{ type secondary; primaries {{ {head}; }}; file "{folder}/copy"; }};
zone "{reverse}" {{ type secondary; primaries {{ {head}; }}; file "{folder}/reverse"; }};
"""

EXAMPLE = f"""\
$TTL 600
@ SOA ns root 1 3600 600 86400 60
@ NS ns
ns A {BIND}
www A 192.0.2.80
text TXT {" ".join(['"' + "x" * 200 + '"'] * 10)}
"""


@dataclass(frozen=True)
class World:
    """A daemon in one namespace, BIND and dnsmasq in the other."""

    place: Rig
    paths: Paths
    bind_log: Path

    def dig(self, server: str, *words: str) -> str:
        """What dig prints in the clients' namespace."""
        return self.place.clients.run(["dig", f"@{server}", "+tries=2", "+time=15", *words], timeout=60)

    def until(self, wanted: Callable[[], bool]) -> None:
        """Wait for something that takes a moment; fail when it does not come."""
        deadline = time.monotonic() + PATIENCE
        while not wanted():
            assert time.monotonic() < deadline, self.bind_log.read_text()
            time.sleep(0.05)

    def serial(self, server: str, zone: str = "cluster.local") -> int:
        """The serial number of a zone on a server; 0 where it is not there yet."""
        words = self.dig(server, "+short", "SOA", zone).split()
        return int(words[2]) if len(words) > 2 else 0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("dns")
    paths = Paths.below(folder / "site")
    write_nodes(paths, 300)
    paths.site_file.write_text(SITE)
    (paths.node_files / "more.yaml").write_text(MORE)
    add_generation(paths)
    with rig() as place:
        place.clients.address(place.theirs, f"{DNSMASQ}/16")
        with daemon(place.home, paths), _named(place.clients, folder), _dnsmasq(place.clients, folder):
            made = World(place, paths, folder / "named.log")
            made.until(lambda: made.serial(BIND) > 0 and made.serial(BIND, REVERSE) > 0)
            yield made


def _named(home: Namespace, folder: Path) -> AbstractContextManager[Server]:
    (folder / "example.org").write_text(EXAMPLE)
    config = folder / "named.conf"
    config.write_text(NAMED.format(folder=folder, address=BIND, head=OURS, reverse=REVERSE))
    command: list[str | Path] = [program("usr/sbin/named"), "-g", "-u", "root", "-c", config]
    return running(home, command, log=folder / "named.log", ready=listens(home, "udp", 53))


def _dnsmasq(home: Namespace, folder: Path) -> AbstractContextManager[Server]:
    hosts = [f"n{number:05}.cluster.local,{address_of(number)}" for number in range(1, 301)]
    further = [
        f"n00004-bmc.cluster.local,{BMC}",
        f"n00005-ib0.cluster.local,{FABRIC}",
        f"provisioner.cluster.local,{OURS}",
    ]
    slurm = [
        f"_slurmctld._tcp.cluster.local,n0000{number}.cluster.local,6817,{10 * number - 10}" for number in (1, 2)
    ]
    options = {
        "host-record": [*hosts, *further],
        "srv-host": slurm,
        "cname": ["login.cluster.local,n00003.cluster.local"],
        "local": ["/cluster.local/", f"/{REVERSE}/"],
    }
    words = [f"--{option}={value}" for option, values in options.items() for value in values]
    config = folder / "dnsmasq.conf"
    config.write_text("".join(f"{word.removeprefix('--')}\n" for word in words))
    settings = ["--keep-in-foreground", "--no-resolv", "--no-hosts", "--user=root", "--port=5353", "--pid-file="]
    command = ["dnsmasq", *settings, f"--conf-file={config}"]
    return running(home, command, log=folder / "dnsmasq.log", ready=listens(home, "udp", 5353))


QUESTIONS = [
    *((f"n{number:05}.cluster.local", kind) for number in (1, 2, 150, 300) for kind in ("A", "AAAA", "TXT", "MX")),
    ("N00001.Cluster.Local", "A"),
    ("n00301.cluster.local", "A"),
    ("x.n00001.cluster.local", "A"),
    ("provisioner.cluster.local", "A"),
    ("n00004-bmc.cluster.local", "A"),
    ("n00005-ib0.cluster.local", "A"),
    ("n00005-eth0.cluster.local", "A"),
    ("login.cluster.local", "A"),
    ("login.cluster.local", "AAAA"),
    ("login.cluster.local", "CNAME"),
    ("_slurmctld._tcp.cluster.local", "SRV"),
    ("_slurmctld._tcp.cluster.local", "A"),
    ("_slurmctld._udp.cluster.local", "SRV"),
    (address_of(1).reverse_pointer, "PTR"),
    (address_of(300).reverse_pointer, "PTR"),
    (IPv4Address(BMC).reverse_pointer, "PTR"),
    (IPv4Address(OURS).reverse_pointer, "PTR"),
    (IPv4Address("10.66.99.99").reverse_pointer, "PTR"),
]


def test_a_copy_in_bind_answers_what_we_answer(world: World) -> None:
    """The whole zone came, and BIND makes of it by itself what our policy says."""
    questions = [*QUESTIONS, *((name, "ANY") for name, _ in QUESTIONS), ("cluster.local", "SOA"), (REVERSE, "NS")]

    for name, kind in questions:
        assert said(world, OURS, name, kind, "+norec") == said(world, BIND, name, kind, "+norec"), (name, kind)


def test_dnsmasq_with_the_same_names_answers_the_same(world: World) -> None:
    for name, kind in QUESTIONS:
        ours, theirs = said(world, OURS, name, kind), said(world, DNSMASQ, name, kind, "-p", "5353")
        assert (ours.status, ours.answers) == (theirs.status, theirs.answers), (name, kind)


def test_a_whole_zone_has_every_record_once_and_its_soa_twice(world: World) -> None:
    # Another test adds a node, in whatever order they run.
    count = 303 + (world.paths.node_files / "new.yaml").exists()
    for zone, kind in (("cluster.local", "A"), (REVERSE, "PTR")):
        lines = world.place.clients.run(
            ["dig", f"@{OURS}", "+onesoa", "+noall", "+answer", "AXFR", zone]
        ).splitlines()
        assert sum(line.split()[3] == kind for line in lines) == count
        assert len(set(lines)) == len(lines)


def test_who_is_not_written_gets_no_zone(world: World) -> None:
    told = world.dig(OURS, "-b", DNSMASQ, "AXFR", "cluster.local")

    assert "Transfer failed" in told


def test_an_edit_reaches_the_copy_at_once(world: World) -> None:
    """The copy asks by itself every five minutes only; long before that it knows because it was told."""
    before = world.serial(BIND)
    (world.paths.node_files / "new.yaml").write_text("nodes:\n  fresh: {interfaces: {eth0: {ip: 10.66.202.1}}}\n")

    world.until(lambda: world.dig(BIND, "+short", "fresh.cluster.local") == "10.66.202.1\n")

    assert world.serial(BIND) == world.serial(OURS) > before


def test_names_of_others_come_from_the_forwarder(world: World) -> None:
    first, again = said(world, OURS, "www.example.org", "A"), said(world, OURS, "www.example.org", "A")

    assert (
        (first.status, first.answers)
        == (again.status, again.answers)
        == ("NOERROR", ["www.example.org. A 192.0.2.80"])
    )
    assert said(world, OURS, "nothing.example.org", "A").status == "NXDOMAIN"
    assert "aa" not in first.flags
    assert ";; flags: qr rd ra;" in world.dig(OURS, "www.example.org", "A")


def test_an_answer_that_fits_no_datagram_comes_by_tcp(world: World) -> None:
    whole = said(world, OURS, "text.example.org", "TXT")

    assert (whole.status, len(whole.answers), len(whole.answers[0]) > 2000) == ("NOERROR", 1, True)
    assert "Truncated, retrying in TCP mode" in world.dig(OURS, "text.example.org", "TXT")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ahostsv4", "n00001"), str(address_of(1))),
        (("ahostsv4", "n00001.cluster.local"), str(address_of(1))),
        (("ahostsv4", "login"), str(address_of(3))),
        (("ahostsv4", "www.example.org"), "192.0.2.80"),
        (("hosts", str(address_of(7))), "n00007.cluster.local"),
    ],
)
def test_the_resolver_of_a_node_finds_names_and_addresses(
    world: World, tmp_path: Path, words: tuple[str, ...], expected: str
) -> None:
    """glibc, with the resolv.conf that nodes have, in a mount namespace of its own."""
    (tmp_path / "resolv.conf").write_text(f"search cluster.local\nnameserver {OURS}\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: dns\n")
    bind = " && ".join(f"mount --bind {tmp_path}/{name} /etc/{name}" for name in ("resolv.conf", "nsswitch.conf"))
    script = f"{bind} && exec getent {' '.join(words)}"

    assert expected in world.place.clients.run(["unshare", "--mount", "sh", "-c", script], timeout=30)


@dataclass(frozen=True)
class Said:
    """A reply as dig shows it: status, flags, answers in any order, and the types of the authority section."""

    status: str
    flags: frozenset[str]
    answers: list[str]
    authority: list[str]


def said(world: World, server: str, name: str, kind: str, *words: str) -> Said:
    shown = world.dig(server, name, kind, *words)
    sections = shown.split(" SECTION:\n")
    parts = {before.rsplit(";; ", 1)[-1]: after.split("\n\n")[0] for before, after in pairwise(sections)}
    flags = re.search(r";; flags: ([a-z ]*);", shown)
    status = re.search(r"status: ([A-Z]+)", shown)
    assert flags, shown
    assert status, shown
    answers = sorted(_record(line) for line in parts.get("ANSWER", "").splitlines())
    authority = sorted({line.split()[3] for line in parts.get("AUTHORITY", "").splitlines()})
    # Who copies a zone may add the servers of it to an answer, and is not asked for other names.
    return Said(
        status[1],
        frozenset(flags[1].split()) - {"ra", "rd"},
        answers,
        [each for each in authority if each != "NS"],
    )


def _record(line: str) -> str:
    name, _ttl, _class, kind, *value = line.split()
    return " ".join((name.lower(), kind, *value))
