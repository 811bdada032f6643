#!/usr/bin/env bash
# install-debian-packages.sh [LIST]: install what a list in this folder names and this machine lacks. The list is
# debian-packages.txt without an argument; nothing is done when nothing is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
list=${1:-debian-packages.txt}

# A program on the path (or in the sbin folders, which a user's path lacks), or a file; patterns are allowed.
present() {
    case $1 in
        /*) compgen -G "$1" >/dev/null ;;
        *) PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$1" >/dev/null ;;
    esac
}

missing=()
while read -r package brings _; do
    case $package in '' | '#'*) continue ;; esac
    present "$brings" || missing+=("$package")
done <"$list"

if [[ ${#missing[@]} -eq 0 ]]; then
    exit 0
fi
if [[ ! -r /etc/debian_version ]]; then
    echo "setup: this is not Debian; install what these Debian packages bring, then run make setup again:" >&2
    printf '    %s\n' "${missing[@]}" >&2
    exit 1
fi
if [[ $EUID -ne 0 ]]; then
    echo "setup: packages are missing, and only root can install them. Type:" >&2
    echo "    sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi

# Some of the packages bring daemons that only tests start, in namespaces of their own. While this file is there,
# no package starts anything (https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt).
new_units=()
for unit in slurmctld munge conman powerman libvirtd virtlogd libvirt-guests; do
    [[ -e /lib/systemd/system/$unit.service ]] || new_units+=("$unit")
done
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends "${missing[@]}"

# Nor at the next start of the machine.
for unit in "${new_units[@]}"; do
    if command -v systemctl >/dev/null && [[ -e /lib/systemd/system/$unit.service ]]; then
        systemctl --quiet disable "$unit.service" || true
    fi
done
