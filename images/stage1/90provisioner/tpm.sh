#!/bin/sh
# shellcheck disable=SC2034 # the parts share these names
# Proves to the head node which TPM this machine has, and what it measured, where the kernel line asks for that.

# What the head node gave for it: goes with the requests that need it.
TICKET=
TPM_DEVICE=${TPM_DEVICE:-/dev/tpmrm0}
ALL_REGISTERS=sha256:0,1,2,3,4,5,6,7,8,9

attest() {
    # prov.tpm=1: the head node wants to know whom it gives secrets to.
    [ -n "$(argument tpm)" ] || return 0
    command -v tpm2 > /dev/null ||
        fail "this stage 1 lacks tpm2: install tpm2-tools on the head node, and build the image again"
    await_tpm
    (
        umask 077
        mkdir -p "$WORK/tpm"
    )
    make_keys || fail "the TPM makes no keys: $(last_tpm_words)"
    tell_tpm tpm "$WORK/tpm/credential"
    open_challenge || fail "the TPM does not open what the head node closed for it: $(last_tpm_words)"
    quote || fail "the TPM does not sign its registers: $(last_tpm_words)"
    tell_tpm quote "$WORK/tpm/ticket"
    TICKET=$(cat "$WORK/tpm/ticket")
    say "tpm: the head node knows this TPM and what it measured"
}

await_tpm() {
    # Its driver may be a module, which udev has just loaded.
    attempts=0
    until [ -n "${TPM2TOOLS_TCTI-}" ] || [ -c "$TPM_DEVICE" ]; do
        attempts=$((attempts + 1))
        [ $attempts -lt 50 ] || fail "this machine shows no TPM 2.0 (switched off in its firmware?)"
        sleep 0.1
    done
    export TPM2TOOLS_TCTI="${TPM2TOOLS_TCTI:-device:$TPM_DEVICE}"
}

last_tpm_words() {
    tr '\n' ' ' < "$WORK/tpm/log" | head -c 300
}

in_tpm() {
    # in_tpm COMMAND ...: one of tpm2-tools; what it left in the TPM goes, because few things fit in.
    tpm2 "$@" > "$WORK/tpm/log" 2>&1 || return 1
    tpm2 flushcontext --transient-object > /dev/null 2>&1 || :
}

make_keys() {
    # The endorsement key is the same at every boot. That of quotes signs nothing but what the TPM says, and is gone
    # with the next reset (-C n): who restarts this machine with something else cannot open what was closed for it.
    # noda: else a TPM counts each power cut after its use as a wrong guess, and locks itself after some (part 1, 19.8).
    in_tpm createek -G ecc -c "$WORK/tpm/ek" -u "$WORK/tpm/ek.pub" &&
        in_tpm createprimary -C n -G ecc256:ecdsa-sha256:null -c "$WORK/tpm/ak" \
            -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign' &&
        in_tpm readpublic -c "$WORK/tpm/ak" -f tss -o "$WORK/tpm/ak.pub"
}

open_challenge() {
    # The endorsement key is used under a policy: who may use the endorsement hierarchy, which has no password here.
    in_tpm startauthsession --policy-session -S "$WORK/tpm/session" &&
        in_tpm policysecret -S "$WORK/tpm/session" -c e &&
        in_tpm activatecredential -c "$WORK/tpm/ak" -C "$WORK/tpm/ek" -i "$WORK/tpm/credential" \
            -o "$WORK/tpm/secret" -P "session:$WORK/tpm/session" &&
        in_tpm flushcontext "$WORK/tpm/session"
}

derived() {
    # derived PURPOSE: 64 digits that follow from what was in the challenge, others for each purpose.
    { printf %s "$1"; cat "$WORK/tpm/secret"; } | sha256sum | cut -c 1-64
}

quote() {
    in_tpm quote -c "$WORK/tpm/ak" -l $ALL_REGISTERS -q "$(derived quote)" -g sha256 \
        -m "$WORK/tpm/quote" -s "$WORK/tpm/signature" &&
        in_tpm pcrread $ALL_REGISTERS -o "$WORK/tpm/registers"
}

tpm_lines() {
    for part in ek.pub ak.pub quote signature registers; do
        [ ! -s "$WORK/tpm/$part" ] || echo "${part%.pub}=$(openssl base64 -A -in "$WORK/tpm/$part")"
    done
}

tell_tpm() {
    # tell_tpm WHERE FILE: what is known so far; the answer goes to FILE. What the head node refuses is final.
    tpm_lines > "$WORK/tpm/told"
    attempts=0
    refusals=0
    deadline=$(($(date +%s) + PATIENCE))
    while :; do
        status=$(ask --max-time 30 --data-binary "@$WORK/tpm/told" --output "$2" --write-out '%{http_code}' \
            "$BASE/$1" 2> "$WORK/error") || status=000
        case $status in
            200) return 0 ;;
            4??)
                reason=$(head -c 300 "$2")
                ! everyone_refused || fail "the head node refuses the TPM: $reason"
                continue
                ;;
            000) reason=$(head -c 300 "$WORK/error") ;;
            *) reason=$(head -c 300 "$2") ;;
        esac
        attempts=$((attempts + 1))
        [ "$(date +%s)" -lt $deadline ] || fail "the TPM could not be shown in $PATIENCE s: $reason"
        say "tpm: attempt $attempts: $reason"
        try_on $attempts
    done
}

with_ticket() {
    # with_ticket PATH: the path with the ticket, where there is one.
    case $TICKET,$1 in
        ,*) echo "$1" ;;
        *\?*) echo "$1&ticket=$TICKET" ;;
        *) echo "$1?ticket=$TICKET" ;;
    esac
}

unseal() {
    # unseal FILE: what came closed for this TPM becomes readable, in its place (provisioner/trust/tpm/attestor.py).
    [ "$(sheet overlay_sealed)" = yes ] || return 0
    derived overlay > "$WORK/tpm/password"
    openssl enc -d -aes-256-ctr -pbkdf2 -iter 1 -pass "file:$WORK/tpm/password" -in "$1" -out "$1.open" \
        2> "$WORK/tpm/log" || fail "the system overlay is not closed for this TPM: $(last_tpm_words)"
    mv "$1.open" "$1"
}

forget_tpm() {
    # What opens the overlays of this boot must not lie about in the running system.
    rm -rf "${WORK:?}/tpm"
}
