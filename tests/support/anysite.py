"""Sites of four nodes in which nodes share some values and differ in others, and templates that read all sorts."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface

from hypothesis import strategies as st

from provisioner.model.address import MacAddress
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Site
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile
from tests.support import resolved

# Readers of what nodes share, of what one node has, of parts, of wholes, and of what some do not have.
SOURCES = (
    "{{ cluster }}",
    "{% for n in nodes %}{{ n.name }} {{ n.tags.rack }}\n{% endfor %}",
    "{{ node.domain }} {{ head.resolvers | join(' ') }}",
    "{{ node.tags.rack }}",
    "{{ node.tags }}",
    "{{ node.image is none }} {{ node.kernel_args | join(',') }}",
    "{{ node.name }} {{ node.tags.rack }}",
    "{% set n = node %}{{ n.fqdn }}",
    "{{ node.nothing }}",
    "{{ file('etc/' ~ node.domain) }}x{{ file('etc/y') }}{{ cluster }}",
    "{{ site.ssh.admin_keys | length }} {{ site.networks.provision.cidr }}",
    "{{ 1 / (node.kernel_args | length) }}",
    "{{ node.resources.size }}",
    "{% for link in links %}{{ link }}{% endfor %}",
    "{{ ssh.host_certificate }} {{ host_trust.patterns }}",
)

_word = st.sampled_from(["a", "b", "1", "True"])
_value = st.sampled_from([1, True, "1", None, 1.0, [1], ["1"], {"a": 1}])


@st.composite
def nodes(draw: st.DrawFn, number: int) -> ResolvedNode:
    address = IPv4Interface(f"10.0.1.{number}/16")
    device = resolved.interface(MacAddress.from_bytes(b"\x52\x54\0\0\0" + bytes([number])), number)
    return resolved.node(
        f"n{number}",
        domain=draw(st.sampled_from(["one.local", "two.local"])),
        image=draw(st.sampled_from([None, "debian-12"])),
        tags=draw(st.dictionaries(st.sampled_from(["rack", "row"]), _word)),
        kernel_args=tuple(draw(st.lists(_word, max_size=2, unique=True))),
        resources=draw(st.dictionaries(st.just("size"), _value)),
        interfaces=(device.model_copy(update={"ip": address}),),
    )


def snapshots() -> st.SearchStrategy[Snapshot]:
    several = st.tuples(*(nodes(number) for number in range(1, 5)))
    sites = st.sampled_from([resolved.site(), _with_gateway()])
    return st.builds(lambda site, made: Snapshot.build(resolved.REVISION, site, made), sites, several)


def _with_gateway() -> Site:
    network = resolved.site().networks["provision"]
    gateway = network.model_copy(update={"gateway": IPv4Address("10.0.0.9"), "dns": (IPv4Address("10.0.0.8"),)})
    return resolved.site(networks={"provision": gateway})


def written(**sources: str) -> WrittenFiles:
    files = {f"overlays/{name}/rootfs/etc/{name}.j2": text for name, text in sources.items()}
    return WrittenFiles({path: SourceFile(FileKind.FILE, 0o644, text.encode()) for path, text in files.items()})
