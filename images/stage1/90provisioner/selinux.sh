#!/bin/sh
# shellcheck disable=SC2154 # NEWROOT is dracut's variable
# Labels of SELinux for files that did not come with the packed root: those of overlays and hooks, the folders above.
#
# A file system in memory shows no label that was written before a policy was loaded; then all of its files have the
# one that the policy gives to tmpfs (fs_use_trans), or to rootfs. So the image's policy is loaded here, by its own
# load_policy, and its own restorecon gives labels after that. Nothing is enforced until the system starts: systemd
# loads the policy once more, and sets what the image and the kernel line want.

# Where the kernel has a folder for it when SELinux is on.
SELINUXFS=/sys/fs/selinux
# What restorecon gets: the names that were laid over the root, or `everything` where the whole root is new.
RELABEL=names

selinux_mode() {
    # enforcing or permissive; nothing where the kernel has SELinux off, or the image. The kernel line counts more.
    [ -d "$SELINUXFS" ] || return 0
    mode=$(chroot "$NEWROOT" sed -n 's/^SELINUX=[[:blank:]]*\([A-Za-z]*\).*/\1/p' /etc/selinux/config 2> /dev/null |
        tail -n 1 | tr '[:upper:]' '[:lower:]')
    case $mode in
        enforcing | permissive) ;;
        *) return 0 ;;
    esac
    case $(getarg enforcing=) in
        0) mode=permissive ;;
        1) mode=enforcing ;;
    esac
    echo "$mode"
}

selinux_trouble() {
    # A system that enforces what is not labelled starts half, or not at all.
    [ "$SELINUX_MODE" != enforcing ] || fail "SELinux is enforcing, and $*"
    say "SELinux: $*"
    return 1
}

enter_policy() {
    # For as long as it takes the new root has /proc and /sys, as its programs want.
    grep -q " $SELINUXFS " /proc/mounts || mount -t selinuxfs selinuxfs "$SELINUXFS" || return 1
    # A kernel that always enforces does not take it.
    echo 0 > "$SELINUXFS/enforce" || :
    mount --rbind /sys "$NEWROOT/sys" && mount -t proc proc "$NEWROOT/proc" || return 1
    chroot "$NEWROOT" load_policy
}

leave_policy() {
    umount -R "$NEWROOT/sys"
    umount "$NEWROOT/proc"
    umount "$SELINUXFS"
} 2> /dev/null

laid_names() {
    # From / on, a line each, the folders above too: to write into a folder of the packed root makes a new one of it.
    if [ -d "$WORK/upper/files" ]; then
        (cd "$WORK/upper/files" && find . | sed 's/^\.$/\//; s/^\.//')
    else
        cat "$WORK/names" "$WORK/taken-off" 2> /dev/null | while IFS= read -r name; do
            while :; do
                echo "/$name"
                case $name in */*) name=${name%/*} ;; *) break ;; esac
            done
        done | sort -u
    fi
}

give_labels() {
    if [ "$RELABEL" = everything ]; then
        # /proc and /sys are other file systems now, with labels of their own.
        chroot "$NEWROOT" restorecon -R -F -e /proc -e /sys /
    else
        laid_names > "$WORK/relabel"
        chroot "$NEWROOT" restorecon -i -F -f - < "$WORK/relabel"
    fi > "$WORK/log" 2>&1
}

mount_as_init() {
    # An overlay file system opens what lies below it in the name of whoever mounted it. That was the kernel's domain,
    # whose files services may not use; those of init they may. What was labelled stays in the layers.
    [ -n "${LAYERS-}" ] || return 0
    umount "$NEWROOT" || return 1
    (
        domain=$(sed 's/:kernel_t/:init_t/' /proc/self/attr/current)
        # A policy without it keeps the kernel's.
        echo "$domain" > /proc/self/attr/current || :
        mount_overlay
    )
}

label_root() {
    # Last of all that changes the new root.
    SELINUX_MODE=$(selinux_mode)
    [ -n "$SELINUX_MODE" ] || return 0
    if ! enter_policy > "$WORK/log" 2>&1; then
        leave_policy
        selinux_trouble "the image's policy cannot be loaded: $(last_words)"
        return 0
    fi
    why=
    give_labels || why="files cannot be labelled: $(last_words)"
    leave_policy
    mount_as_init 2> /dev/null || fail "the kernel cannot mount the overlay file system"
    [ -z "$why" ] || selinux_trouble "$why" || return 0
    label_declared
    say "SELinux: labelled ($SELINUX_MODE)"
}
