import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SlotId } from '#boot/slots.ts';
import { slotIds } from '#boot/slots.ts';
import { makeDirectoryDurably, readAtMost, removeDurably, writeDurably } from '#host/durable-file.ts';

/** What an entry boots; everything that the place in the order does not depend on. Paths begin at the boot partition. */
export interface EntryContents {
  readonly title: string;
  readonly linux: string;
  readonly initrds: readonly string[];
  readonly options: string;
}

/** One of our entries: `loader/entries/ota-slot_b+1.conf`. */
export interface BootEntry extends EntryContents {
  readonly slot: SlotId;
  /** Name of its file. */
  readonly file: string;
  /** Boots that may still be tried; undefined for one that counts as good. */
  readonly triesLeft: number | undefined;
  /** Among ours the highest goes first. */
  readonly version: number;
}

const maxEntryBytes = 64 * 1024;
/** Below every other: entries of distributions have their name or a machine id here. */
const sortKey = '0-ota';
const entryName = /^ota-(slot_[ab])(?:\+(\d+)(?:-\d+)?)?\.conf$/;

/**
 * Our entries on the boot partition, in the order of the Boot Loader Specification (UAPI.1, "Sorting"): exhausted ones
 * last, then by version, the highest first. systemd-boot takes the first. Errors: those of the file system.
 */
export async function readEntries(boot: string): Promise<readonly BootEntry[]> {
  const directory = join(boot, 'loader/entries');
  const found: BootEntry[] = [];
  for (const file of await readdir(directory).catch((): string[] => [])) {
    const [, role, left] = entryName.exec(file) ?? [];
    const slot = slotIds.find((id) => id === role);
    if (slot === undefined) continue;
    const text = (await readAtMost(join(directory, file), maxEntryBytes))?.toString('utf8') ?? '';
    const version = Number(fields(text).get('version')?.[0] ?? '0');
    found.push({
      ...parseContents(text),
      slot,
      file,
      triesLeft: left === undefined ? undefined : Number(left),
      version: Number.isSafeInteger(version) ? version : 0,
    });
  }
  return found.sort((a, b) => Number(a.triesLeft === 0) - Number(b.triesLeft === 0) || b.version - a.version);
}

/** Puts an entry there before it takes the slot's other entries away, so that a cut in between leaves one. */
export async function replaceEntry(
  boot: string,
  slot: SlotId,
  contents: EntryContents,
  order: { readonly triesLeft: number | undefined; readonly version: number },
): Promise<void> {
  const file = `ota-${slot}${order.triesLeft === undefined ? '' : `+${order.triesLeft}`}.conf`;
  const directory = join(boot, 'loader/entries');
  await makeDirectoryDurably(directory);
  await writeDurably(join(directory, file), formatEntry(contents, order.version));
  await removeEntries(boot, (entry) => entry.slot === slot && entry.file !== file);
}

export async function removeEntries(boot: string, which: (entry: BootEntry) => boolean): Promise<void> {
  for (const entry of await readEntries(boot)) {
    if (which(entry)) await removeDurably(join(boot, 'loader/entries', entry.file));
  }
}

/** What an entry, or the description of a slot's kernels, boots. Unknown fields are left out. */
export function parseContents(text: string): EntryContents {
  const all = fields(text);
  return {
    title: all.get('title')?.[0] ?? '',
    linux: all.get('linux')?.[0] ?? '',
    initrds: all.get('initrd') ?? [],
    options: (all.get('options') ?? []).join(' '),
  };
}

export function formatContents({ title, linux, initrds, options }: EntryContents): string {
  return [
    `title ${title}`,
    `linux ${linux}`,
    ...initrds.map((one) => `initrd ${one}`),
    `options ${options}`,
    '',
  ].join('\n');
}

function formatEntry(contents: EntryContents, version: number): string {
  return `# Written by the OTA client\nsort-key ${sortKey}\nversion ${version}\n${formatContents(contents)}`;
}

function fields(text: string): ReadonlyMap<string, readonly string[]> {
  const all = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, key, value] = /^\s*([a-z][a-z-]*)\s+(.*?)\s*$/i.exec(line) ?? [];
    if (key !== undefined && value !== undefined) all.set(key, [...(all.get(key) ?? []), value]);
  }
  return all;
}
