#!/bin/sh
# shellcheck disable=SC2034 # the parts share these names
# Stage 1: network from the kernel line, the root file system, overlays over it, a report at every step.
#
# Kernel line: prov.url=http://HEAD:PORT prov.token=TOKEN prov.mac=MAC prov.interface=NAME prov.ip=ADDRESS/PREFIX
# prov.root=KIND and, where there are, prov.size=SIZE, prov.prefetch=1, prov.gateway=ADDRESS, prov.https=PORT, prov.tpm=1 and
# prov.also=URL,URL of other head nodes. With prov.root=none no token: the machine is no node, and is looked at.
# Nothing that comes from the network is ever evaluated: the boot sheet is read key by key.

WORK=/run/provisioner
# A head node that restarts, or a switch that reboots, must not cost a boot; a head node that is gone must
# not hold a node for ever, so that its firmware can try another way.
PATIENCE=900
# Where a root that lasts keeps what overlays replace.
KEPT=
# What the head node's certificate is checked against, where it speaks TLS.
AUTHORITY=
# The head nodes that are asked when this one is silent, with a space between two.
OTHERS=
TAB=$(printf '\t')

STAGE1=${STAGE1:-/usr/lib/provisioner}
for part in console network head trust tpm memory image overlays handover log hooks rescue hardware root-overlay root-tmpfs root-stream \
    root-disk lasting selinux; do
    # shellcheck source=/dev/null
    . "$STAGE1/$part.sh"
done

make_root() {
    # Leaves the root file system at $NEWROOT, so that overlays can be laid over it.
    case $(argument root) in
        overlay) root_overlay ;;
        tmpfs) root_tmpfs ;;
        stream) root_stream ;;
        disk) root_disk ;;
        *) fail "this stage 1 knows no root of kind $(argument root)" ;;
    esac
}

stage1_main() {
    mkdir -p "$WORK"
    MAC=$(argument mac)
    OTHERS=$(argument also | tr , ' ')
    use_head "$(argument url)"
    say "stage 1 starts"
    start_network
    break_at network
    [ "$(argument root)" != none ] || survey
    start_tls
    # shellcheck disable=SC2046 # words without blanks
    report stage1.started $(measurements) "kernel=$(cut -d ' ' -f 3 /proc/version)" "memory=$(kib_of MemTotal)" > /dev/null
    tell_hardware
    attest
    fetch_sheet
    break_at sheet
    rescue
    early_hooks
    make_root
    break_at root
    apply_overlays
    break_at overlay
    late_hooks
    label_root
    break_at handover
    forget_tpm
    stop_ssh
    hand_over
}
