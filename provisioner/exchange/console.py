"""What reaches BMCs: lines for conman.conf(5) and powerman.conf(5). Passwords are never in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from provisioner.exchange.inventory import Exported, Inventory, Record, bmc_address, is_address, usable

# Commas and colons part options in ipmiopts; spaces part words in a command.
_USER = re.compile(r"[A-Za-z0-9_.@+-]{1,64}")
_NODES_OF_A_DEVICE = 64
_CONMAN_HEAD = """\
# Consoles over IPMI. Passwords are not in here: write `global ipmiopts="P:..."` into conman.conf, for root only.
"""
_POWERMAN_HEAD = """\
# Passwords are not in here: ipmipower reads them from /etc/freeipmi/freeipmi.conf, which only root reads.
include "/etc/powerman/ipmipower.dev"
"""


def export_conman(inventory: Inventory) -> Exported:
    """One console for every node whose BMC has an address."""
    left_out: list[str] = []
    lines = [
        f'CONSOLE name="{record["name"]}" dev="ipmi:{address}"' + (f' ipmiopts="U:{user}"' if user else "")
        for record, address, user in _reachable(inventory, left_out)
    ]
    return Exported("".join(f"{line}\n" for line in [_CONMAN_HEAD.rstrip("\n"), *lines]), tuple(left_out))


def export_powerman(inventory: Inventory) -> Exported:
    """Devices of at most 64 BMCs with the same user, and the plug of every node."""
    left_out: list[str] = []
    users: dict[str, list[tuple[str, str]]] = {}
    for record, address, user in _reachable(inventory, left_out):
        users.setdefault(user, []).append((record["name"], address))
    lines = [_POWERMAN_HEAD.rstrip("\n")]
    number = 0
    for user, plugs in users.items():
        for start in range(0, len(plugs), _NODES_OF_A_DEVICE):
            part = plugs[start : start + _NODES_OF_A_DEVICE]
            device = f"bmc{number}"
            lines.append(_device(device, user, [address for _, address in part]))
            lines += [f'node "{name}" "{device}" "{address}"' for name, address in part]
            number += 1
    return Exported("".join(f"{line}\n" for line in lines), tuple(left_out))


def _device(name: str, user: str, addresses: list[str]) -> str:
    words = ["/usr/sbin/ipmipower", "-D", "lanplus", *(["-u", user] if user else []), "-h", ",".join(addresses)]
    return f'device "{name}" "ipmipower" "{" ".join(words)} --wait-until-on --wait-until-off |&"'


def _reachable(inventory: Inventory, left_out: list[str]) -> Iterator[tuple[Record, str, str]]:
    """The nodes whose BMC speaks IPMI and has an address, with that and the name of the user."""
    for record in usable(inventory.records, left_out):
        address, bmc = bmc_address(record), record.get("bmc") or {}
        if address is None or bmc.get("driver", "ipmi") != "ipmi":
            continue
        user = bmc.get("username") or ""
        if not is_address(address):
            left_out.append(f"the BMC of {record['name']}: {address!r} is no address")
        elif user and not _USER.fullmatch(user):
            left_out.append(f"the BMC of {record['name']}: the user {user!r} cannot be said there")
        else:
            yield record, address, user
