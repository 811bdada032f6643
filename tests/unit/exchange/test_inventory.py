"""What exporters read of a node."""

from __future__ import annotations

from provisioner.exchange.inventory import addresses, primary_address


def test_a_node_whose_boot_device_has_no_address_is_known_by_the_next_one_as_in_dns() -> None:
    further = [{"name": "ETH1.5", "ip": "10.0.1.1/16"}, {"name": "Z9.1", "ip": "10.0.1.2/16"}]
    record = {"name": "n1", "primary": "eth0", "interfaces": [{"name": "eth0"}, *further]}

    found = [(each.short, each.address) for each in addresses(record)]

    assert found == [("n1", "10.0.1.1"), ("n1-z9-1", "10.0.1.2")]
    assert primary_address(record) == "10.0.1.1"
