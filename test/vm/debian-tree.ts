import { createHash } from 'node:crypto';
import { access, chmod, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { osRelease, run } from './tools.ts';

/** The tree of a Debian with systemd and two kernels. */
export interface DebianTree {
  readonly root: string;
  /** Versions as `uname -r` tells them, the older one first. */
  readonly kernels: readonly [string, string];
}

const packages = [
  'systemd-sysv',
  'udev',
  'libatomic1',
  'libstdc++6',
  'initramfs-tools',
  'zstd',
  'iproute2',
  'e2fsprogs',
  'util-linux',
  'mount',
  'kmod',
  'procps',
];

/** Modules that the machine has a use for; all others go, so that trees are small. */
const modules = [
  'virtio_pci',
  'virtio_blk',
  'virtio_net',
  'virtio_console',
  'virtio_rng',
  'vfat',
  'nls_ascii',
  'nls_cp437',
  'nls_iso8859-1',
  'nls_utf8',
  'efivarfs',
  'efi_pstore',
  'qemu_fw_cfg',
  'ramoops',
  'softdog',
  'loop',
  'squashfs',
];

/** Documents, and what only the package manager and its scripts use. */
const unwanted = [
  'usr/share/man',
  'usr/share/doc',
  'usr/share/locale',
  'usr/share/info',
  'usr/share/zoneinfo',
  'usr/share/i18n',
];

/** Programs that systemd runs at each start to look for what these machines have not. */
const generators = [
  'cryptsetup',
  'getty',
  'gpt-auto',
  'hibernate-resume',
  'integritysetup',
  'rc-local',
  'run',
  'system-update',
  'sysv',
  'veritysetup',
].map((name) => `usr/lib/systemd/system-generators/systemd-${name}-generator`);

/** What no machine has a use for once its initial RAM disk is made; each update would read it all. */
const unused = [
  'var/cache/apt',
  'var/lib/apt',
  'usr/lib/udev/hwdb.d',
  'usr/lib/udev/hwdb.bin',
  'usr/share/perl',
  'usr/share/perl5',
  'usr/share/bash-completion',
  'usr/share/common-licenses',
  'usr/share/initramfs-tools',
  'var/lib/dpkg/info',
  'usr/lib/x86_64-linux-gnu/perl',
  'usr/lib/x86_64-linux-gnu/perl-base',
  'usr/lib/x86_64-linux-gnu/gconv',
];

/** Units that only cost time in a machine without a screen, a clock server or people. */
const masked = [
  'getty@tty1.service',
  'getty-static.service',
  'serial-getty@ttyS0.service',
  'e2scrub_reap.service',
  'e2scrub_all.timer',
  'fstrim.timer',
  'dpkg-db-backup.timer',
  'systemd-update-utmp.service',
  'systemd-update-utmp-runlevel.service',
  'systemd-binfmt.service',
  'systemd-hwdb-update.service',
  'systemd-firstboot.service',
  'ldconfig.service',
  'console-setup.service',
  'keyboard-setup.service',
  'modprobe@configfs.service',
  'modprobe@dm_mod.service',
  'modprobe@drm.service',
  'modprobe@fuse.service',
  'modprobe@loop.service',
  'systemd-logind.service',
  'systemd-ask-password-wall.path',
  'systemd-ask-password-console.path',
  'systemd-machine-id-commit.service',
  'systemd-sysusers.service',
  'systemd-journal-catalog-update.service',
  'systemd-network-generator.service',
  'dev-hugepages.mount',
  'dev-mqueue.mount',
  'sys-kernel-tracing.mount',
  'sys-kernel-debug.mount',
  'proc-sys-fs-binfmt_misc.automount',
];

const settings: Readonly<Record<string, string>> = {
  'etc/hostname': 'vehicle\n',
  'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
  'etc/systemd/network/10-all.network':
    '[Match]\nName=en* eth*\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n',
  'etc/systemd/journald.conf.d/vm.conf':
    '[Journal]\nStorage=persistent\nSystemMaxUse=16M\nSyncIntervalSec=2s\n',
  'etc/initramfs-tools/conf.d/vm': 'MODULES=list\nCOMPRESS=zstd\nRESUME=none\n',
  // One of the last two takes the kernel's last words, from as early on as there are any (docs/operations.md).
  'etc/initramfs-tools/modules': 'virtio_pci\nvirtio_blk\nramoops\nefi_pstore\n',
};

/**
 * The tree, made by the package manager from the package archive that this machine itself uses, and kept in `cache`.
 * It lacks whatever is ours. Takes about a minute the first time.
 */
export async function debianTree(cache: string): Promise<DebianTree> {
  const suite = osRelease('VERSION_CODENAME');
  const kernels = await twoKernels();
  const recipe = JSON.stringify([
    suite,
    kernels,
    packages,
    modules,
    unwanted,
    masked,
    unused,
    generators,
    settings,
    2,
  ]);
  const key = createHash('sha256').update(recipe).digest('hex').slice(0, 16);
  const root = join(cache, `debian-${key}`);
  if (await isThere(root)) return { root, kernels };
  await mkdir(cache, { recursive: true });
  const scratch = `${root}.${process.pid}`;
  try {
    const include = [...packages, ...kernels.map((kernel) => `linux-image-${kernel}`)].join(',');
    await run(
      'mmdebstrap',
      [
        '--mode=root',
        '--variant=essential',
        '--aptopt=Apt::Install-Recommends "false"',
        ...unwanted.map((path) => `--dpkgopt=path-exclude=/${path}/*`),
        `--include=${include}`,
        suite,
        scratch,
        await packageSources(),
      ],
      900_000,
    );
    await configure(scratch, kernels);
    await rename(scratch, root);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return { root, kernels };
}

/** Kernels of two series where the archive has them, those for clouds before all others: they start faster. */
async function twoKernels(): Promise<readonly [string, string]> {
  const found = await run('apt-cache', ['search', '--names-only', '^linux-image-[0-9][^ ]*-amd64$']);
  const versions = found
    .split('\n')
    .map((line) => line.split(' ')[0]?.replace('linux-image-', '') ?? '')
    .filter((version) => /^\d+\.\d+\.\d+[\d+deb~.-]*-(?:cloud-)?amd64$/.test(version))
    .sort(
      (a, b) =>
        Number(a.includes('cloud')) - Number(b.includes('cloud')) ||
        a.localeCompare(b, 'en', { numeric: true }),
    );
  const series = (version: string): string => version.split('.').slice(0, 2).join('.');
  const newer = versions.at(-1);
  const older =
    versions.findLast((version) => newer !== undefined && series(version) !== series(newer)) ??
    versions.at(-2);
  if (older === undefined || newer === undefined) {
    throw new Error('the package archive has no two kernels: run `apt-get update` first');
  }
  return [older, newer];
}

async function packageSources(): Promise<string> {
  for (const path of ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list']) {
    if (await isThere(path)) return path;
  }
  throw new Error('this machine has no /etc/apt/sources.list');
}

async function configure(root: string, kernels: readonly string[]): Promise<void> {
  for (const [path, text] of Object.entries(settings)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  for (const unit of masked) {
    await rm(join(root, 'etc/systemd/system', unit), { force: true });
    await symlink('/dev/null', join(root, 'etc/systemd/system', unit));
  }
  await run('chroot', [root, 'systemctl', 'enable', 'systemd-networkd.service']);
  await run('chroot', [root, 'systemctl', 'disable', 'systemd-networkd-wait-online.service']);
  await run('chroot', [root, 'passwd', '-d', 'root']);
  for (const kernel of kernels) {
    await keepModules(root, kernel);
    await run('chroot', [root, 'update-initramfs', '-c', '-k', kernel]);
  }
  for (const path of [...unwanted, ...unused, ...generators]) {
    await rm(join(root, path), { recursive: true, force: true });
  }
  for (const folder of ['usr/bin', 'usr/lib/x86_64-linux-gnu']) {
    for (const name of await readdir(join(root, folder))) {
      if (/^(?:lib)?perl/.test(name)) await rm(join(root, folder, name), { recursive: true });
    }
  }
  for (const name of await readdir(join(root, 'boot'))) {
    if (/^(?:System\.map|config)-/.test(name)) await rm(join(root, 'boot', name));
  }
  await mkdir(join(root, 'var/log/journal'), { recursive: true });
  for (const path of ['boot/ota', 'boot/efi']) await mkdir(join(root, path), { recursive: true });
  await chmod(root, 0o755);
}

async function keepModules(root: string, kernel: string): Promise<void> {
  const wanted = new Set<string>();
  for (const name of modules) {
    const lines = await run('chroot', [root, 'modprobe', '-S', kernel, '--show-depends', name]).catch(
      () => '',
    );
    for (const [, path = ''] of lines.matchAll(/^insmod (\S+)/gm))
      wanted.add(path.replace(/^\/(?:usr\/)?/, ''));
  }
  const base = join(root, 'usr/lib/modules', kernel, 'kernel');
  for (const item of await readdir(base, { recursive: true, withFileTypes: true })) {
    const path = join(item.parentPath, item.name);
    if (item.isFile() && !wanted.has(path.slice(join(root, 'usr').length + 1))) await rm(path);
  }
  await run('chroot', [root, 'depmod', kernel]);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
