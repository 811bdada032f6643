#!/bin/sh
# Stage 1: network from the kernel line, root image into memory, overlays over it, a report at every step.
#
# Kernel line: prov.url=http://HEAD:PORT prov.token=TOKEN prov.mac=MAC prov.interface=NAME prov.ip=ADDRESS/PREFIX
# and, where there are, prov.gateway=ADDRESS and prov.https=PORT.
# Nothing that comes from the network is ever evaluated: the boot sheet is read key by key.

WORK=/run/provisioner
# A head node that restarts, or a switch that reboots, must not cost a boot; a head node that is gone must
# not hold a node for ever, so that its firmware can try another way.
PATIENCE=900
# What the head node's certificate is checked against, where it speaks TLS.
AUTHORITY=
TAB=$(printf '\t')

say() {
    echo "provisioner: $*" > /dev/console
    echo "<6>provisioner: $*" > /dev/kmsg
}

argument() {
    # getarg is dracut's reader of the kernel line.
    getarg "prov.$1="
}

uptime_seconds() {
    cut -d ' ' -f 1 /proc/uptime
}

random_below() {
    echo $((0x$(cut -c 1-7 /proc/sys/kernel/random/uuid) % $1))
}

back_off() {
    # Attempt N waits up to 2^N seconds, 16 at most, so that a thousand nodes do not come back all at once.
    ceiling=$((1 << ($1 < 4 ? $1 : 4)))
    sleep "$(random_below $ceiling).$(random_below 10)"
}

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

fail() {
    say "FAILED: $*"
    report failed "reason=$*" > /dev/null || say "the head node could not be told"
    say "this machine restarts in 60 seconds"
    sleep 60
    sync
    echo b > /proc/sysrq-trigger
    sleep 60
}

find_interface() {
    for folder in /sys/class/net/*; do
        [ -e "$folder/address" ] || continue
        if [ "$(cat "$folder/address")" = "$MAC" ]; then
            echo "${folder##*/}"
            return 0
        fi
    done
    return 1
}

rename_interface() {
    # The device gets the name that people wrote now, while it is down: the running system could not rename a
    # device that is up, and would wait for ever for its configuration.
    wanted=$(argument interface)
    [ "$INTERFACE" != "$wanted" ] || return 0
    [ ! -e "/sys/class/net/$wanted" ] || ip link set "$wanted" name "prov$(random_below 100000)"
    ip link set "$INTERFACE" name "$wanted" || fail "$INTERFACE cannot be renamed to $wanted"
    INTERFACE=$wanted
}

start_network() {
    attempts=0
    until INTERFACE=$(find_interface); do
        attempts=$((attempts + 1))
        [ $attempts -lt 300 ] || fail "no network device has the address $MAC (is its driver in the image's kernel?)"
        sleep 0.1
    done
    rename_interface
    ip link set lo up
    ip link set "$INTERFACE" up || fail "$INTERFACE cannot be switched on"
    attempts=0
    until [ "$(cat "/sys/class/net/$INTERFACE/carrier" 2> /dev/null)" = 1 ]; do
        attempts=$((attempts + 1))
        [ $attempts -lt 600 ] || fail "$INTERFACE has no link after 60 s (cable, switch port?)"
        sleep 0.1
    done
    ip address add "$(argument ip)" dev "$INTERFACE" || fail "$INTERFACE does not take the address $(argument ip)"
    gateway=$(argument gateway)
    [ -z "$gateway" ] || ip route add default via "$gateway"
    say "network: $INTERFACE $MAC $(argument ip)"
}

fetch_small() {
    # fetch_small WHAT FILE: a short document, retried; an answer of the head node that says no is final.
    attempts=0
    deadline=$(($(date +%s) + PATIENCE))
    while :; do
        status=$(ask --max-time 120 --output "$2" --write-out '%{http_code}' "$BASE/$1" 2> "$WORK/error") || status=000
        case $status in
            200) return 0 ;;
            4??) fail "the head node refuses $1: $(head -c 300 "$2")" ;;
            000) reason=$(head -c 300 "$WORK/error") ;;
            *) reason=$(head -c 300 "$2") ;;
        esac
        attempts=$((attempts + 1))
        [ "$(date +%s)" -lt $deadline ] || fail "$1 did not arrive in $PATIENCE s: $reason"
        say "$1: attempt $attempts: $reason"
        back_off $attempts
    done
}

