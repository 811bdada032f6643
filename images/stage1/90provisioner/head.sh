#!/bin/sh
# shellcheck disable=SC2034 # the parts share these names
# Talking to the head node: reports, short documents, TLS, the boot sheet.

ask() {
    [ -z "$AUTHORITY" ] || set -- --cacert "$AUTHORITY" "$@"
    curl --silent --show-error --connect-timeout 5 --speed-limit 512 --speed-time 30 "$@"
}

use_head() {
    # use_head URL: all that follows is asked of this head node. What goes without TLS does so by PLAIN.
    URL=$1
    PLAIN="$URL/t/$(argument token)"
    if [ -n "$AUTHORITY" ]; then
        URL=https://${URL#http://}
        URL=${URL%:*}:$(argument https)
    fi
    BASE="$URL/t/$(argument token)"
}

next_head() {
    # A head node that is silent waits behind the others. 1 where there is no other one.
    [ -n "$OTHERS" ] || return 1
    silent=${PLAIN%%/t/*}
    next=${OTHERS%% *}
    OTHERS="${OTHERS#"$next"} $silent"
    OTHERS=${OTHERS# }
    use_head "$next"
    say "$silent does not help; asking $next"
}

try_on() {
    # try_on ATTEMPT: the next head node at once, and a pause whenever all were asked.
    # shellcheck disable=SC2086 # one word for each
    set -- "$1" $OTHERS
    next_head || :
    [ $(($1 % $#)) -ne 0 ] || back_off $(($1 / $#))
}

ask_everyone() {
    # ask_everyone COMMAND ...: once of each head node, until one takes it.
    for _ in here $OTHERS; do
        status=0
        "$@" || status=$?
        [ $status -ne 0 ] || return 0
        next_head || :
    done
    return "$status"
}

everyone_refused() {
    # Whether every head node has said no: one that is behind the others may not know yet what they know.
    refusals=$((refusals + 1))
    # shellcheck disable=SC2086 # one word for each
    set -- $OTHERS
    [ $refusals -gt $# ] || ! next_head
}

report() {
    # report EVENT [KEY=VALUE ...]: lines of text; prints the answer of the head node.
    event=$1
    shift
    {
        echo "event=$event"
        echo "uptime=$(uptime_seconds)"
        for pair in "$@"; do
            echo "$pair" | tr '\n' ' '
            echo
        done
    } > "$WORK/report"
    ask_everyone send_report
}

send_report() {
    ask --fail --max-time 10 --retry 2 --retry-connrefused --data-binary "@$WORK/report" \
        "$BASE/$(with_ticket report)" 2> /dev/null
}

fetch_small() {
    # fetch_small WHAT[?QUERY] FILE: a short document, retried; an answer of the head node that says no is final.
    what=${1%%\?*}
    attempts=0
    refusals=0
    deadline=$(($(date +%s) + PATIENCE))
    while :; do
        case $1 in
            ca.pem) place=$URL/$1 ;;
            *) place=$BASE/$1 ;;
        esac
        status=$(ask --max-time 120 --output "$2" --write-out '%{http_code}' "$place" 2> "$WORK/error") || status=000
        case $status in
            200) return 0 ;;
            4??)
                reason=$(head -c 300 "$2")
                ! everyone_refused || fail "the head node refuses $what: $reason"
                continue
                ;;
            000) reason=$(head -c 300 "$WORK/error") ;;
            *) reason=$(head -c 300 "$2") ;;
        esac
        attempts=$((attempts + 1))
        [ "$(date +%s)" -lt $deadline ] || fail "$what did not arrive in $PATIENCE s: $reason"
        say "$what: attempt $attempts: $reason"
        try_on $attempts
    done
}

start_tls() {
    # From here on all but the root image goes by TLS: that one is public to the site, and is checked by its digest.
    # The certificate came with stage 1; where it did not, whoever answers now is trusted.
    if [ -n "$(argument https)" ]; then
        if [ -s "$SITE/ca.pem" ]; then
            cat "$SITE/ca.pem" > "$WORK/ca"
        else
            fetch_small ca.pem "$WORK/ca"
        fi
        AUTHORITY=$WORK/ca
    fi
    use_head "${PLAIN%%/t/*}"
}

sheet() {
    # sheet KEY: a value of the boot sheet.
    grep "^$1=" "$WORK/sheet" | head -n 1 | cut -d = -f 2-
}
