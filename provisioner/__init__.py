"""Stateless provisioning of bare-metal clusters.

One daemon answers DHCP, TFTP, HTTP and DNS; nodes boot from images and render their own files.
docs/architecture.md shows how the packages below fit together.
"""

__version__ = "0.1.0"
