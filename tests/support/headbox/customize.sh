#!/usr/bin/env bash
# customize.sh ROOT WHEELS KEY VAGRANT_KEY: what mmdebstrap's tree needs to be the head node of a lab.
set -euo pipefail
root=$1 wheels=$2 key=$3 vagrant_key=$4

echo head >"$root/etc/hostname"
echo '127.0.0.1 localhost head' >"$root/etc/hosts"
echo '/dev/vda1 / ext4 defaults 0 1' >"$root/etc/fstab"
: >"$root/etc/machine-id"
install -D -m 600 "$key" "$root/root/.ssh/authorized_keys"
printf '%s\n' 'UseDNS no' 'GSSAPIAuthentication no' >"$root/etc/ssh/sshd_config.d/lab.conf"
# Started by QEMU itself it stands in the lab's network; by Vagrant eth0 is for Vagrant alone, which gives an address.
cat >"$root/etc/systemd/network/10-lab.network" <<'EOF'
[Match]
Name=eth0
KernelCommandLine=lab.static

[Network]
Address=10.77.0.2/16
IPv6AcceptRA=no
EOF
cat >"$root/etc/systemd/network/20-vagrant.network" <<'EOF'
[Match]
Name=eth0

[Network]
DHCP=ipv4
IPv6AcceptRA=no

[DHCPv4]
ClientIdentifier=mac
EOF
chroot "$root" useradd --create-home --shell /bin/bash vagrant
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/vagrant"
chroot "$root" install -d -m 700 -o vagrant -g vagrant /home/vagrant/.ssh
cat "$key" "$vagrant_key" >"$root/home/vagrant/.ssh/authorized_keys"
chroot "$root" chown vagrant:vagrant /home/vagrant/.ssh/authorized_keys
chmod 600 "$root/home/vagrant/.ssh/authorized_keys"
chroot "$root" systemctl enable --quiet systemd-networkd
chroot "$root" systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-networkd-wait-online.service

# What a kernel on virtio needs to find its root, and nothing else.
echo 'MODULES=list' >"$root/etc/initramfs-tools/conf.d/lab"
printf '%s\n' virtio_pci virtio_blk ext4 >>"$root/etc/initramfs-tools/modules"
chroot "$root" update-initramfs -u

# What the product needs of Python; the product itself is installed when the head node runs.
chroot "$root" python3 -m venv /opt/provisioner
cp -r "$wheels" "$root/tmp/wheels"
chroot "$root" sh -c '/opt/provisioner/bin/pip install --quiet --no-index --find-links /tmp/wheels /tmp/wheels/*.whl'
rm -rf "$root/tmp/wheels"

# BIOS finds GRUB before the first partition, and GRUB its menu in there.
mkdir -p "$root/boot/grub"
cat >"$root/boot/grub/early.cfg" <<'EOF'
set root=(hd0,msdos1)
set prefix=($root)/boot/grub
configfile ($root)/boot/grub/grub.cfg
EOF
cat >"$root/boot/grub/grub.cfg" <<'EOF'
set timeout=0
menuentry Debian {
    linux /vmlinuz root=/dev/vda1 rw net.ifnames=0 console=tty0 console=ttyS0,115200n8 mitigations=off quiet
    initrd /initrd.img
}
EOF
chroot "$root" grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -c /boot/grub/early.cfg -o /boot/grub/core.img \
    biosdisk part_msdos ext2 normal linux serial terminal configfile boot echo
cp "$root/usr/lib/grub/i386-pc/boot.img" "$root/boot/grub/"
# The links that Debian's kernel would make with a boot loader of its own.
ln -sf "$(cd "$root" && ls boot/vmlinuz-*)" "$root/vmlinuz"
ln -sf "$(cd "$root" && ls boot/initrd.img-*)" "$root/initrd.img"
