"""Which certificate the daemon of a site shows to those who come by TLS."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.model.written import Site
from provisioner.overlay.context import HEAD_NAME
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.tls import Certificate, GivenCertificate, OwnCertificate
from provisioner.trust.tlsca import TlsAuthority


def certificate_of(paths: Paths, site: Site, hosts: Iterable[str]) -> Certificate | None:
    """The certificate for the addresses of a head node; None for a site that does not speak TLS."""
    if not site.ports.https:
        return None
    if site.tls is not None:
        given = site.tls
        authority = Path(given.authority) if given.authority else None
        return GivenCertificate(Path(given.certificate), Path(given.key), authority)
    ours = TlsAuthority(SiteKey.load_or_create(paths.keys), paths.keys, site.cluster)
    domains = {network.domain for network in site.networks.values()}
    names = {HEAD_NAME, socket.gethostname(), *(f"{HEAD_NAME}.{domain}" for domain in domains)}
    return OwnCertificate(ours, paths.keys, names, map(ip_address, hosts))
