import { chmod, cp, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { installAgent } from './agent.ts';
import type { DebianTree } from './debian-tree.ts';
import type { Firmware } from './disk.ts';
import { leftByExistingClient } from './existing-client.ts';
import { run } from './tools.ts';

/** The tree of a release, to be changed before it becomes an image. */
export class ReleaseTree {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Puts a file there, in place of whatever is there. */
  async put(path: string, text: string, mode = 0o644): Promise<void> {
    const target = join(this.root, path);
    await rm(target, { recursive: true, force: true });
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
    await chmod(target, mode);
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.root, path), { recursive: true });
  }

  /** Adds a shell script that is run once at every start, early or when all else is up. */
  async atStart(script: string, when: 'early' | 'late'): Promise<void> {
    const target = when === 'early' ? 'sysinit.target' : 'multi-user.target';
    await this.put('usr/local/sbin/trouble', `#!/bin/sh\n${script}\n`, 0o755);
    await this.put(
      'etc/systemd/system/trouble.service',
      [
        '[Unit]',
        'Description=What is wrong with this release',
        ...(when === 'early'
          ? [
              'DefaultDependencies=no',
              'After=vm-agent.service systemd-modules-load.service',
              'Before=sysinit.target',
            ]
          : []),
        '[Service]',
        `Type=${when === 'early' ? 'oneshot' : 'simple'}`,
        'TimeoutStartSec=infinity',
        'ExecStart=/usr/local/sbin/trouble',
        '',
      ].join('\n'),
    );
    const wants = join(this.root, `etc/systemd/system/${target}.wants`);
    await mkdir(wants, { recursive: true });
    await symlink('/etc/systemd/system/trouble.service', join(wants, 'trouble.service'));
  }
}

/** What is wrong with each release that must not be kept. */
export const troubles = {
  panic: (tree) => tree.atStart('sleep 1\necho c >/proc/sysrq-trigger', 'early'),
  'no-init': async (tree) => {
    // Without a shell too: the initial RAM disk would take that for init, and wait for somebody to type.
    for (const path of [
      'usr/sbin/init',
      'usr/lib/systemd/systemd',
      'usr/bin/sh',
      'usr/bin/dash',
      'usr/bin/bash',
    ]) {
      await tree.remove(path);
    }
  },
  'daemon-crash': (tree) =>
    tree.put('opt/ota/dist/run/main.js', "throw new Error('built without its brain');\n"),
  probe: (tree) =>
    tree.put('usr/local/bin/check-brakes', '#!/bin/sh\necho "brakes do not answer" >&2\nexit 3\n', 0o755),
  hang: (tree) => tree.atStart('while :; do sleep 1000; done', 'early'),
  network: (tree) => tree.remove('etc/systemd/network/10-all.network'),
  reboots: (tree) => tree.atStart('sleep 30\nsystemctl reboot', 'late'),
} as const satisfies Record<string, (tree: ReleaseTree) => Promise<void>>;
export type Trouble = keyof typeof troubles;

/** A whole release: the Debian with one of its kernels, our package, an agent, and a check that passes. */
export async function releaseTree(
  root: string,
  name: string,
  {
    debian,
    kernel,
    install,
  }: { debian: DebianTree; kernel: string; install: (root: string) => Promise<void> },
): Promise<ReleaseTree> {
  await rm(root, { recursive: true, force: true });
  await run('cp', ['-a', '--reflink=auto', debian.root, root]);
  for (const other of debian.kernels) {
    if (other === kernel) continue;
    await rm(join(root, 'usr/lib/modules', other), { recursive: true });
    for (const file of await readdir(join(root, 'boot'))) {
      if (file.endsWith(other)) await rm(join(root, 'boot', file));
    }
  }
  await install(root);
  await installAgent(root);
  const tree = new ReleaseTree(root);
  await tree.put('etc/vehicle-release', `${name}\n`);
  // No unit is at fault when an emulated machine on a busy host takes minutes for it.
  await tree.put('etc/systemd/system.conf.d/patience.conf', '[Manager]\nDefaultTimeoutStartSec=15min\n');
  await tree.put('usr/local/bin/check-brakes', '#!/bin/sh\necho "brakes answer"\n', 0o755);
  return tree;
}

