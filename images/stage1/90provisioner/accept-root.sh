#!/bin/sh
# Hook "cmdline": tells dracut that root=provisioner is ours, so that it does not wait for a device.

# shellcheck disable=SC2034,SC2154 # dracut's variables
case "$root" in
    provisioner)
        rootok=1
        wait_for_dev=0
        ;;
esac
