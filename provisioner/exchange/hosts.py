"""/etc/hosts (hosts(5)): every address of every node, IPv4 and IPv6."""

from __future__ import annotations

from provisioner.exchange.inventory import Exported, Inventory, addresses, is_address, is_domain, is_host, usable


def export_hosts(inventory: Inventory) -> Exported:
    """One line an address: the full name, then the short one. Names are those that DNS answers."""
    left_out: list[str] = []
    lines = []
    for record in usable(inventory.records, left_out):
        for each in addresses(record):
            if is_host(each.short) and is_domain(record["domain"]) and is_address(each.address):
                lines.append(f"{each.address} {each.short}.{record['domain']} {each.short}\n")
            else:
                left_out.append(f"the address {each.address!r} of {record['name']}: hosts(5) cannot say its name")
    return Exported("".join(lines), tuple(left_out))
