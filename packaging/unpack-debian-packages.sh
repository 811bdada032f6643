#!/usr/bin/env bash
# unpack-debian-packages.sh FOLDER: unpack what debian-unpacked.txt names, and FOLDER lacks, into FOLDER. Nothing is
# installed, so no service starts; nothing is done when nothing is missing.
set -euo pipefail
list=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/debian-unpacked.txt
folder=${1:?"say into which folder"}

missing=()
while read -r package brings _; do
    case $package in '' | '#'*) continue ;; esac
    compgen -G "$folder/$brings" >/dev/null || missing+=("$package")
done <"$list"

if [[ ${#missing[@]} -eq 0 ]]; then
    exit 0
fi
if [[ ! -r /etc/debian_version ]]; then
    echo "setup: this is not Debian; tests need what these Debian packages bring, below $folder:" >&2
    printf '    %s\n' "${missing[@]}" >&2
    exit 1
fi
mkdir -p "$folder"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
if ! apt-get download --quiet "${missing[@]}" && [[ $EUID -eq 0 ]]; then
    # The lists of packages may be old, or not there yet.
    apt-get update --quiet
    apt-get download --quiet "${missing[@]}"
fi
cd - >/dev/null
for package in "$scratch"/*.deb; do
    dpkg-deb --extract "$package" "$folder"
done
