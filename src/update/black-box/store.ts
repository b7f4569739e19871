import { join } from 'node:path';
import type { SlotArchive } from '#boot/slot-archive.ts';
import { blackBoxFolder } from '#boot/slot-archive.ts';
import type { BlackBox } from './record.ts';
import { boundedBlackBox, parseBlackBox } from './record.ts';

const extension = '.json';
const maxBoxes = 16;

/** What a slot keeps of returns, and the files among them that are none. */
export interface BlackBoxes {
  /** Oldest first. */
  readonly boxes: readonly BlackBox[];
  /** Names of files that are damaged or of another format. */
  readonly unreadable: readonly string[];
}

export async function readBlackBoxes(archive: SlotArchive): Promise<BlackBoxes> {
  const boxes: BlackBox[] = [];
  const unreadable: string[] = [];
  for (const name of await archive.list(blackBoxFolder)) {
    const path = join(blackBoxFolder, name);
    const box = parseBlackBox(await archive.read(path).catch(() => null));
    if (box !== undefined && name === fileOf(box.id)) boxes.push(box);
    else unreadable.push(path);
  }
  return { boxes, unreadable };
}

/** Writes one, durably, and lets the oldest go when there are too many. */
export async function writeBlackBox(archive: SlotArchive, box: BlackBox): Promise<void> {
  await archive.write(join(blackBoxFolder, fileOf(box.id)), boundedBlackBox(box));
  const names = await archive.list(blackBoxFolder);
  const others = names.filter((name) => name !== fileOf(box.id));
  for (const name of others.slice(0, Math.max(0, names.length - maxBoxes))) {
    await archive.remove(join(blackBoxFolder, name));
  }
}

/**
 * `20261122-223501-9f3a`: sorts by time, and can be read out on the telephone. Never before one of `boxes`, whatever the
 * clock says: a machine may start in 1970, and learn the time later or never.
 */
export function newBlackBoxId(
  at: number,
  chance: string,
  boxes: readonly Pick<BlackBox, 'id'>[] = [],
): string {
  const newest = timeOf(boxes.at(-1)?.id ?? '');
  const when = newest < at || Number.isNaN(newest) ? at : newest + 1000;
  const [day = '', time = ''] = new Date(when).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').split('T');
  return `${day}-${time}-${chance}`;
}

/** What an id says, in milliseconds; NaN when it is none. */
function timeOf(id: string): number {
  return Date.parse(id.replace(/^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-.*$/, '$1-$2-$3T$4:$5:$6Z'));
}

function fileOf(id: string): string {
  return `${id}${extension}`;
}
