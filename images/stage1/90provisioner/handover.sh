#!/bin/sh
# The last word with the head node before the running system starts.

hand_over() {
    send_log
    [ -z "${TELLING-}" ] || wait "$TELLING" || :
    # The answer is the token of the running system: it goes to a file that only root reads, never to the
    # kernel line. The token of stage 1 is dead from here on.
    attempts=0
    deadline=$(($(date +%s) + PATIENCE))
    while :; do
        status=0
        (
            umask 077
            report handover.done > "$WORK/token"
        ) || status=$?
        [ $status -ne 0 ] || break
        attempts=$((attempts + 1))
        # 22 is a head node that says no (curl); one that is away for a while may be back in a moment.
        if [ $status -eq 22 ] || [ "$(date +%s)" -ge $deadline ]; then
            fail "the head node did not take the hand-over"
        fi
        back_off $attempts
    done
    [ -s "$WORK/token" ] || fail "the head node gave no token for the running system"
    umask 022
    for key in node boot generation revision overlay_sha256; do
        echo "$key=$(sheet $key)"
    done > "$WORK/boot"
    echo "$URL" > "$WORK/url"
    # The agent asks the others when this one is silent.
    for other in $OTHERS; do
        (use_head "$other" && echo "$URL")
    done > "$WORK/also"
    say "handing over to $(sheet generation)"
}
