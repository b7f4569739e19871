import { readdir } from 'node:fs/promises';
import { readAtMost } from '#host/durable-file.ts';
import { entryAt } from '#host/entry-at.ts';
import { resolveInRoot } from '#host/root-path.ts';

const maxDefaultsBytes = 256 * 1024;

/** What a boot loader adds by itself, or what depends on the slot. */
const ofTheSlot = /^(?:root|BOOT_IMAGE|initrd|rootfstype)=|^rootflags=(?:.*,)?subvol/;

/** Words of a kernel command line; double quotes keep spaces together and are taken off. */
export function splitCommandLine(line: string): readonly string[] {
  return (line.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? []).map((word) => word.replaceAll('"', ''));
}

/**
 * The command line that a slot is booted with: `base` without what belongs to another slot, this slot's root, and
 * `added`, which comes last because the kernel takes the last word of a key.
 */
export function slotArguments(base: readonly string[], rootUuid: string, added: string): readonly string[] {
  const more = splitCommandLine(added);
  const kept = base.filter((word) => !ofTheSlot.test(word) && !more.includes(word));
  const mode = kept.some((word) => word === 'ro' || word === 'rw') ? [] : ['ro'];
  return [`root=UUID=${rootUuid}`, ...mode, ...kept, ...more];
}

/**
 * Words that `/etc/default/grub` and `/etc/default/grub.d/*.cfg` of a tree give to every kernel; undefined where neither
 * sets any. They are shell scripts: assignments are understood, the last of a name wins, and a value that would need a
 * shell to be known counts as not set.
 */
export async function defaultArguments(root: string): Promise<readonly string[] | undefined> {
  const values = new Map<string, string>();
  for (const path of await defaultFiles(root)) {
    const text = (await readAtMost(path, maxDefaultsBytes))?.toString('utf8') ?? '';
    for (const line of text.split('\n')) assign(line, values);
  }
  const all = values.get('GRUB_CMDLINE_LINUX');
  const usual = values.get('GRUB_CMDLINE_LINUX_DEFAULT');
  if (all === undefined && usual === undefined) return undefined;
  return splitCommandLine(`${all ?? ''} ${usual ?? ''}`);
}

async function defaultFiles(root: string): Promise<readonly string[]> {
  const directory = await resolveInRoot(root, '/etc/default/grub.d').catch(() => undefined);
  const names = directory === undefined ? [] : await readdir(directory).catch((): string[] => []);
  const parts = names.filter((name) => name.endsWith('.cfg')).sort();
  const found: string[] = [];
  for (const path of ['/etc/default/grub', ...parts.map((name) => `/etc/default/grub.d/${name}`)]) {
    const real = await resolveInRoot(root, path).catch(() => undefined);
    if (real !== undefined && (await entryAt(real))?.isFile()) found.push(real);
  }
  return found;
}

function assign(line: string, values: Map<string, string>): void {
  const match = /^\s*(?:export\s+)?(GRUB_\w+)=(.*?)\s*$/.exec(line);
  if (match === null) return;
  const [, name = '', raw = ''] = match;
  const value = shellValue(raw, values);
  if (value === undefined) values.delete(name);
  else values.set(name, value);
}

/** Undefined for what needs a shell. */
function shellValue(raw: string, values: ReadonlyMap<string, string>): string | undefined {
  let value = '';
  let rest = raw;
  while (rest !== '' && !/^\s/.test(rest)) {
    const piece = /^'([^']*)'|^"((?:[^"\\]|\\.)*)"|^([^'"\s\\]+)|^\\(.)/.exec(rest);
    if (piece === null) return undefined;
    rest = rest.slice(piece[0].length);
    const [, literal, quoted, bare, escaped] = piece;
    const open = quoted ?? bare;
    if (open === undefined) {
      value += literal ?? escaped ?? '';
      continue;
    }
    const known = open.replace(/(?<!\\)\$(?:\{(\w+)\}|(\w+))/g, (_, a?: string, b?: string) => {
      return values.get(a ?? b ?? '') ?? '';
    });
    if (/(?<!\\)[$`]/.test(known)) return undefined;
    value += known.replace(/\\(["\\$`])/g, '$1');
  }
  return value;
}
