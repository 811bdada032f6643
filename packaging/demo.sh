#!/usr/bin/env bash
# A virtual cluster from nothing: a site, an image, two nodes, a change, and what it all looks like.
# The host's network is not touched, and nothing is left running. The image is kept for the next run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

SITE=.cache/demo
PATIENCE=${DEMO_PATIENCE:-600}

prov() {
    .venv/bin/prov --root "$SITE" "$@"
}

show() {
    printf '\n\033[1m$ prov %s\033[0m\n' "$*"
    prov "$@"
}

say() {
    printf '\n\033[1m== %s\033[0m\n' "$*"
}

finish() {
    status=$?
    prov lab down || status=1
    exit $status
}

new_site() {
    # Everything but the images is made again, so that every run tells the same story.
    mkdir -p "$SITE/var"
    find "$SITE" -mindepth 1 -maxdepth 1 ! -name var -exec rm -rf {} +
    find "$SITE/var" -mindepth 1 -maxdepth 1 ! -name images -exec rm -rf {} +
    show init --cluster demo --network 10.77.0.0/16
    if prov image show debian-12 > /dev/null 2>&1; then
        say "The image debian-12 is there already"
    else
        show image build debian-12
    fi
    # An emulated processor pays dearly for the kernel's mitigations, and has no secrets to leak.
    show group add compute --yes --image debian-12 --kernel-arg console=ttyS0,115200 --kernel-arg mitigations=off
    show node add 'n[001-002]' --yes --group compute --ip 10.77.1.1+
    show node set n001 --yes --mac 52:54:00:77:00:01
    show node set n002 --yes --mac 52:54:00:77:00:02
    show check
    show image list
}

what_runs() {
    # What the node itself says of its kernel line.
    prov status --format json | .venv/bin/python -c '
import json, sys
for node in json.load(sys.stdin)["nodes"]:
    if node["node"] == sys.argv[1]:
        print(node["node"], node["state"], node["running"], "with:", node["facts"]["cmdline"])
' "$1"
}

[ "$(id -u)" = 0 ] || { echo "demo: the lab needs root; try: sudo make demo" >&2; exit 1; }
say "A new site in $SITE"
new_site

trap finish EXIT
say "The daemon starts in a network of its own"
show lab up

say "n001 boots from BIOS, n002 from UEFI"
prov lab boot n001 --firmware bios --wait "$PATIENCE" &
first=$!
prov lab boot n002 --firmware uefi --wait "$PATIENCE"
wait $first
show status
show boot show n001
show boot show n002

say "A group gets another kernel argument; n001 boots again"
show group set compute --yes --kernel-arg console=ttyS0,115200 --kernel-arg mitigations=off \
    --kernel-arg demo.colour=green
show status
prov lab off n001
prov lab boot n001 --firmware bios --wait "$PATIENCE"
show status
what_runs n001 | tee "$SITE/run/what-runs"
grep -q 'demo.colour=green' "$SITE/run/what-runs"
say "n001 runs with the new argument, n002 still with the old one"
