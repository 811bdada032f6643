"""Holds a lab with dnsmasq in it, for tests that kill it: `python -m tests.support.lab_holder ROOT`."""

from __future__ import annotations

import sys
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.lab.cluster import Lab
from provisioner.lab.state import log_folder
from provisioner.lab.supervisor import supervise
from tests.support.cluster import NETWORK, dnsmasq

if __name__ == "__main__":
    root = Path(sys.argv[1])
    paths = Paths.below(root)
    supervise(paths, Lab(NETWORK, log_folder(paths), daemon=dnsmasq(root, {"boot.ipxe": "#!ipxe\nshell\n"})))
