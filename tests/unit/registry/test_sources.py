"""The files of a site, each decoded when it is asked for."""

from __future__ import annotations

from provisioner.registry.sources import Sources

LARGE = b"nodes:\n" + b"".join(b"  n%d: {tags: {a: b}}\n" % number for number in range(1000))


def test_a_large_file_is_decoded_once_for_whoever_asks_for_it_again() -> None:
    sources = Sources({"nodes.d/a.yaml": LARGE})

    assert sources.nodes("nodes.d/a.yaml") is sources.nodes("nodes.d/a.yaml")


def test_of_large_files_only_the_last_one_is_held() -> None:
    sources = Sources({"nodes.d/a.yaml": LARGE, "nodes.d/b.yaml": LARGE})

    first = sources.nodes("nodes.d/a.yaml")
    sources.nodes("nodes.d/b.yaml")

    assert sources.nodes("nodes.d/a.yaml") is not first
    assert sources.nodes("nodes.d/a.yaml") == first
