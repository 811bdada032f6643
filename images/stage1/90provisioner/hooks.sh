#!/bin/sh
# Scripts of system overlays, below /etc/provisioner/hooks/early and late. They never stay in the new root.

HOOKS=etc/provisioner/hooks

take_hooks() {
    # Out of the archive into a folder of root's alone: a hook may hold a secret.
    rm -rf "$WORK/hooks"
    (
        umask 077
        mkdir "$WORK/hooks"
        cd "$WORK/hooks"
        cpio --extract --make-directories --quiet --no-absolute-filenames "$HOOKS/*" < "$WORK/system.cpio"
    ) || fail "the hooks of the system overlay cannot be read"
}

run_hooks() {
    # run_hooks early|late: each as a program of its own, in the order of their names; the first one that fails fails
    # the boot.
    for hook in "$WORK/hooks/$HOOKS/$1"/*; do
        [ -f "$hook" ] || continue
        say "hook: $1/${hook##*/}"
        status=0
        NEWROOT=$NEWROOT timeout 600 sh "$hook" > "$WORK/hook.log" 2>&1 < /dev/null || status=$?
        last=$(tail -n 1 "$WORK/hook.log" | tr -cd '[:print:]' | head -c 300)
        rm -f "$WORK/hook.log"
        [ $status -eq 0 ] || fail "the $1 hook ${hook##*/} failed with status $status: $last"
    done
}

early_hooks() {
    # Only where there are any is the archive fetched before the root.
    [ "$(sheet early_hooks)" = yes ] || return 0
    fetch_overlay
    take_hooks
    run_hooks early
}

late_hooks() {
    # Over the root with all overlays, before it is the root; $NEWROOT is where it is.
    run_hooks late
    rm -rf "$WORK/hooks"
}
