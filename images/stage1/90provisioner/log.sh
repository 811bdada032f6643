#!/bin/sh
# What the kernel and stage 1 logged, sent to the head node before this machine is something else.

send_log() {
    # The words of stage 1 are in the kernel's log (say). The kernel logs its command line too: the token goes.
    dmesg | sed 's/prov\.token=[^ ]*/prov.token=(removed)/g' | tail -c 1000000 | gzip > "$WORK/log.gz"
    ask --max-time 10 --data-binary "@$WORK/log.gz" --output /dev/null "$BASE/log" 2> /dev/null || :
    rm -f "$WORK/log.gz"
}
