import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kernel } from '#boot/kernels.ts';
import type { SlotId } from '#boot/slots.ts';
import {
  copyDurably,
  makeDirectoryDurably,
  readAtMost,
  removeDurably,
  writeDurably,
} from '#host/durable-file.ts';
import type { EntryContents } from './entries.ts';
import { formatContents, parseContents } from './entries.ts';

/** Describes what lies beside it, so that an entry for the slot can be written at any time. Written last. */
const descriptionName = 'entry';

/**
 * Replaces the kernel of a slot on the boot partition; each slot has its own directory. The slot has no entry meanwhile:
 * what its directory holds may be of two releases. Errors: those of the file system.
 */
export async function replaceKernel(
  boot: string,
  slot: SlotId,
  from: { readonly directory: string; readonly kernel: Kernel },
  options: string,
): Promise<void> {
  const folder = folderOf(slot);
  const directory = join(boot, folder);
  const { version, kernel, initrds } = from.kernel;
  await makeDirectoryDurably(directory);
  // Room for the new ones is made first: boot partitions are small.
  await removeDurably(join(directory, descriptionName));
  for (const name of await readdir(directory)) await removeDurably(join(directory, name));
  for (const name of [kernel, ...initrds]) {
    await copyDurably(join(from.directory, name), join(directory, name));
  }
  const contents: EntryContents = {
    title: `${slot} (${version})`,
    linux: `/${folder}/${kernel}`,
    initrds: initrds.map((name) => `/${folder}/${name}`),
    options,
  };
  await describeKernel(boot, slot, contents);
}

export async function describeKernel(boot: string, slot: SlotId, contents: EntryContents): Promise<void> {
  const directory = join(boot, folderOf(slot));
  await makeDirectoryDurably(directory);
  await writeDurably(join(directory, descriptionName), formatContents(contents));
}

/** What an entry for the slot would boot; undefined when its directory does not hold a whole kernel. */
export async function describedKernel(boot: string, slot: SlotId): Promise<EntryContents | undefined> {
  const text = await readAtMost(join(boot, folderOf(slot), descriptionName), 64 * 1024);
  return text === undefined ? undefined : parseContents(text.toString('utf8'));
}

/** The first file that an entry needs and that is not on the boot partition; undefined when all are there. */
export async function missingFile(boot: string, entry: EntryContents): Promise<string | undefined> {
  if (entry.linux === '') return 'linux';
  for (const path of [entry.linux, ...entry.initrds]) {
    const found = await stat(join(boot, path), { throwIfNoEntry: false });
    if (found === undefined || found.size === 0) return path;
  }
  return undefined;
}

function folderOf(slot: SlotId): string {
  return `ota-${slot}`;
}
