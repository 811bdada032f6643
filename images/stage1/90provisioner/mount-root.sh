#!/bin/sh
# Hook "mount": the whole of stage 1. dracut goes on to switch_root when this returns with $NEWROOT mounted.

# shellcheck disable=SC2154 # dracut's variable
if [ "$root" = provisioner ]; then
    # The kernel makes variables of words of its line that it does not know. None of them is to tell stage 1 where its
    # keys or its TPM are.
    unset STAGE1 SITE TPM TPM_DEVICE TPM2TOOLS_TCTI KERNEL_LINE LAYERS STREAM_LOOP TELLING
    # shellcheck source=/dev/null
    . /usr/lib/provisioner/stage1.sh
    stage1_main
fi
