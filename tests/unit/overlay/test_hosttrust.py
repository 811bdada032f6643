"""Which names the authority of a cluster may speak for, and the keys of all nodes."""

from __future__ import annotations

from provisioner.model.resolved import ResolvedNode
from provisioner.overlay.context import Identity, Surroundings
from provisioner.trust.hostkey import host_key
from provisioner.trust.sitekey import SiteKey
from tests.support import resolved

KEY = SiteKey(b"k" * 32)


def around(*nodes: ResolvedNode, stamp: object = None) -> Surroundings:
    return Surroundings(resolved.snapshot(*nodes), Identity(KEY), stamp)


def test_many_nodes_of_one_shape_make_few_patterns() -> None:
    nodes = [resolved.node(f"n{number:03}", mac=None, host=number) for number in range(1, 200)]

    assert around(*nodes).host_trust.patterns == "10.0.1.*,fd00::*,n???,n???.cluster.local"


def test_every_node_has_its_key_under_all_its_names() -> None:
    first, second = around().host_trust.keys

    assert first.names == "n001,n001.cluster.local,10.0.1.1,fd00::1"
    assert (first.key, second.key) == (host_key(KEY, "n001").public, host_key(KEY, "n002").public)


def test_equal_stamps_make_equal_trust_so_that_a_file_of_it_is_rendered_once() -> None:
    assert around(stamp="r1").host_trust == around(stamp="r1").host_trust
    assert hash(around(stamp="r1").host_trust) == hash(around(stamp="r1").host_trust)
    assert around(stamp="r1").host_trust != around(stamp="r2").host_trust


def test_a_certificate_has_its_names_in_lower_case_as_ssh_asks_for_them() -> None:
    from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity

    node = resolved.node("GPU1")
    found = load_ssh_public_identity(Identity(KEY).ssh(node).host_certificate.encode())

    assert isinstance(found, SSHCertificate)
    assert found.valid_principals[:2] == [b"gpu1", b"gpu1.cluster.local"]
