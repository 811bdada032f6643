#!/bin/bash
# dracut module of stage 1: user space of the machine that builds, kernel modules of the image that boots.
# The variable names (moddir, hostonly) and functions are dracut's interface.

check() {
    # Only on request: this module must never slip into an initramfs of the building machine itself.
    return 255
}

depends() {
    echo base
}

installkernel() {
    # shellcheck disable=SC2034 # read by instmods
    hostonly=''
    instmods '=drivers/net/ethernet' '=drivers/net/phy' virtio_net virtio_pci virtio_mmio virtio_rng af_packet
    instmods loop squashfs overlay nbd dm_verity
    # For roots on a disk: what servers have their disks on, and the file systems.
    instmods virtio_blk virtio_scsi nvme ahci ata_piix sd_mod megaraid_sas mpt3sas mpi3mr hpsa smartpqi aacraid
    instmods vmw_pvscsi hv_storvsc isci mvsas ext4 xfs crc32c crc32c_generic
    # What the firmware measured is read from the TPM; not every kernel has its drivers as modules.
    instmods tpm_crb tpm_tis
}

# The files of stream.pl's two modules; of the image where dracut collects from one (dracutsysrootdir).
perl_modules() {
    # shellcheck disable=SC2154 # set by whoever runs dracut, or not at all
    if [[ -z $dracutsysrootdir ]]; then
        perl -Mstrict -Mwarnings -e 'print "$_\n" for values %INC'
        return
    fi
    for name in strict.pm warnings.pm; do
        for place in "$dracutsysrootdir"/usr/lib/*/perl-base "$dracutsysrootdir"/usr/share/perl{5,/5.*}; do
            [[ -e $place/$name ]] && echo "${place#"$dracutsysrootdir"}/$name" && break
        done
    done
}

# What an image lacks of these is told when it is packed, and not when a node boots.
demand() {
    inst_multiple "$@" || [[ -z $dracutsysrootdir ]] || exit 1
}

install() {
    demand sh cat cp cpio curl cut date grep head ip losetup mkdir modprobe mount mv openssl readlink rm sha256sum sleep sync tee tr \
        truncate umount uname
    # The keeper of a root that streams (stream.pl), with the two modules that it uses.
    demand perl
    perl_modules | while read -r file; do inst_simple "$file"; done
    # shellcheck disable=SC2154 # moddir is set by dracut
    inst_simple "$moddir/stream.pl" /usr/lib/provisioner/stream.pl
    # For roots on a disk; what the building machine lacks, stage 1 names when a node wants it.
    demand blkid df ln sed tail udevadm
    inst_multiple -o sfdisk wipefs mkfs.ext4 fsck.ext4 /etc/mke2fs.conf mkfs.xfs fsck.xfs
    # For its log, its hooks and its shell.
    demand chmod dmesg gzip setsid sort timeout
    # For whoever looks around in it, by ssh too.
    inst_multiple -o chroot dropbear dropbearconvert ls lsblk ps
    # For what overlays declare of labels and capabilities, and for labels of SELinux.
    inst_multiple find
    inst_multiple -o chcon setcap
    # For what the head node wants to know of its TPM; the library is one that the tools load by its name.
    inst_multiple -o tpm2
    inst_libdir_file 'libtss2-tcti-device.so*'
    # shellcheck disable=SC2154 # moddir is set by dracut
    inst_hook cmdline 20 "$moddir/accept-root.sh"
    inst_hook mount 10 "$moddir/mount-root.sh"
    for part in "$moddir"/*.sh; do
        case ${part##*/} in
            module-setup.sh | accept-root.sh | mount-root.sh) ;;
            *) inst_simple "$part" "/usr/lib/provisioner/${part##*/}" ;;
        esac
    done
}
