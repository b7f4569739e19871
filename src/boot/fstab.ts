import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { readAtMost, writeDurably } from '#host/durable-file.ts';
import { BootError } from './boot-error.ts';
import type { SlotTree } from './boot-loader.ts';

/** One mount of an fstab. @see fstab(5) */
export interface FstabEntry {
  readonly spec: string;
  readonly mountPoint: string;
  readonly type: string;
  readonly options: string;
  readonly dump: string;
  readonly pass: string;
}

/** What the running release decides for the next one. */
export interface FstabPlan {
  /** The new root, such as `UUID=…` or `LABEL=slot_b`. */
  readonly root: string;
  readonly rootType: string;
  /** Mounts that belong to the vehicle, used where the running release's fstab does not have them. */
  readonly vehicle: readonly FstabEntry[];
}

export const maxFstabBytes = 256 * 1024;

/**
 * Mounts that are the vehicle's: a mount of the machine that built the image would keep the vehicle from starting. All
 * others belong to the image (merging more brought entries back from the dead).
 */
const vehicleMounts = ['/boot', '/boot/efi', '/boot/firmware'];

/**
 * The fstab of a new release: what the image brought, but `/` and the boot partitions as on the running release, with the
 * new root. Comments of the image stay; lines that are no entries are dropped.
 */
export function rewriteFstab(image: string, active: string, plan: FstabPlan): string {
  const ours = new Map(plan.vehicle.map((entry) => [entry.mountPoint, entry]));
  const isVehicles = ({ mountPoint }: FstabEntry): boolean =>
    vehicleMounts.includes(mountPoint) || ours.has(mountPoint);
  let root: FstabEntry | undefined;
  for (const entry of entriesOf(active)) {
    if (entry.mountPoint === '/') root = entry;
    if (isVehicles(entry)) ours.set(entry.mountPoint, entry);
  }
  const kept = image.split('\n').filter((line) => {
    if (/^\s*(?:#|$)/.test(line)) return true;
    const entry = parseEntry(line);
    return entry !== undefined && entry.mountPoint !== '/' && !isVehicles(entry);
  });
  const lines = [rootEntry(root, plan), ...ours.values()].map((entry) =>
    [entry.spec, entry.mountPoint, entry.type, entry.options, entry.dump, entry.pass].join(' '),
  );
  return `${[...lines, ...kept].join('\n').replace(/\n+$/, '')}\n`;
}

/** Rewrites `/etc/fstab` of a standby slot, durably. Errors: BootError `prepare_failed`, and those of the file system. */
export async function installFstab(tree: SlotTree, plan: FstabPlan): Promise<void> {
  const directory = join(tree.root, 'etc');
  const isDirectory = await lstat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isDirectory) {
    throw new BootError('prepare_failed', `the release has no directory /etc: ${directory} is none`);
  }
  const path = join(directory, 'fstab');
  const before = await readRegular(path);
  const text = rewriteFstab(before, await readRegular(join(tree.activeRoot, 'etc/fstab')), plan);
  if (text !== before) await writeDurably(path, text);
}

/** Entries with a wrong number of fields are none. */
export function entriesOf(fstab: string): readonly FstabEntry[] {
  return fstab.split('\n').flatMap((line) => parseEntry(line) ?? []);
}

function parseEntry(line: string): FstabEntry | undefined {
  const fields = line.trim().split(/\s+/);
  const [spec = '', mountPoint, type, options = 'defaults', dump = '0', pass = '0', ...more] = fields;
  if (spec === '' || spec.startsWith('#') || mountPoint === undefined || type === undefined) return undefined;
  if (more.length > 0 && !(more[0] ?? '').startsWith('#')) return undefined;
  return { spec, mountPoint, type, options, dump, pass };
}

function rootEntry(active: FstabEntry | undefined, plan: FstabPlan): FstabEntry {
  const entry = active ?? {
    spec: '',
    mountPoint: '/',
    type: plan.rootType,
    options: 'defaults',
    dump: '0',
    pass: '1',
  };
  // Options of another file system, and subvolumes that the new slot has not, would keep it from being mounted.
  const options =
    entry.type === plan.rootType || entry.type === 'auto'
      ? entry.options.split(',').filter((option) => !/^subvol(?:id)?=/.test(option))
      : [];
  return {
    ...entry,
    spec: plan.root,
    type: plan.rootType,
    options: options.length === 0 ? 'defaults' : options.join(','),
  };
}

/** Empty where there is no regular file: a link could lead out of the tree. */
async function readRegular(path: string): Promise<string> {
  const isFile = await lstat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isFile) return '';
  return (await readAtMost(path, maxFstabBytes))?.toString('utf8') ?? '';
}
