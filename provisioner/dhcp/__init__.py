"""The DHCP service: addresses and loaders for machines that are being switched on."""
