#!/bin/sh
# Hook "mount": the whole of stage 1. dracut goes on to switch_root when this returns with $NEWROOT mounted.

# shellcheck disable=SC2154 # dracut's variable
if [ "$root" = provisioner ]; then
    # shellcheck source=/dev/null
    . /usr/lib/provisioner/stage1.sh
    stage1_main
fi
