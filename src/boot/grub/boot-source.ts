import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { kernelsIn } from '#boot/kernels.ts';
import type { SlotId } from '#boot/slots.ts';
import { resolveInRoot } from '#host/root-path.ts';
import { defaultArguments, slotArguments, splitCommandLine } from './kernel-arguments.ts';
import type { GrubLayout } from './layout.ts';
import { legacyFolder } from './legacy.ts';
import type { MenuEntry } from './menu.ts';
import { parseMenu } from './menu.ts';
import type { BootSource } from './slot-folder.ts';
import { slotFolder } from './slot-folder.ts';

export interface FindSource {
  readonly layout: GrubLayout;
  /** "/" of the running release. */
  readonly activeRoot: string;
  /** The grub.cfg that is in force. */
  readonly menu: string;
  /** The entry that the slot had, usable or not. */
  readonly before: MenuEntry | undefined;
  /** Words to add to the command line. */
  readonly added: string;
}

/** Kernel, initrd and command line without what depends on the slot. */
type Found = Omit<BootSource, 'arguments'> & { readonly arguments: readonly string[] | undefined };

/**
 * Finds out what a slot is booted with on a disk whose menu is not ours: what the running kernel was started with, else
 * what the menu in force starts with this slot's root, else a kernel in the places where clients and distributions
 * put them. Undefined when nothing whole is found.
 */
export async function findBootSource(slot: SlotId, find: FindSource): Promise<BootSource | undefined> {
  const { layout, activeRoot, menu, added } = find;
  const uuid = layout.devices[slot].filesystem?.uuid;
  if (uuid === undefined) return undefined;
  const entries = parseMenu(menu);
  const ofSlot = entries.filter(({ arguments: words }) => words.includes(`root=UUID=${uuid}`));
  const isRunning = slot === layout.booted;
  const running = isRunning ? await runningKernel(activeRoot) : undefined;
  const found =
    (running === undefined ? undefined : await fromCommandLine(layout, running, entries)) ??
    (await fromEntries(layout, ofSlot)) ??
    (await fromFolders(await foldersOf(layout, slot, isRunning), running?.release));
  if (found === undefined) return undefined;
  const words =
    running?.arguments ??
    found.arguments ??
    (await defaultArguments(activeRoot)) ??
    ofSlot[0]?.arguments ??
    find.before?.arguments ??
    [];
  return { ...found, arguments: slotArguments(words, uuid, added) };
}

interface RunningKernel {
  readonly release: string;
  readonly arguments: readonly string[];
  /** As GRUB named it: a path on the boot partition. */
  readonly image: string | undefined;
}

/** Undefined where the release does not run: its disk is worked on from outside. */
async function runningKernel(activeRoot: string): Promise<RunningKernel | undefined> {
  const [line, release] = [
    await procText(activeRoot, 'cmdline'),
    await procText(activeRoot, 'sys/kernel/osrelease'),
  ];
  if (line === '') return undefined;
  const words = splitCommandLine(line);
  const image = words.find((word) => word.startsWith('BOOT_IMAGE='))?.slice('BOOT_IMAGE='.length);
  return {
    release,
    arguments: words,
    image: image?.replace(/^\([^)]*\)/, ''),
  };
}

async function procText(activeRoot: string, name: string): Promise<string> {
  return (await readFile(join(activeRoot, 'proc', name), 'utf8').catch(() => '')).trim();
}

async function fromCommandLine(
  layout: GrubLayout,
  { image }: RunningKernel,
  entries: readonly MenuEntry[],
): Promise<Found | undefined> {
  if (image === undefined) return undefined;
  const entry = entries.find(({ kernel }) => kernel === image);
  if (entry !== undefined) return fromEntries(layout, [entry]);
  const kernel = await fileOnBoot(layout, image);
  if (kernel === undefined) return undefined;
  const directory = dirname(kernel);
  const whole = (await kernelsIn(directory)).find((one) => join(directory, one.kernel) === kernel);
  if (whole === undefined) return undefined;
  return { kernel, initrds: whole.initrds.map((name) => join(directory, name)), arguments: undefined };
}

/** The first entry all of whose files exist. */
async function fromEntries(layout: GrubLayout, entries: readonly MenuEntry[]): Promise<Found | undefined> {
  for (const entry of entries) {
    const [kernel, ...initrds] = await Promise.all(
      [entry.kernel, ...entry.initrds].map((path) => fileOnBoot(layout, path)),
    );
    const there = initrds.filter((path) => path !== undefined);
    if (kernel === undefined || there.length !== entry.initrds.length) continue;
    return { kernel, initrds: there, arguments: entry.arguments };
  }
  return undefined;
}

async function fromFolders(
  folders: readonly string[],
  release: string | undefined,
): Promise<Found | undefined> {
  for (const folder of folders) {
    const kernels = await kernelsIn(folder).catch(() => []);
    const kernel = kernels.find(({ version }) => version === release) ?? kernels[0];
    if (kernel === undefined) continue;
    const initrds = kernel.initrds.map((name) => join(folder, name));
    return { kernel: join(folder, kernel.kernel), initrds, arguments: undefined };
  }
  return undefined;
}

/** What lies in `/boot` itself belongs to the running release. */
async function foldersOf(layout: GrubLayout, slot: SlotId, isRunning: boolean): Promise<readonly string[]> {
  const legacy = await legacyFolder(layout, slot);
  return [
    ...(legacy === undefined ? [] : [legacy]),
    slotFolder(layout, slot),
    ...(isRunning ? [layout.partition.mountPoint] : []),
  ];
}

/** Follows links as GRUB does, never out of the boot partition. */
async function fileOnBoot({ partition }: GrubLayout, path: string): Promise<string | undefined> {
  const real = await resolveInRoot(partition.mountPoint, path).catch(() => undefined);
  if (real === undefined) return undefined;
  const found = await stat(real, { throwIfNoEntry: false }).catch(() => undefined);
  return found?.isFile() === true && found.size > 0 ? real : undefined;
}
