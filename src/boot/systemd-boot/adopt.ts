import { lstat, mkdir, stat, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { BootError } from '#boot/boot-error.ts';
import type { LoaderSetting, SlotTree } from '#boot/boot-loader.ts';
import type { Kernel } from '#boot/kernels.ts';
import { kernelsIn } from '#boot/kernels.ts';
import type { SlotId } from '#boot/slots.ts';
import { readAtMost, writeDurably } from '#host/durable-file.ts';
import { resolveInRoot } from '#host/root-path.ts';
import type { EntryContents } from './entries.ts';
import { readEntries, replaceEntry } from './entries.ts';
import { describedKernel, describeKernel, missingFile, replaceKernel } from './kernel-directory.ts';
import { kernelOptions } from './kernel-options.ts';

const maxTextBytes = 64 * 1024;
/** What `loader.conf` may say besides nothing: the first of our entries. */
const ownDefault = 'default ota-*';

export interface Adoption {
  /** Where the boot partition is mounted. */
  readonly boot: string;
  readonly setting: LoaderSetting;
  readonly tree: SlotTree;
  /** The slot that runs, and how the kernel finds its root. */
  readonly running: { readonly slot: SlotId; readonly root: string };
}

/**
 * Gives the running release an entry of ours that boots what runs now, so that a failed trial has something to come
 * back to; one that is there stays. Errors: BootError `switch_failed` when its kernel is not found.
 */
export async function adoptRunning({ boot, setting, tree, running }: Adoption): Promise<EntryContents> {
  const { slot, root } = running;
  const entries = await readEntries(boot);
  const own = entries.find((entry) => entry.slot === slot && entry.triesLeft === undefined);
  if (own !== undefined && (await missingFile(boot, own)) === undefined) {
    // Written by hand: kept for a later return to it.
    if ((await describedKernel(boot, slot)) === undefined) await describeKernel(boot, slot, own);
    return own;
  }
  await maskBlessing(setting.activeRoot).catch((error: unknown) => {
    setting.log.warn({ err: error }, 'systemd-bless-boot.service could not be masked in the running release');
  });
  const before = await describedKernel(boot, slot);
  if (before === undefined || (await missingFile(boot, before)) !== undefined) {
    const cmdline = await text(join(setting.activeRoot, 'proc/cmdline'));
    const base = cmdline || (await text(join(tree.activeRoot, 'etc/kernel/cmdline'))) || 'ro';
    await replaceKernel(boot, slot, await runningKernel(setting, tree), kernelOptions(base, root, ''));
  }
  const contents = await describedKernel(boot, slot);
  if (contents === undefined) throw new BootError('switch_failed', `the entry of ${slot} did not read back`);
  const version = Math.max(0, ...entries.map((entry) => entry.version)) + 1;
  await replaceEntry(boot, slot, contents, { triesLeft: undefined, version });
  return contents;
}

/** The kernel that runs, where its files are found; the newest otherwise. */
async function runningKernel(
  { activeRoot, bootDirectory }: LoaderSetting,
  tree: SlotTree,
): Promise<{ readonly directory: string; readonly kernel: Kernel }> {
  const release = await text(join(activeRoot, 'proc/sys/kernel/osrelease'));
  const directories = [join(tree.activeRoot, 'boot'), bootDirectory];
  const found: { readonly directory: string; readonly kernel: Kernel }[] = [];
  for (const directory of directories) {
    const kernels = await kernelsIn(directory).catch((): readonly Kernel[] => []);
    found.push(...kernels.map((kernel) => ({ directory, kernel })));
  }
  const [newest] = found;
  const running = found.find(({ kernel }) => kernel.version === release) ?? newest;
  if (running !== undefined) return running;
  throw new BootError(
    'switch_failed',
    `the running release has no boot entry that a failed trial could come back to, and no kernel with its initrd in ` +
      `${directories.join(' or ')}; write loader/entries/ota-slot_a.conf (or b) for it (docs/operations.md)`,
  );
}

/**
 * `systemd-bless-boot.service` confirms a boot as soon as units are up, long before a release was found healthy: the
 * second attempt would be its too.
 */
export async function maskBlessing(root: string): Promise<void> {
  const [etc, units] = [
    await resolveInRoot(root, '/etc/systemd'),
    await resolveInRoot(root, '/etc/systemd/system'),
  ];
  if ((await stat(etc, { throwIfNoEntry: false })) === undefined) return;
  const path = join(units, 'systemd-bless-boot.service');
  const before = await lstat(path).catch(() => undefined);
  if (before?.isSymbolicLink()) return;
  await mkdir(units, { recursive: true });
  if (before !== undefined) await unlink(path);
  await symlink('/dev/null', path);
}

/**
 * Makes sure that `loader.conf` leaves the choice to the order of our entries: the `default` of somebody else would win.
 * Without any, systemd-boot takes the first entry, and ours sort before those of distributions.
 */
export async function leaveChoiceToOrder(boot: string): Promise<void> {
  const path = join(boot, 'loader/loader.conf');
  const lines = (await text(path)).split('\n');
  const isDefault = (line: string): boolean => /^\s*default\s/.test(line);
  if (!lines.some((line) => isDefault(line) && line.trim() !== ownDefault)) return;
  await writeDurably(path, `${[ownDefault, ...lines.filter((line) => !isDefault(line))].join('\n')}\n`);
}

async function text(path: string): Promise<string> {
  const bytes = await readAtMost(path, maxTextBytes).catch(() => undefined);
  return bytes?.toString('utf8').trim() ?? '';
}
