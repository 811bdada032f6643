#!/usr/bin/env bash
# A virtual cluster from nothing: a site, an image, two nodes, a change, and what it all looks like. It ends with
# two nodes that go from an image in the shape of CentOS to one in the shape of Rocky Linux, and back.
# The host's network is not touched, and nothing is left running. The images are kept for the next run.
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
    say "Images in the shape of CentOS 7 and Rocky Linux 9, with Debian's programs and kernels"
    .venv/bin/python -m tests.support.elshaped "$SITE/var"
    show group add rack1 --yes --image centos-7-compute --kernel-arg console=ttyS0,115200 \
        --kernel-arg mitigations=off
    show node add 'n[003-004]' --yes --group rack1 --ip 10.77.1.1+
    show node set n003 --yes --mac 52:54:00:77:00:03
    show node set n004 --yes --mac 52:54:00:77:00:04
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

all_run() {
    prov status --format json | .venv/bin/python -c '
import json, sys
found = {each["node"]: (each["running"], each["state"]) for each in json.load(sys.stdin)["nodes"]}
sys.exit(any(found[node] != (sys.argv[1], "ready") for node in sys.argv[2:]))
' "$@"
}

wait_until_all_run() {
    deadline=$((SECONDS + PATIENCE))
    until all_run "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "demo: waited $PATIENCE s for $*" >&2; return 1; }
        sleep 1
    done
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
prov lab off n001
prov lab off n002

say "n003 and n004 boot the image in the shape of CentOS 7"
prov lab boot n003 --wait "$PATIENCE" &
first=$!
prov lab boot n004 --wait "$PATIENCE"
wait $first

say "What becomes of them with Rocky Linux 9, with the hardware and the overlays that they have"
show switch start @rack1 --to rocky-9-compute --plan || [ $? = 2 ]

say "One node goes first; when it is ready, the other one follows"
root=$PWD
REBOOT="sh -c '$root/.venv/bin/prov --root $root/$SITE lab off {node}; $root/.venv/bin/prov --root $root/$SITE lab boot {node}'"
show switch start @rack1 --to rocky-9-compute --name rack1 --yes --patience "$PATIENCE" --reboot-command "$REBOOT"
show switch list
show status
show why n003 image

say "And back: each node gets the generation that it had"
show switch undo rack1 --yes
wait_until_all_run centos-7-compute@1 n003 n004
show status
say "n003 and n004 run CentOS again"
