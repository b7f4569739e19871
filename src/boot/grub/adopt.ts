import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BootError } from '#boot/boot-error.ts';
import type { LoaderSetting } from '#boot/boot-loader.ts';
import type { SlotId } from '#boot/slots.ts';
import { otherSlot, slotIds } from '#boot/slots.ts';
import { StatusFiles } from '#boot/status-files.ts';
import { readAtMost, sweepTemporaries } from '#host/durable-file.ts';
import { entryAt } from '#host/entry-at.ts';
import { settle, thaw } from '#host/settled-file.ts';
import { findBootSource } from './boot-source.ts';
import type { GrubEnvironment, GrubenvFile } from './grubenv.ts';
import type { GrubLayout } from './layout.ts';
import { legacyFolder, takeOverStatus } from './legacy.ts';
import {
  defaultMenuName,
  formatDefaultMenu,
  formatMenu,
  isOwnMenu,
  keptLines,
  showsSlots,
  slotCalled,
  slotNames,
} from './menu.ts';
import { bootableEntry, entryOf, putKernel, replaceMenu, slotFolder } from './slot-folder.ts';

const menuName = 'grub.cfg';
const maxMenuBytes = 1024 * 1024;

/** Whose menu a disk is booted with. */
type MenuOrigin =
  | 'ours'
  /** An existing client's since 3.14: `ota-slot_a.cfg` and `ota-slot_b.cfg`. */
  | 'slot_folders'
  /** An existing client's before that: a link into `ota-partition`. */
  | 'partition_folders'
  /** A distribution's, made by grub-mkconfig. */
  | 'distribution';

interface Adoption {
  readonly setting: LoaderSetting;
  readonly layout: GrubLayout;
  readonly environment: GrubenvFile;
}

/** Errors: those of the file system. */
async function menuOrigin({ grubDirectory }: GrubLayout): Promise<MenuOrigin> {
  const link = (await entryAt(join(grubDirectory, menuName)))?.isSymbolicLink();
  if (link) return 'partition_folders';
  const text = await menuText(grubDirectory);
  if (isOwnMenu(text)) return 'ours';
  return showsSlots(text) ? 'slot_folders' : 'distribution';
}

/**
 * Makes the disk one that our menu boots, from whatever it is; where that is done it only looks. What is in force stays so
 * until one rename puts our `grub.cfg` in its place; everything before may be cut off and is made again. That it is done
 * is seen by the menu that boots, never by status files. Errors: BootError `startup_failed`.
 */
export async function adopt({ setting, layout, environment }: Adoption, signal: AbortSignal): Promise<void> {
  await sweep(layout, signal);
  const origin = await menuOrigin(layout);
  const menu = await menuText(layout.grubDirectory);
  const before = await environment.read();
  const old = await isFirstGeneration(layout, origin);
  if (old) await takeOverStatus(layout);
  for (const slot of [layout.booted, otherSlot(layout.booted)]) {
    const entry = await bootableEntry(layout, slot);
    if (!old && (entry !== undefined || slot !== layout.booted)) continue;
    const find = {
      layout,
      activeRoot: setting.activeRoot,
      menu,
      before: await entryOf(layout, slot),
      added: setting.options.kernelArguments,
    };
    const source = await findBootSource(slot, find);
    if (source !== undefined) await putKernel(layout, slot, source, 'link', signal);
    else if (slot === layout.booted) throw kernelMissing(layout);
  }
  const standard = await defaultSlot(layout, old, before);
  await environment.change({ saved_entry: slotNames[standard], ...withoutForeign(before, old) }, signal);
  await replaceMenu(layout, defaultMenuName, formatDefaultMenu(standard), signal);
  await replaceMenu(layout, menuName, formatMenu(keptLines(menu)), signal);
  if (origin !== 'ours') {
    setting.log.info({ origin, booted: layout.booted, default: standard }, 'took over the boot menu of GRUB');
  }
}

/** Whether the old folders of an existing client decide: by its menu, or where somebody replaced that, by ours being empty. */
async function isFirstGeneration(layout: GrubLayout, origin: MenuOrigin): Promise<boolean> {
  if (origin !== 'distribution') return origin === 'partition_folders';
  const own = await new StatusFiles(slotFolder(layout, layout.booted)).status();
  return own === undefined && (await legacyFolder(layout, layout.booted)) !== undefined;
}

/** What interrupted writes left may be all that GRUB sees until the file system is settled. */
async function sweep(layout: GrubLayout, signal: AbortSignal): Promise<void> {
  await thaw(layout.partition);
  for (const directory of [layout.grubDirectory, ...slotIds.map((slot) => slotFolder(layout, slot))]) {
    const names = await readdir(directory).catch((): string[] => []);
    if (!names.some((name) => name.startsWith('.ota-tmp-'))) continue;
    await settle(layout.partition, signal);
    await sweepTemporaries(directory);
  }
}

/**
 * The slot to boot by default. What the environment block says holds where it named slots before; else the running one,
 * unless it is on trial and the other one can be booted.
 */
async function defaultSlot(layout: GrubLayout, old: boolean, environment: GrubEnvironment): Promise<SlotId> {
  const other = otherSlot(layout.booted);
  const otherBoots = (await bootableEntry(layout, other)) !== undefined;
  if (!otherBoots) return layout.booted;
  const known = slotCalled(environment.get('saved_entry'));
  if (known !== undefined && !old) return known;
  const status = await new StatusFiles(slotFolder(layout, layout.booted)).status();
  return status === 'UPDATING' || status === 'ROLLBACKING' ? other : layout.booted;
}

/** A one-shot choice in the words of another menu means nothing in ours. */
function withoutForeign(environment: GrubEnvironment, old: boolean): Readonly<Record<string, undefined>> {
  const next = environment.get('next_entry');
  const isSlot = slotCalled(next) !== undefined;
  return next !== undefined && next !== '' && (!isSlot || old) ? { next_entry: undefined } : {};
}

async function menuText(grubDirectory: string): Promise<string> {
  return (await readAtMost(join(grubDirectory, menuName), maxMenuBytes))?.toString('utf8') ?? '';
}

function kernelMissing({ booted, partition }: GrubLayout): BootError {
  return new BootError(
    'startup_failed',
    `the kernel of the running release (${booted}) was not found on the boot partition at ${partition.mountPoint}: ` +
      'neither what it was booted with nor a vmlinuz-VERSION with a matching initrd.img-VERSION; install the kernel ' +
      'package of the release again',
  );
}
