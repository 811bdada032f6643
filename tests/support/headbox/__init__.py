"""A head node as a virtual machine: Debian with systemd, and the product's dependencies in it."""