/** A copy of a release with something wrong in it. */
export async function troubledTree(root: string, good: ReleaseTree, trouble: Trouble): Promise<ReleaseTree> {
  await rm(root, { recursive: true, force: true });
  // Hard links do: whatever is changed is put in anew.
  await run('cp', ['-al', good.root, root]);
  const tree = new ReleaseTree(root);
  await tree.put('etc/vehicle-release', `${trouble}\n`);
  await troubles[trouble](tree);
  return tree;
}

/**
 * Where the kernel leaves its last words, as docs/operations.md has it: under EFI in the firmware's variables, else in
 * memory that nobody else touches, which a reset does not clear.
 */
const kernelArguments: Readonly<Record<Firmware, string>> = {
  efi: 'panic=5',
  bios: 'panic=5 memmap=1M$0x10000000 ramoops.mem_address=0x10000000 ramoops.mem_size=0x100000 ramoops.record_size=0x20000 ramoops.ecc=1',
};

/** The ECU's own configuration, which no image has. `@PORT@` becomes the port of the image server at the first start. */
const ownFiles = (firmware: Firmware): Readonly<Record<string, string>> => ({
  'etc/ota/ota.yml': `listen: { host: 0.0.0.0 }
boot:
  kernel_arguments: ${kernelArguments[firmware]}
health:
  start_timeout_ms: 10000
  hold_ms: 2000
  interval_ms: 2000
health_checks:
  - { name: brakes, command: [/usr/local/bin/check-brakes] }
  - { name: gateway, tcp: '10.0.2.2:@PORT@', timeout_ms: 5000 }
`,
  'etc/systemd/system/vm-port.service': `[Unit]
Before=ota.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'modprobe qemu_fw_cfg; sed -i "s/@PORT@/$(cat /sys/firmware/qemu_fw_cfg/by_name/opt/ota.vm/setting/raw)/" /etc/ota/ota.yml'
`,
});

/**
 * Turns the tree of a release into that of an ECU that runs it: "/" in the tree itself, its boot partition in `boot`, as
 * an existing client leaves them.
 */
export async function makeInstalled(
  tree: ReleaseTree,
  boot: string,
  { firmware, kernel, certificates }: { firmware: Firmware; kernel: string; certificates: readonly string[] },
): Promise<void> {
  for (const [path, text] of Object.entries(ownFiles(firmware))) await tree.put(path, text);
  const wants = join(tree.root, 'etc/systemd/system/multi-user.target.wants');
  await symlink('/etc/systemd/system/vm-port.service', join(wants, 'vm-port.service'));
  await mkdir(join(tree.root, 'opt/ota/client/certs'), { recursive: true });
  for (const path of certificates)
    await cp(path, join(tree.root, 'opt/ota/client/certs', path.replace(/.*\//, '')));
  // An emulated machine on a busy host takes minutes to find its own disk.
  const patient = 'x-systemd.device-timeout=15min';
  await tree.put(
    'etc/fstab',
    `LABEL=slot_a / ext4 errors=remount-ro 0 0\nLABEL=ota-boot /boot ext4 defaults,${patient} 0 0\n`,
  );
  await rm(boot, { recursive: true, force: true });
  await run('cp', ['-a', join(tree.root, 'boot'), boot]);
  for (const name of await readdir(join(tree.root, 'boot'))) await tree.remove(join('boot', name));
  await mkdir(join(boot, 'ota'), { recursive: true });
  await writeFile(
    join(boot, 'ota/ecu_info.yaml'),
    'format_version: 1\necu_id: main\nip_addr: 10.0.2.15\nbootloader: grub\n',
  );
  const words = `console=ttyS0 quiet clocksource=tsc tsc=reliable mitigations=off '${kernelArguments[firmware].replaceAll(' ', "' '")}'`;
  await leftByExistingClient(boot, firmware, { kernel, words });
}
