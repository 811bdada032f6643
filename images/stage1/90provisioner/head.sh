#!/bin/sh
# shellcheck disable=SC2034 # the parts share these names
# Talking to the head node: reports, short documents, TLS, the boot sheet.

ask() {
    [ -z "$AUTHORITY" ] || set -- --cacert "$AUTHORITY" "$@"
    curl --silent --show-error --connect-timeout 5 --speed-limit 512 --speed-time 30 "$@"
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
    } | ask --fail --max-time 10 --retry 2 --retry-connrefused --data-binary @- "$BASE/report" 2> /dev/null
}

fetch_small() {
    # fetch_small WHAT[?QUERY] FILE: a short document, retried; an answer of the head node that says no is final.
    what=${1%%\?*}
    attempts=0
    deadline=$(($(date +%s) + PATIENCE))
    while :; do
        status=$(ask --max-time 120 --output "$2" --write-out '%{http_code}' "$BASE/$1" 2> "$WORK/error") || status=000
        case $status in
            200) return 0 ;;
            4??) fail "the head node refuses $what: $(head -c 300 "$2")" ;;
            000) reason=$(head -c 300 "$WORK/error") ;;
            *) reason=$(head -c 300 "$2") ;;
        esac
        attempts=$((attempts + 1))
        [ "$(date +%s)" -lt $deadline ] || fail "$what did not arrive in $PATIENCE s: $reason"
        say "$what: attempt $attempts: $reason"
        back_off $attempts
    done
}

start_tls() {
    # From here on all but the root image goes by TLS: that one is public to the site, and is checked by its digest.
    # The certificate came with stage 1; where it did not, whoever answers now is trusted.
    PLAIN=$BASE
    port=$(argument https)
    [ -n "$port" ] || return 0
    AUTHORITY=$SITE/ca.pem
    if [ ! -s "$AUTHORITY" ]; then
        BASE=$URL
        AUTHORITY=
        fetch_small ca.pem "$WORK/ca"
        AUTHORITY=$WORK/ca
    fi
    URL=https://${URL#http://}
    URL=${URL%:*}:$port
    BASE="$URL/t/$(argument token)"
}

sheet() {
    # sheet KEY: a value of the boot sheet.
    grep "^$1=" "$WORK/sheet" | head -n 1 | cut -d = -f 2-
}
