import { link, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { BootError } from '#boot/boot-error.ts';
import type { SlotId } from '#boot/slots.ts';
import { describeDevice } from '#host/block-device.ts';
import { copyDurably, makeDirectoryDurably, readAtMost, removeDurably } from '#host/durable-file.ts';
import { entryAt } from '#host/entry-at.ts';
import { sameContent } from '#host/same-content.ts';
import { removeSettled, replaceSettled, settle } from '#host/settled-file.ts';
import type { GrubLayout } from './layout.ts';
import { requireSpace } from './layout.ts';
import type { MenuEntry } from './menu.ts';
import { formatSlotMenu, parseMenu, slotMenuName, slotNames } from './menu.ts';

/** Files that a slot is booted with, as this process sees them, and its whole command line. */
export interface BootSource {
  readonly kernel: string;
  readonly initrds: readonly string[];
  readonly arguments: readonly string[];
}

const maxMenuBytes = 64 * 1024;
/** For directories, the menu and status files. */
const slackBytes = 64 * 1024;
const blockBytes = 4096;

/** What a kernel package puts into `/boot`. */
const kernelFile = /^(?:vmlinuz|initrd\.img|initrd|initramfs|System\.map|config)-|\.(?:img|cpio)$/;

/** The folder of a slot on the boot partition: its kernel and its status files. */
export function slotFolder({ partition }: GrubLayout, slot: SlotId): string {
  return join(partition.mountPoint, slotNames[slot]);
}

/** The entry of a slot, whether it can be booted or not. */
export async function entryOf(layout: GrubLayout, slot: SlotId): Promise<MenuEntry | undefined> {
  const bytes = await readAtMost(join(layout.grubDirectory, slotMenuName(slot)), maxMenuBytes);
  return parseMenu(bytes?.toString('utf8') ?? '')[0];
}

/**
 * What GRUB would boot for a slot; undefined when there is nothing whole: no entry, a file of it is missing, or its root
 * is not the file system that is in the slot now.
 */
export async function bootableEntry(layout: GrubLayout, slot: SlotId): Promise<MenuEntry | undefined> {
  const entry = await entryOf(layout, slot);
  if (entry === undefined || !(await rootIs(layout, slot, entry))) return undefined;
  for (const path of [entry.kernel, ...entry.initrds]) {
    const found = await stat(join(layout.partition.mountPoint, path), { throwIfNoEntry: false }).catch(
      () => undefined,
    );
    if (found === undefined || !found.isFile() || found.size === 0) return undefined;
  }
  return entry;
}

/**
 * Makes a slot bootable: its files into its folder, then its menu entry, then what the folder held before goes. Only this
 * slot's folder and menu are touched. `link` shares the files where the file system can, `copy` makes them its own.
 * Errors: BootError `prepare_failed` when the boot partition is full; those of the file system.
 */
export async function putKernel(
  layout: GrubLayout,
  slot: SlotId,
  source: BootSource,
  how: 'link' | 'copy',
  signal: AbortSignal,
): Promise<void> {
  const folder = slotFolder(layout, slot);
  await makeDirectoryDurably(folder);
  const files = [source.kernel, ...source.initrds];
  const missing: string[] = [];
  for (const path of files) {
    if (!(await sameContent(path, join(folder, basename(path))))) missing.push(path);
  }
  if (how === 'copy') await makeSpace(layout, slot, missing, files.map(nameOf), signal);
  for (const path of missing) {
    const to = join(folder, basename(path));
    if (how === 'copy' || !(await linked(path, to))) await copyDurably(path, to);
  }
  const prefix = `/${basename(folder)}/`;
  const entry: MenuEntry = {
    kernel: prefix + basename(source.kernel),
    initrds: source.initrds.map((path) => prefix + basename(path)),
    arguments: source.arguments,
  };
  await replaceMenu(layout, slotMenuName(slot), formatSlotMenu(slot, entry, layout.bootUuid), signal);
  await removeKernels(folder, files.map(nameOf));
}

/** Replaces a file in the directory of GRUB unless it has the content already. */
export async function replaceMenu(
  layout: GrubLayout,
  name: string,
  text: string,
  signal: AbortSignal,
): Promise<void> {
  const path = join(layout.grubDirectory, name);
  const isFile = (await entryAt(path))?.isFile() ?? false;
  const before = isFile ? await readAtMost(path, text.length * 4 + 1) : undefined;
  if (before?.toString('utf8') !== text) await replaceSettled(layout.partition, path, text, signal);
}

/** From here on GRUB neither boots a slot nor falls back to it. */
export async function withdrawMenu(layout: GrubLayout, slot: SlotId, signal: AbortSignal): Promise<void> {
  await removeSettled(layout.partition, join(layout.grubDirectory, slotMenuName(slot)), signal);
}

/** Whether an entry names what is in the slot now, which may have been made anew since the start. */
async function rootIs(layout: GrubLayout, slot: SlotId, entry: MenuEntry): Promise<boolean> {
  const { filesystem, partUuid } = await describeDevice(
    layout.devices[slot].path,
    new AbortController().signal,
  );
  if (filesystem === undefined) return false;
  const named = /^root=(UUID|PARTUUID)=(.+)$/.exec(
    entry.arguments.find((word) => word.startsWith('root=')) ?? '',
  );
  if (named === null) return true;
  return named[2]?.toLowerCase() === (named[1] === 'UUID' ? filesystem.uuid.toLowerCase() : partUuid);
}

/** Kernels that the slot had before make room, if they have to. */
async function makeSpace(
  layout: GrubLayout,
  slot: SlotId,
  files: readonly string[],
  keep: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  let bytes = slackBytes;
  for (const path of files) bytes += Math.ceil((await stat(path)).size / blockBytes) * blockBytes;
  const { mountPoint } = layout.partition;
  try {
    await requireSpace(mountPoint, bytes);
  } catch (error) {
    if (!(error instanceof BootError)) throw error;
    const folder = slotFolder(layout, slot);
    const before = (await readdir(folder)).filter((name) => kernelFile.test(name) && !keep.includes(name));
    let freed = 0;
    for (const name of before) freed += (await stat(join(folder, name))).size;
    await requireSpace(mountPoint, bytes - freed);
    // Its entry goes first: what it names is about to go.
    await withdrawMenu(layout, slot, signal);
    await removeKernels(folder, keep);
    // Blocks of removed files are free once the journal has it.
    await settle(layout.partition, signal);
    await requireSpace(mountPoint, bytes);
  }
}

async function removeKernels(folder: string, keep: readonly string[]): Promise<void> {
  for (const name of await readdir(folder)) {
    if (kernelFile.test(name) && !keep.includes(name)) await removeDurably(join(folder, name));
  }
}

/** False where hard links are not possible, or the name is taken by a file with another content. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch {
    return false;
  }
}

function nameOf(path: string): string {
  return basename(path);
}
