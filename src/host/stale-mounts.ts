import { readdir, readlink } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { BlockDevice, Mount } from './block-device.ts';
import { readMounts } from './block-device.ts';
import { runCommand } from './command.ts';
import { MountError } from './mount-namespace.ts';

/** A place where a device is mounted, in some mount namespace of the machine. */
export interface ForeignMount {
  /** A process that sees it. */
  readonly pid: number;
  readonly mountPoint: string;
}

const unmountTimeoutMs = 10 * 60 * 1000;
/** How long a holder that is being ended may take to let go. */
const patienceMs = 10_000;
const lookMs = 50;

/** Every place where a device is mounted; each mount namespace is looked into once. Kernel threads have none. */
export async function mountsOf(device: BlockDevice): Promise<readonly ForeignMount[]> {
  const seen = new Set<string>();
  const found: ForeignMount[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const namespace = await readlink(`/proc/${name}/ns/mnt`).catch(() => undefined);
    if (namespace === undefined || seen.has(namespace)) continue;
    const mounts = await readMounts(pid).catch(() => undefined);
    // A process that is ending has its namespace's name, but not its mounts any more.
    if (mounts === undefined || mounts.length === 0) continue;
    seen.add(namespace);
    for (const mount of mounts) {
      if (isOn(mount, device)) found.push({ pid, mountPoint: mount.mountPoint });
    }
  }
  return found;
}

/** btrfs reports a made-up device number; its source is the device. */
function isOn(mount: Mount, device: BlockDevice): boolean {
  return mount.device === device.number || mount.source === device.path;
}

/**
 * Unmounts a device wherever it is still mounted: what a crashed run, or a person, left. Waits for a process that is
 * just ending. A device that is "/" of anybody is never touched.
 * Errors: MountError `unmount_failed`, which says where it is mounted and how to mend it.
 */
export async function freeStaleMounts(device: BlockDevice, signal: AbortSignal): Promise<void> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const mounts = await mountsOf(device);
    if (mounts.length === 0) return;
    const root = mounts.find(({ mountPoint }) => mountPoint === '/');
    if (root !== undefined) {
      throw new MountError(
        'unmount_failed',
        `${device.path} is "/" of process ${root.pid}: it is not a standby slot; correct boot.slot_a and boot.slot_b`,
      );
    }
    let problem = '';
    // Later mounts cover earlier ones.
    for (const { pid, mountPoint } of mounts.toReversed()) {
      const { exitCode, stderr } = await runCommand(
        {
          argv: ['nsenter', `--mount=/proc/${pid}/ns/mnt`, '--', 'umount', mountPoint],
          timeoutMs: unmountTimeoutMs,
          env: { LC_ALL: 'C' },
        },
        signal,
      );
      if (exitCode !== 0) problem = `at ${mountPoint} (seen by process ${pid}): ${stderr.trim()}`;
    }
    if (problem === '') continue;
    if (performance.now() > end) {
      throw new MountError(
        'unmount_failed',
        `${device.path} is still mounted ${problem}; end what uses it, or unmount it by hand`,
      );
    }
    await pause(lookMs, undefined, { signal });
  }
}