start_tls() {
    # From here on all but the root image goes by TLS: that one is public to the site, and is checked by its digest.
    # Whoever answers now is trusted: it is who sent this kernel line.
    PLAIN=$BASE
    port=$(argument https)
    [ -n "$port" ] || return 0
    BASE=$URL
    fetch_small ca.pem "$WORK/ca"
    AUTHORITY=$WORK/ca
    URL=https://${URL#http://}
    URL=${URL%:*}:$port
    BASE="$URL/t/$(argument token)"
}

sheet() {
    # sheet KEY: a value of the boot sheet.
    grep "^$1=" "$WORK/sheet" | head -n 1 | cut -d = -f 2-
}

told() {
    # told NAME: the number in a header of the head node's last answer.
    tr -d '\r' < "$WORK/header" | grep -i "^$1:" | head -n 1 | cut -d : -f 2 | tr -cd 0-9
}

wait_for_turn() {
    # The head node lets as many images through as its link carries, and tells the others their place in the queue.
    # To wait as long as it says is no failed attempt.
    place=$(told X-Queue-Place)
    [ -n "$place" ] || return 1
    say "image: place $place in the queue, about $(told X-Queue-Seconds) s"
    pause=$(told Retry-After)
    sleep "${pause:-5}.$(random_below 10)"
}

stream_root() {
    # Writes the image to standard output and goes on where a broken transfer ended.
    offset=0
    attempts=0
    deadline=$(($(date +%s) + PATIENCE))
    while :; do
        : > "$WORK/header"
        ask --fail --dump-header "$WORK/header" --continue-at $offset --write-out '%{stderr}\n@%{size_download}@%{http_code}\n' "$PLAIN/root" \
            2> "$WORK/transfer" || :
        counts=$(grep '^@' "$WORK/transfer")
        got=${counts#@}
        got=${got%%@*}
        case ${counts##*@} in
            200 | 206) offset=$((offset + got)) ;;
            503)
                if wait_for_turn; then
                    deadline=$(($(date +%s) + PATIENCE))
                    continue
                fi
                ;;
            4??) fail "the head node refuses the root image (status ${counts##*@})" ;;
        esac
        [ $offset -lt "$ROOT_SIZE" ] || return 0
        attempts=$((attempts + 1))
        [ "$(date +%s)" -lt $deadline ] || fail "the root image did not arrive in $PATIENCE s"
        say "image: $offset of $ROOT_SIZE bytes; attempt $attempts: $(grep -v '^@' "$WORK/transfer" | tr '\n' ' ')"
        back_off $attempts
    done
}

check_memory() {
    # The image stays in memory; what is left has to hold the running system.
    available=$(grep '^MemAvailable:' /proc/meminfo | tr -cd '0-9')
    needed=$((ROOT_SIZE / 1024 + 131072))
    [ "$available" -ge $needed ] ||
        fail "not enough memory: $((available / 1024)) MiB free, the root image needs $((needed / 1024)) MiB"
}

fetch_root() {
    ROOT_SIZE=$(sheet root_size)
    expected=$(sheet root_sha256)
    check_memory
    mkdir -p "$WORK/image"
    mount -t tmpfs -o "size=$((ROOT_SIZE / 1024 + 1024))k,mode=700" provisioner-image "$WORK/image"
    say "image: $(sheet generation), $((ROOT_SIZE / 1048576)) MiB"
    started=$(uptime_seconds)
    found=$(stream_root | tee "$WORK/image/root" | sha256sum | cut -d ' ' -f 1)
    [ "$found" = "$expected" ] ||
        fail "the root image is damaged: its SHA-256 is $found, the head node promised $expected"
    say "image: complete and verified"
    report image.verified "bytes=$ROOT_SIZE" "started=$started" > /dev/null
}

mount_root() {
    modprobe -a loop squashfs overlay 2> /dev/null
    mkdir -p "$WORK/lower" "$WORK/upper"
    device=$(losetup --find --show --read-only "$WORK/image/root") || fail "no loop device for the root image"
    mount -t squashfs -o ro "$device" "$WORK/lower" ||
        fail "the kernel cannot mount the root image (squashfs with zstd missing?)"
    mount -t tmpfs -o size=50%,mode=755 provisioner-upper "$WORK/upper"
    mkdir "$WORK/upper/files" "$WORK/upper/work"
    mount -t overlay -o "lowerdir=$WORK/lower,upperdir=$WORK/upper/files,workdir=$WORK/upper/work" \
        provisioner "$NEWROOT" || fail "the kernel cannot mount the overlay file system"
    say "root: mounted"
}

