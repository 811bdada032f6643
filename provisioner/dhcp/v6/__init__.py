"""DHCP for IPv6 (RFC 8415): addresses and loaders for firmware that boots by IPv6."""
