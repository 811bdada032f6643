"""The list of domains in which a client looks for short names, as option 119 carries it (RFC 3397)."""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST = 255


def domain_search(domains: Iterable[str]) -> bytes:
    """Domains, the first one asked first, each once; those are left out that no single option has room for."""
    found = b""
    for domain in dict.fromkeys(each.lower() for each in domains):
        labels = b"".join(bytes((len(label),)) + label.encode() for label in domain.split("."))
        # Compression would save a few octets of a reply that has room for them, and not every client undoes it.
        if len(found) + len(labels) + 1 <= _LONGEST:
            found += labels + b"\0"
    return found
