/** What goes into the system image. Data only; `build.ts` does the work. */

/** Grows when the same recipe would be carried out differently, so that caches are not reused. */
export const recipeVersion = 1

export const imageName = 'jangada'

/** Beside Debian's essential packages. Recommended packages are not taken. */
export const rootPackages = [
  'systemd-sysv',
  'udev',
  'dbus',
  'iproute2',
  'iptables',
  'nftables',
  'ca-certificates',
  'kmod',
  'docker.io',
  // The agent's binary is Node, and Node is C++.
  'libstdc++6',
]

/**
 * The kernel for real machines, not Debian's cloud kernel, which has no drivers for them. The
 * package is unpacked and not installed: its scripts would build an initramfs of their own.
 */
export const kernelMetaPackage = 'linux-image-amd64'
export const busyboxPackage = 'busybox-static'

/**
 * Kernel arguments the image needs whoever boots it. UEFI machines find the initramfs by the name
 * that the boot script gives it. AppArmor is off because Docker refuses to
 * start containers when the kernel has it and the image lacks its parser; without it the kernel
 * would take SELinux instead, which is of no use without a policy. A panic starts the machine
 * again.
 */
export const bootArguments =
  'initrd=initrd.img apparmor=0 selinux=0 panic=10 quiet systemd.show_status=error'

/** Nothing in a machine that lives in memory reads these. */
export const removedFromRoot = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/share/info',
  'usr/share/lintian',
  'usr/share/bash-completion',
  'usr/share/zsh',
  'usr/share/fish',
  'usr/share/i18n',
  'usr/share/perl',
  'usr/share/perl5/Debian',
  'usr/lib/x86_64-linux-gnu/gconv',
  'usr/lib/x86_64-linux-gnu/perl',
  'usr/lib/x86_64-linux-gnu/libperl.so.5.36',
  'usr/lib/x86_64-linux-gnu/libperl.so.5.36.0',
  'usr/bin/perl5.36-x86_64-linux-gnu',
  // Names of devices for people; drivers are found without them.
  'usr/lib/udev/hwdb.d',
  'usr/lib/udev/hwdb.bin',
  // Docker's test programs, and shims of container runtimes that it does not use.
  'usr/bin/dnet',
  'usr/sbin/dnet',
  'usr/bin/ovrouter',
  'usr/sbin/ovrouter',
  'usr/bin/ctr',
  'usr/bin/containerd-stress',
  'usr/bin/containerd-shim',
  'usr/bin/containerd-shim-runc-v1',
  'var/cache/apt',
  'var/cache/debconf',
  'var/lib/apt',
  'var/log/apt',
  'var/log/dpkg.log',
  'var/log/bootstrap.log',
  'etc/hostname',
  'etc/resolv.conf',
  'etc/systemd/system/getty.target.wants',
  'etc/systemd/system/timers.target.wants',
]

/** Parts of the kernel that a server which runs containers has no use for. */
export const removedModules = [
  'sound',
  'drivers/bluetooth',
  'drivers/comedi',
  'drivers/firewire',
  'drivers/gpu',
  'drivers/greybus',
  'drivers/iio',
  'drivers/input/joystick',
  'drivers/input/tablet',
  'drivers/input/touchscreen',
  'drivers/isdn',
  'drivers/leds',
  'drivers/media',
  'drivers/memstick',
  'drivers/mmc',
  'drivers/mtd',
  'drivers/net/can',
  'drivers/net/hamradio',
  'drivers/net/ieee802154',
  'drivers/net/wireless',
  'drivers/net/wwan',
  'drivers/nfc',
  'drivers/parport',
  'drivers/pcmcia',
  'drivers/soundwire',
  'drivers/ssb',
  'drivers/staging',
  'drivers/usb/atm',
  'drivers/usb/gadget',
  'drivers/usb/misc',
  'drivers/video',
  'drivers/w1',
  'fs/jffs2',
  'fs/ocfs2',
  'fs/reiserfs',
  'fs/ubifs',
  'net/appletalk',
  'net/atm',
  'net/ax25',
  'net/batman-adv',
  'net/bluetooth',
  'net/can',
  'net/ieee802154',
  'net/mac80211',
  'net/mac802154',
  'net/nfc',
  'net/wireless',
]

/** What the initramfs needs beside network cards. */
export const initramfsCoreModules = ['loop', 'squashfs', 'overlay', 'virtio_pci', 'hv_vmbus']

/**
 * Network cards that a machine can boot from: their modules, and those they need, are in the
 * initramfs. Cards whose firmware Debian has only among its non-free packages (bnx2, bnx2x, qed,
 * liquidio) are left out: without it they give no link.
 */