leads_outside() {
    # leads_outside FOLDER: whether writing below FOLDER of the new root would leave it, because a link on the way
    # is absolute (here that is the root of stage 1) or climbs too high. LINK is that link.
    way=$1/
    here=
    links=0
    while [ -n "$way" ]; do
        part=${way%%/*}
        way=${way#*/}
        case $part in
            '' | .) ;;
            ..)
                [ -n "$here" ] || return 0
                here=${here%/*}
                ;;
            *)
                here=$here/$part
                [ -L "$NEWROOT$here" ] || continue
                target=$(readlink "$NEWROOT$here")
                LINK="$here -> $target"
                links=$((links + 1))
                case $target in /*) return 0 ;; esac
                # As many as the kernel follows.
                [ $links -le 40 ] || return 0
                way=$target/$way
                here=${here%/*}
                ;;
        esac
    done
    return 1
}

refuse_escapes() {
    # cpio follows links of the image to the places where it unpacks.
    cpio --list --quiet < "$WORK/system.cpio" > "$WORK/names" || fail "the system overlay cannot be read"
    while IFS= read -r name; do
        case $name in
            */*) leads_outside "${name%/*}" && fail "the overlay file $name would leave the image by its link $LINK" ;;
        esac
    done < "$WORK/names"
}

take_away_declared() {
    # Files of the image that an overlay removes; they go first, because a later overlay may bring them back.
    while IFS=$TAB read -r verb path <&4; do
        [ "$verb" = remove ] || continue
        case $path in
            */*) leads_outside "${path%/*}" && fail "the overlay removes $path, which would leave the image by its link $LINK" ;;
        esac
        rm -rf "${NEWROOT:?}/$path" || fail "the overlay cannot remove $path"
    done 4< "$WORK/manifest"
}

label_declared() {
    while IFS=$TAB read -r verb word path <&4; do
        case $verb in
            selinux) chcon --no-dereference "$word" "$NEWROOT/$path" || fail "the overlay cannot label $path $word" ;;
            capabilities) setcap "$word" "$NEWROOT/$path" || fail "the overlay cannot give $path $word" ;;
        esac
    done 4< "$WORK/manifest"
}

fetch_overlay() {
    # A secret, or an imported host key, that was set after the sheet was made is in the archive all the same: a new
    # sheet tells its digest.
    tries=0
    while :; do
        fetch_small overlay/system "$WORK/system.cpio"
        found=$(sha256sum "$WORK/system.cpio" | cut -d ' ' -f 1)
        [ "$found" != "$(sheet overlay_sha256)" ] || return 0
        tries=$((tries + 1))
        [ $tries -lt 5 ] ||
            fail "the system overlay is damaged: its SHA-256 is $found, the head node promised $(sheet overlay_sha256)"
        say "overlay: not the one of the boot sheet, trying again"
        back_off $tries
        fetch_small sheet "$WORK/sheet"
    done
}

apply_overlays() {
    fetch_overlay
    refuse_escapes
    # What no archive can carry: lines of words with tabs between (provisioner/overlay/manifest.py).
    cpio --extract --to-stdout --quiet .provisioner/overlay < "$WORK/system.cpio" > "$WORK/manifest"
    take_away_declared
    (cd "$NEWROOT" && cpio --extract --unconditional --make-directories --preserve-modification-time --quiet \
        --no-absolute-filenames < "$WORK/system.cpio") || fail "the system overlay cannot be unpacked"
    rm -rf "${NEWROOT:?}/.provisioner"
    label_declared
    # It holds the host key of this node.
    : > "$WORK/system.cpio"
    say "overlay: applied"
    report overlay.applied > /dev/null
}

hand_over() {
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
    say "handing over to $(sheet generation)"
}

stage1_main() {
    mkdir -p "$WORK"
    URL=$(argument url)
    MAC=$(argument mac)
    BASE="$URL/t/$(argument token)"
    say "stage 1 starts"
    start_network
    start_tls
    report stage1.started "kernel=$(cut -d ' ' -f 3 /proc/version)" "memory=$(grep '^MemTotal:' /proc/meminfo | tr -cd 0-9)" > /dev/null
    fetch_small sheet "$WORK/sheet"
    fetch_root
    mount_root
    apply_overlays
    hand_over
}
