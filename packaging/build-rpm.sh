#!/usr/bin/env bash
# build-rpm.sh TREE FOLDER: an RPM in FOLDER of what stage-tree.sh put below TREE.
set -euo pipefail
packaging=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
tree=$(realpath "$1")
folder=$2
version=${PACKAGE_VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' "$packaging/../pyproject.toml")}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -a "$tree" "$work/tree"
# Folders that every system has are its own.
ours='^/usr/(lib/provisioner|share/doc/provisioner)(/|$)'
{
    echo '%defattr(-,root,root,-)'
    (cd "$work/tree" && find . -type d -printf '/%P\n' | grep -E "$ours" | sed 's/.*/%dir "&"/')
    (cd "$work/tree" && find . ! -type d -printf '"/%P"\n')
} | sort >"$work/tree.files"
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-946684800}
rpmbuild -bb --quiet --define "_topdir $work/rpm" --define "package_version $version" --define "staged $work/tree" \
    --define 'clamp_mtime_to_source_date_epoch 1' --define 'use_source_date_epoch_as_buildtime 1' \
    --define '_buildhost localhost' --define "_dbpath $work/db" "$packaging/rpm/provisioner.spec" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }
mkdir -p "$folder"
cp "$work"/rpm/RPMS/*/*.rpm "$folder/"
