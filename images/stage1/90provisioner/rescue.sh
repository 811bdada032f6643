#!/bin/sh
# A shell in stage 1, for somebody who ordered it: at the points that the kernel line names, or instead of the root.

break_at() {
    # break_at POINT: prov.break=POINT[,POINT ...] on the kernel line stops here.
    case ,$(argument break), in
        *,"$1",*)
            say "break: $1"
            offer_shell
            ;;
    esac
}

rescue() {
    # The kernel line says that an administrator ordered it, or somebody chose it at the console.
    [ -n "$(argument rescue)" ] || return 0
    ssh=no
    ! start_ssh || ssh=yes
    say "rescue: a shell is here; by ssh: $ssh"
    report rescue.entered "ssh=$ssh" > /dev/null
    offer_shell
}

rescue_failed() {
    # After a failure: where a rescue was ordered, somebody wants to look.
    [ -n "$(argument rescue)" ] || return 0
    say "rescue: a shell is here; by ssh: no"
    offer_shell
}

offer_shell() {
    write_command boot-on ": > $WORK/go; kill -HUP \$(cat $WORK/shell) 2> /dev/null"
    write_command restart "sync; echo b > /proc/sysrq-trigger"
    rm -f "$WORK/go"
    say "type boot-on to go on with the boot, restart to restart this machine"
    until [ -e "$WORK/go" ]; do
        started=$(date +%s)
        shell_on_console
        # A console that nobody can type at ends a shell at once.
        [ $(($(date +%s) - started)) -ge 2 ] || sleep 5
    done
    rm -f "$WORK/go" "$WORK/shell"
    say "the boot goes on"
}

write_command() {
    # Where a shell by ssh looks too; nothing may be run from /run.
    printf '#!/bin/sh\n%s\n' "$2" > "/usr/bin/$1"
    chmod 755 "/usr/bin/$1"
}

shell_on_console() {
    # /dev/console cannot control a shell (console_ioctl in tty(4)); the device behind it can.
    device=$(cat /sys/class/tty/console/active 2> /dev/null)
    device=/dev/${device##* }
    [ -c "$device" ] || device=/dev/console
    # shellcheck disable=SC2094 # a terminal, which is read and written
    PS1='stage1# ' setsid --ctty --wait sh -c "echo \$\$ > $WORK/shell; exec sh -i" \
        < "$device" > "$device" 2>&1 || :
}

start_ssh() {
    # With the host key of the node and the keys of its administrators, as its overlays have them. No where this
    # stage 1 has no dropbear, or the overlays have no such files.
    command -v dropbear > /dev/null || return 1
    fetch_overlay
    (
        umask 077
        mkdir -p "$WORK/ssh" /root/.ssh
        overlay_file etc/ssh/ssh_host_ed25519_key > "$WORK/ssh/openssh"
        overlay_file root/.ssh/authorized_keys > /root/.ssh/authorized_keys
    )
    [ -s "$WORK/ssh/openssh" ] && [ -s /root/.ssh/authorized_keys ] || return 1
    dropbearconvert openssh dropbear "$WORK/ssh/openssh" "$WORK/ssh/key" 2> /dev/null || return 1
    rm -f "$WORK/ssh/openssh"
    echo root:x:0:0::/root:/bin/sh > /etc/passwd
    mkdir -p /dev/pts
    mount -t devpts devpts /dev/pts 2> /dev/null
    dropbear -s -j -k -p 22 -r "$WORK/ssh/key" -P /dev/null
}

overlay_file() {
    cpio --extract --to-stdout --quiet "$1" < "$WORK/system.cpio"
}

stop_ssh() {
    # It must not live on beside that of the system.
    [ -e "$WORK/ssh" ] || return 0
    # Its sessions too, each of which is a process of its own.
    for process in /proc/[0-9]*; do
        read -r name < "$process/comm" || continue
        [ "$name" != dropbear ] || kill "${process#/proc/}"
    done 2> /dev/null
    rm -rf "${WORK:?}/ssh"
}
