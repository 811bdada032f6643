#!/usr/bin/env bash
# build-deb.sh TREE FOLDER: a Debian package in FOLDER of what stage-tree.sh put below TREE.
set -euo pipefail
packaging=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
tree=$(realpath "$1")
folder=$2
version=${PACKAGE_VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' "$packaging/../pyproject.toml")}
# For the lab alone: a head node without it is whole.
lab=' qemu-system-x86 seabios ovmf ipxe-qemu swtpm tcpdump '
# `make setup` needs it, the package brings its own environment.
never=' python3-venv '

depends='python3.11, systemd' suggests=
while read -r package _; do
    case $package in '' | '#'*) continue ;; esac
    case "$never" in *" $package "*) continue ;; esac
    case "$lab" in *" $package "*) suggests+=", $package" ;; *) depends+=", $package" ;; esac
done <"$packaging/debian-packages.txt"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -a "$tree" "$work/root"
mkdir -p "$work/root/DEBIAN"
for script in postinst prerm postrm; do
    install -m 755 "$packaging/deb/$script" "$work/root/DEBIAN/$script"
done
cat >"$work/root/DEBIAN/control" <<EOF
Package: provisioner
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: The Provisioner developers <provisioner@localhost>
Section: admin
Priority: optional
Installed-Size: $(du -sk "$tree" | cut -f1)
Depends: $depends
Suggests: ${suggests#, }
Description: boots the nodes of a cluster over the network
 Provisioner boots bare-metal clusters from images, with nothing on the disks of
 their nodes, and shows what will happen, what is happening and what happened.
 One daemon answers DHCP, TFTP, HTTP and DNS from plain YAML files.
EOF
(cd "$work/root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
# Equal trees make equal packages.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-946684800}
mkdir -p "$folder"
dpkg-deb --root-owner-group -Zzstd -z12 --build "$work/root" "$folder" >/dev/null
