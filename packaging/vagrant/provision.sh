#!/usr/bin/env bash
# provision.sh ADDRESS NAME=MAC...: make this machine the head node of a small site, whose nodes have these MACs. It may
# be run again. The checkout is in /vagrant; with a wheel and bundles in /payload nothing is fetched from anywhere.
set -euo pipefail
address=$1
shift
bin=/opt/provisioner/bin
image=${PROVISIONER_IMAGE:-}

install_packages() {
    if command -v dnf >/dev/null; then
        dnf --quiet --assumeyes install epel-release
        dnf --quiet --assumeyes install python3.11 dracut squashfs-tools zstd kmod skopeo curl ipxe-bootimgs-x86
    else
        apt-get update --quiet
        DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends \
            python3-venv dracut-core squashfs-tools zstd kmod skopeo curl ipxe libcap2-bin mmdebstrap
    fi
}

install_product() {
    if compgen -G '/payload/*.whl' >/dev/null; then
        "$bin/pip" install --quiet --no-index --no-deps --force-reinstall /payload/*.whl
        return
    fi
    install_packages
    "$(command -v python3.11 || command -v python3)" -m venv /opt/provisioner
    "$bin/pip" install --quiet --requirement /vagrant/packaging/requirements.lock
    "$bin/pip" install --quiet --no-deps --no-build-isolation /vagrant
}

install_unit() {
    ln -sf "$bin/prov" /usr/bin/prov
    install -m 644 /vagrant/packaging/systemd/provisioner.service /etc/systemd/system/
    install -D -m 644 /vagrant/packaging/systemd/sysusers.conf /usr/lib/sysusers.d/provisioner.conf
    install -D -m 644 /vagrant/packaging/systemd/tmpfiles.conf /usr/lib/tmpfiles.d/provisioner.conf
    systemd-sysusers
    systemd-tmpfiles --create
    systemctl daemon-reload
}

open_firewall() {
    command -v firewall-cmd >/dev/null && firewall-cmd --state --quiet || return 0
    local interface
    interface=$(ip -o -4 address show to "$address" | awk '{print $2}')
    firewall-cmd --quiet --permanent --zone=trusted --add-interface="$interface"
    firewall-cmd --quiet --reload
}

make_site() {
    [[ -e /etc/provisioner/provisioner.yaml ]] ||
        prov init --cluster vagrant --network "${address%.*}.0/24" --server "$address"
}

get_images() {
    local bundle
    if compgen -G '/payload/*.bundle' >/dev/null; then
        for bundle in /payload/*.bundle; do
            name=$(basename "$bundle" .bundle)
            prov image show "$name" >/dev/null 2>&1 || prov image load "$bundle"
            image=${image:-$name}
        done
        return
    fi
    # What this machine's own package manager can make.
    image=${image:-$(command -v dnf >/dev/null && echo rocky-9 || echo debian-12)}
    prov image show "$image" >/dev/null 2>&1 || prov image build "$image"
}

write_nodes() {
    local number=10 pair
    {
        echo "groups:"
        echo "  compute:"
        echo "    image: $image"
        echo '    kernel: {args: ["console=tty0", "console=ttyS0,115200"]}'
        echo "nodes:"
        for pair in "$@"; do
            number=$((number + 1))
            echo "  ${pair%%=*}: {groups: [compute], interfaces: {eth0: {ip: ${address%.*}.$number, mac: \"${pair#*=}\"}}}"
        done
    } | prov apply --yes -
}

install_product
install_unit
open_firewall
make_site
get_images
prov node show node1 >/dev/null 2>&1 || write_nodes "$@"
systemctl enable --quiet provisioner
systemctl restart provisioner
prov status
