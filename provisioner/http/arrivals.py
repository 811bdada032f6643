"""Machines that are no nodes: how they are asked what they are, and what they say of it."""

from __future__ import annotations

from aiohttp import web

from provisioner.http.site import HttpSite
from provisioner.model.address import MacAddress
from provisioner.model.machine import said

LONGEST_QUERY = 4096
"""How many characters a machine may say of itself; what is longer is not looked at."""

# What this iPXE does not know becomes nothing. `uristring` quotes for a URL. A TLV of LLDP begins with its
# subtype, so it goes in hexadecimal (IEEE 802.1AB clause 8.5; ${netX.lldp/TYPE.INDEX.OFFSET.LENGTH} in iPXE).
_ASKING = """\
#!ipxe
set who uuid=${uuid}&serial=${serial:uristring}&asset=${asset:uristring}
set what manufacturer=${manufacturer:uristring}&product=${product:uristring}
set kind buildarch=${buildarch}&platform=${platform}
set port lldp_port=${netX.lldp/2.0.0.0:hexraw}&lldp_chassis=${netX.lldp/1.0.0.0:hexraw}
set name lldp_name=${netX.lldp/5.0.0.0:uristring}
chain --replace URL?${who}&${what}&${kind}&${port}&${name} || chain --replace URL?silent=1
"""


class Arrivals:
    """Asks machines, and keeps what they say in the inbox (`events.inbox`). Nothing that they send is trusted."""

    def __init__(self, site: HttpSite) -> None:
        self._site = site

    def ask(self, request: web.Request, mac: MacAddress, url: str) -> str | None:
        """The script that asks a machine what it is; None once it has said so, whatever it said."""
        if not request.query_string:
            return _ASKING.replace("URL", f"{url}/boot/{mac.hyphenated}")
        known = said(request.query.items()) if len(request.query_string) <= LONGEST_QUERY else {}
        self._site.inbox.tell(mac, known, address=request.remote, now=self._site.now())
        return None
