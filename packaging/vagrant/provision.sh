#!/usr/bin/env bash
# Make this machine a head node, with the commands of docs/first-node.md. It may be run again. The checkout is in
# /vagrant; with a wheel and bundles in /payload nothing is fetched from anywhere.
set -euo pipefail
checkout=/vagrant
payload=/payload
bin=/opt/provisioner/bin
image=${PROVISIONER_IMAGE:-}

# The commands of the page, as a script.
commands() {
    awk '/^```/ { inside = ($0 == "```console"); next } inside { sub(/^\$ /, ""); print }' "$1"
}

is_offline() { compgen -G "$payload/*.whl" >/dev/null; }

install_python() {
    if command -v dnf >/dev/null; then
        dnf --quiet --assumeyes install python3.11
    else
        apt-get update --quiet
        DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends python3-venv
    fi
}

install_product() {
    if is_offline; then
        "$bin/pip" install --quiet --no-index --no-deps --force-reinstall "$payload"/*.whl
        return
    fi
    install_python
    "$(command -v python3.11 || command -v python3)" -m venv /opt/provisioner
    "$bin/pip" install --quiet --requirement "$checkout/packaging/requirements.lock"
    "$bin/pip" install --quiet --no-deps --no-build-isolation "$checkout"
}

# The image that came along, or one that this machine's own package manager can make.
choose_image() {
    local bundle
    for bundle in "$payload"/*.bundle; do
        [[ -e $bundle ]] && image=${image:-$(basename "$bundle" .bundle)}
    done
    image=${image:-$(command -v dnf >/dev/null && echo rocky-9 || echo debian-12)}
}

load_bundles() {
    local bundle
    for bundle in "$payload"/*.bundle; do
        command prov image show "$(basename "$bundle" .bundle)" >/dev/null 2>&1 || command prov image load "$bundle"
    done
}

# What differs from the page where there is no way out, and where the image is there already.
prov() {
    case "$1 ${2-}" in
        setup\ *)
            if is_offline; then set -- "$@" --no-packages; fi
            "$bin/prov" "$@"
            ;;
        'image build')
            if is_offline; then load_bundles; else command prov image show "$3" >/dev/null 2>&1 || command prov "$@"; fi
            ;;
        *) command prov "$@" ;;
    esac
}

main() {
    install_product
    choose_image
    # Code that was installed again is not what runs.
    if systemctl is-active --quiet provisioner; then systemctl restart provisioner; fi
    # shellcheck source=/dev/null
    source <(commands "$checkout/docs/first-node.md" | sed "s/debian-12/$image/g")
}

[[ "${BASH_SOURCE[0]}" != "$0" ]] || main
