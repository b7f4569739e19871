import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { BootLoader } from '#boot/boot-loader.ts';
import type { SlotId } from '#boot/slots.ts';
import { otherSlot, slotIds } from '#boot/slots.ts';
import type { StatusMirror } from '#boot/status-files.ts';
import { makeDirectoryDurably, readAtMost, removeDurably, writeDurably } from '#host/durable-file.ts';
import type { GrubLayout } from './layout.ts';
import { slotNames } from './menu.ts';
import { slotFolder } from './slot-folder.ts';

const maxStatusBytes = 64 * 1024;
const folderPrefix = 'ota-partition.';

/** In the order in which they are taken over: the word that decides comes last. */
const statusFiles = ['version_detail', 'version', 'slot_in_use', 'status'];

/**
 * The folder that the first generation of existing clients kept for a slot: `ota-partition.sda3`, where the letters were
 * fixed and only the number of the partition counts. Undefined when there is none.
 */
export async function legacyFolder(layout: GrubLayout, slot: SlotId): Promise<string | undefined> {
  const items = await readdir(layout.partition.mountPoint, { withFileTypes: true });
  const names = items.filter((item) => item.isDirectory()).map(({ name }) => name);
  const ofSlot = names.filter((name) => slotOfDevice(layout, name, folderPrefix) === slot).sort();
  // Another name is what an even older client called the same partition.
  const name = ofSlot.find((one) => one.startsWith(`${folderPrefix}sda`)) ?? ofSlot[0];
  return name === undefined ? undefined : join(layout.partition.mountPoint, name);
}

/** Clients of that generation may be what the other slot holds: they read what we say there. */
export async function legacyMirrors(
  layout: GrubLayout,
): Promise<Readonly<Record<SlotId, StatusMirror | undefined>>> {
  const folders = {
    slot_a: await legacyFolder(layout, 'slot_a'),
    slot_b: await legacyFolder(layout, 'slot_b'),
  };
  const nameOf = (slot: SlotId): string =>
    folders[slot] === undefined
      ? `sda${layout.devices[slot].partition}`
      : basename(folders[slot]).slice(folderPrefix.length);
  const names = { slot_a: nameOf('slot_a'), slot_b: nameOf('slot_b') };
  const mirror = (directory: string | undefined): StatusMirror | undefined =>
    directory === undefined ? undefined : { directory, names };
  return { slot_a: mirror(folders.slot_a), slot_b: mirror(folders.slot_b) };
}

/**
 * Takes over the status of both slots, that of the running one last. May be cut off and made again: the old files decide
 * until our menu is in force.
 */
export async function takeOverStatus(layout: GrubLayout): Promise<void> {
  for (const slot of [otherSlot(layout.booted), layout.booted]) {
    const from = await legacyFolder(layout, slot);
    if (from === undefined) continue;
    const to = slotFolder(layout, slot);
    await makeDirectoryDurably(to);
    for (const name of statusFiles) {
      const bytes = await readAtMost(join(from, name), maxStatusBytes);
      const text = bytes?.toString('utf8') ?? '';
      const slotInUse = slotOfDevice(layout, text.trim(), '');
      const named = slotInUse === undefined ? '' : slotNames[slotInUse];
      const value = name === 'slot_in_use' ? named : text;
      if (value === '') await removeDurably(join(to, name));
      else await writeDurably(join(to, name), value);
    }
  }
}

/** `sda3`, `ota-partition.nvme0n1p3`: what the number at its end means on this disk. */
function slotOfDevice(
  { devices }: Pick<BootLoader, 'devices'>,
  name: string,
  prefix: string,
): SlotId | undefined {
  if (!name.startsWith(prefix)) return undefined;
  const number = /^[a-z]\w*?p?(\d+)$/.exec(name.slice(prefix.length))?.[1];
  return slotIds.find((slot) => number !== undefined && devices[slot].partition === Number(number));
}
