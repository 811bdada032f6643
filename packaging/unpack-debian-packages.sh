#!/usr/bin/env bash
# unpack-debian-packages.sh FOLDER: unpack what debian-unpacked.txt names, and FOLDER lacks, into FOLDER. Nothing is
# installed, so no service starts; nothing is done when nothing is missing.
set -euo pipefail
list=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/debian-unpacked.txt
folder=${1:?"say into which folder"}

missing=()
declare -A foreign=()
while read -r package brings _; do
    case $package in '' | '#'*) continue ;; esac
    if ! compgen -G "$folder/$brings" >/dev/null; then
        case $package in
            *:*) foreign[${package#*:}]+=" ${package%:*}" ;;
            *) missing+=("$package") ;;
        esac
    fi
done <"$list"

if [[ ${#missing[@]} -eq 0 && ${#foreign[@]} -eq 0 ]]; then
    exit 0
fi
if [[ ! -r /etc/debian_version ]]; then
    echo "setup: this is not Debian; tests need what these Debian packages bring, below $folder:" >&2
    printf '    %s\n' "${missing[@]}" "${foreign[@]}" >&2
    exit 1
fi
mkdir -p "$folder"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
if [[ ${#missing[@]} -gt 0 ]] && ! apt-get download --quiet "${missing[@]}" && [[ $EUID -eq 0 ]]; then
    # The lists of packages may be old, or not there yet.
    apt-get update --quiet
    apt-get download --quiet "${missing[@]}"
fi
for architecture in "${!foreign[@]}"; do
    # With lists of its own: the machine's apt and dpkg hear nothing of another architecture.
    state=$scratch/$architecture
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    : >"$state/status"
    printf '%s\n' "APT::Architecture \"$architecture\";" "APT::Architectures { \"$architecture\"; };" \
        "Dir::State::lists \"$state/lists\";" "Dir::State::status \"$state/status\";" \
        "Dir::Cache \"$state/cache\";" "APT::Sandbox::User \"root\";" >"$state/apt.conf"
    # Sources for this machine's architecture alone have nothing of it; without one of the rest the download fails.
    APT_CONFIG=$state/apt.conf apt-get update --quiet || true
    read -ra packages <<<"${foreign[$architecture]}"
    APT_CONFIG=$state/apt.conf apt-get download --quiet "${packages[@]}"
done
cd - >/dev/null
for package in "$scratch"/*.deb; do
    dpkg-deb --extract "$package" "$folder"
done