export const initramfsNetworkModules = [
  // virtual machines
  'virtio_net',
  'vmxnet3',
  'hv_netvsc',
  'xen-netfront',
  'ena',
  'gve',
  // Intel
  'e1000',
  'e1000e',
  'igb',
  'igbvf',
  'igc',
  'ixgbe',
  'ixgbevf',
  'i40e',
  'iavf',
  'ice',
  // Broadcom
  'tg3',
  'bnxt_en',
  'b44',
  // Realtek; the first one's PHY driver is asked for by name and not by dependency
  'r8169',
  'realtek',
  '8139too',
  '8139cp',
  // Mellanox
  'mlx4_en',
  'mlx5_core',
  // others
  'alx',
  'amd-xgbe',
  'atl1c',
  'atlantic',
  'be2net',
  'forcedeth',
  'jme',
  'pcnet32',
  'sfc',
  'sky2',
  'via-rhine',
  'via-velocity',
]

/** Programs in the initramfs: links to busybox. */
export const initramfsPrograms = [
  'cat',
  'cp',
  'chmod',
  'date',
  'find',
  'ip',
  'mkdir',
  'modprobe',
  'mount',
  'mv',
  'reboot',
  'rm',
  'sed',
  'sh',
  'sleep',
  'sort',
  'switch_root',
  'tail',
  'timeout',
  'tr',
  'udhcpc',
  'uname',
  'wget',
  'xargs',
]

/**
 * Taken from the root's packages into the initramfs: coreutils' `sha256sum`, which is several times
 * as fast as busybox's, and what it needs. It reads every byte that the machine will run.
 */
export const initramfsFilesOfRoot = [
  'usr/bin/sha256sum',
  'lib64/ld-linux-x86-64.so.2',
  'lib/x86_64-linux-gnu/libc.so.6',
]

/**
 * Units and generators that would find nothing to do on a machine without disks, users or a
 * keyboard, and cost seconds of a boot all the same.
 */
export const maskedUnits = [
  'cryptsetup.target',
  'dev-hugepages.mount',
  'getty.target',
  'integritysetup.target',
  'modprobe@drm.service',
  'ldconfig.service',
  'proc-sys-fs-binfmt_misc.automount',
  'remote-cryptsetup.target',
  'remote-fs.target',
  'sys-fs-fuse-connections.mount',
  'sys-kernel-config.mount',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'systemd-ask-password-console.path',
  'systemd-ask-password-wall.path',
  'systemd-binfmt.service',
  'systemd-firstboot.service',
  'systemd-hwdb-update.service',
  'systemd-journal-catalog-update.service',
  'systemd-journal-flush.service',
  'systemd-machine-id-commit.service',
  'systemd-network-generator.service',
  'systemd-networkd-wait-online.service',
  'systemd-pcrphase-initrd.service',
  'systemd-pcrphase-sysinit.service',
  'systemd-pcrphase.service',
  'systemd-pstore.service',
  'systemd-random-seed.service',
  'systemd-remount-fs.service',
  'systemd-repart.service',
  'systemd-rfkill.service',
  'systemd-rfkill.socket',
  'systemd-sysusers.service',
  'systemd-update-done.service',
  'systemd-update-utmp-runlevel.service',
  'systemd-update-utmp.service',
  'systemd-user-sessions.service',
  'systemd-tmpfiles-clean.timer',
  'veritysetup.target',
]

export const maskedGenerators = [
  'systemd-cryptsetup-generator',
  'systemd-getty-generator',
  'systemd-gpt-auto-generator',
  'systemd-hibernate-resume-generator',
  'systemd-integritysetup-generator',
  'systemd-rc-local-generator',
  'systemd-system-update-generator',
  'systemd-sysv-generator',
  'systemd-veritysetup-generator',
]

/** Started at boot, beside what the packages enable themselves. */
export const enabledUnits = [
  { unit: 'jangada.service', wantedBy: 'multi-user.target', in: '/etc/systemd/system' },
  { unit: 'var-lib-docker.mount', wantedBy: 'local-fs.target', in: '/etc/systemd/system' },
  { unit: 'systemd-networkd.service', wantedBy: 'multi-user.target', in: '/lib/systemd/system' },
  { unit: 'docker.service', wantedBy: 'multi-user.target', in: '/lib/systemd/system' },
  { unit: 'docker.socket', wantedBy: 'sockets.target', in: '/lib/systemd/system' },
  { unit: 'containerd.service', wantedBy: 'multi-user.target', in: '/lib/systemd/system' },
] as const
