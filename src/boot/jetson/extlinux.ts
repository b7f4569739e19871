import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BootError } from '#boot/boot-error.ts';
import { makeDirectoryDurably, readAtMost, writeDurably } from '#host/durable-file.ts';
import { entryAt } from '#host/entry-at.ts';
import { resolveInRoot } from '#host/root-path.ts';

const maxBytes = 256 * 1024;
const place = 'boot/extlinux/extlinux.conf';

/**
 * Has the standby slot's own extlinux.conf mount the standby slot. A release without one gets that of the running
 * release. Errors: BootError `switch_failed`, when the result could not be booted, and those of the file system.
 */
export async function installExtlinux(root: string, activeRoot: string, partUuid: string): Promise<void> {
  if (partUuid === '') {
    throw new BootError(
      'switch_failed',
      'the partition of the standby slot has no PARTUUID; lay the disk out with GPT',
    );
  }
  // A link in the image could lead out of the slot.
  for (const name of ['boot', 'boot/extlinux']) await requireOwnDirectory(root, name);
  // Loaders follow a link of the slot inside the slot.
  const path = await resolveInRoot(root, place);
  const own = await readAtMost(path, maxBytes);
  const text = (own ?? (await readAtMost(await resolveInRoot(activeRoot, place), maxBytes)))?.toString(
    'latin1',
  );
  if (text === undefined) {
    throw new BootError(
      'switch_failed',
      `neither the release nor the running one has /${place}; rebuild the image`,
    );
  }
  const written = withRoot(text, `PARTUUID=${partUuid}`);
  await requireBootable(root, written);
  if (own === undefined) await makeDirectoryDurably(dirname(path));
  if (own === undefined || written !== text) await writeDurably(path, Buffer.from(written, 'latin1'));
}

/**
 * Every command line gets the root; comments and ends of lines stay. Errors: BootError `switch_failed` when there is none.
 */
export function withRoot(text: string, root: string): string {
  let appended = 0;
  const lines = text.split('\n').map((line) => {
    const end = line.endsWith('\r') ? '\r' : '';
    const found = /^(\s*APPEND)(\s.*)?$/i.exec(end === '' ? line : line.slice(0, -1));
    if (found === null) return line;
    appended += 1;
    const [, keyword = '', rest = ''] = found;
    const words = rest.split(/\s+/).filter((word) => word !== '');
    const at = words.findIndex((word) => word.startsWith('root='));
    const others = words.filter((word) => !word.startsWith('root='));
    const changed = others.toSpliced(at < 0 ? others.length : at, 0, `root=${root}`);
    return `${keyword} ${changed.join(' ')}${end}`;
  });
  if (appended > 0) return lines.join('\n');
  throw new BootError(
    'switch_failed',
    `/${place} has no APPEND line, so that no root can be named; rebuild the image`,
  );
}

/**
 * The default entry must have a command line, and its kernel must be in the release. CBoot takes its own where no entry
 * names one.
 */
async function requireBootable(root: string, text: string): Promise<void> {
  const wanted = /^\s*DEFAULT\s+(\S+)/im.exec(text)?.[1];
  const blocks = text.split(/^\s*LABEL\s+/im).slice(1);
  const block = blocks.find((one) => one.split(/\s/, 1)[0] === wanted) ?? blocks[0] ?? text;
  if (!/^\s*APPEND(?:\s|$)/im.test(block)) {
    throw new BootError(
      'switch_failed',
      `/${place} boots by its entry ${block.split(/\s/, 1)[0]}, which has no APPEND line, so that no root can be ` +
        'named; rebuild the image',
    );
  }
  for (const keyword of ['LINUX', 'INITRD']) {
    const path = new RegExp(`^\\s*${keyword}\\s+(\\S+)`, 'im').exec(block)?.[1];
    if (path === undefined || (await isWhole(await resolveInRoot(root, path)))) continue;
    throw new BootError(
      'switch_failed',
      `/${place} boots ${path}, which the release does not have, or has without content; rebuild the image`,
    );
  }
}

async function requireOwnDirectory(root: string, name: string): Promise<void> {
  const stats = await lstat(join(root, name)).catch(() => undefined);
  if (stats === undefined || stats.isDirectory()) return;
  throw new BootError('switch_failed', `/${name} of the release is not a directory; rebuild the image`);
}

async function isWhole(path: string): Promise<boolean> {
  const found = await entryAt(path);
  return found !== undefined && found.isFile() && found.size > 0;
}
