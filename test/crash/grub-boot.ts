import { hash } from 'node:crypto';
import type { SlotId } from '#boot/slots.ts';
import { otherSlot, slotIds } from '#boot/slots.ts';
import { Ext4View } from './ext4-view.ts';

/** What GRUB would do with a boot partition, read as GRUB reads it. */
export interface GrubBoot {
  /** What the next boot takes; undefined when GRUB finds nothing to boot. */
  readonly next: BootedEntry | undefined;
  /** What every boot after it takes. */
  readonly standard: BootedEntry | undefined;
  /** Files that are neither missing nor what somebody wrote. */
  readonly problems: readonly string[];
}

export interface BootedEntry {
  readonly slot: SlotId;
  /** Hashes of kernel and initrd. */
  readonly files: string;
}

const blockBytes = 1024;
const header = '# GRUB Environment Block\n';

/** Variables of an environment block; undefined when GRUB refuses it. */
export function parseEnvironment(block: Buffer | undefined): ReadonlyMap<string, string> | undefined {
  if (block === undefined || block.length !== blockBytes) return undefined;
  const text = block.toString('latin1');
  if (!text.startsWith(header)) return undefined;
  const variables = new Map<string, string>();
  for (const line of text.slice(header.length).split('\n')) {
    const at = line.indexOf('=');
    if (!line.startsWith('#') && at > 0) variables.set(line.slice(0, at), line.slice(at + 1));
  }
  return variables;
}

/** What GRUB's `save_env next_entry` leaves of a block once it has been read: the choice for one boot is gone. */
export function consumeNextEntry(block: Buffer): Buffer {
  const variables = [...(parseEnvironment(block) ?? new Map())].map(
    ([name, value]) => `${name}=${name === 'next_entry' ? '' : value}\n`,
  );
  return Buffer.from(`${header}${variables.join('')}`.padEnd(blockBytes, '#'), 'latin1');
}

/** Hashes of kernel and initrd, in this order. */
export function hashKernels(contents: readonly Buffer[]): string {
  return contents.map((content) => hash('sha256', content).slice(0, 20)).join(' ');
}

/**
 * Plays the menu of the disk: the environment block says what comes first, `ota-default.cfg` says it when there is none, and
 * an entry whose file or kernel is missing leaves the other one in its place.
 * Errors: Error when the file system is damaged where GRUB reads it.
 */
export function readGrubBoot(partition: Buffer): GrubBoot {
  const view = new Ext4View(partition);
  const text = (path: string): string | undefined => unlessDamaged(() => view.read(path))?.toString('latin1');
  const main = text('/grub/grub.cfg') ?? '';
  if (!main.includes('ota-slot_a.cfg')) return distributionBoot(view, main);
  const problems: string[] = [];
  if (!main.startsWith('#') || !main.endsWith('done\n'))
    problems.push(`grub.cfg is torn: ${main.slice(-80)}`);
  const fallback = /^set ota_default=(slot_[ab])\n$/.exec(text('/grub/ota-default.cfg') ?? '')?.[1];
  const variables = parseEnvironment(unlessDamaged(() => view.read('/grub/grubenv')));
  const standard = slotNamed(variables?.get('saved_entry')) ?? slotNamed(fallback) ?? 'slot_a';
  const first = slotNamed(variables?.get('next_entry')) ?? standard;
  const boot = (slot: SlotId): BootedEntry | undefined => {
    for (const one of [slot, otherSlot(slot)]) {
      const entry = entryOf(one, view, text(`/grub/ota-${one}.cfg`));
      if (entry === undefined) continue;
      if ('files' in entry) return entry;
      problems.push(entry.problem);
    }
    return undefined;
  };
  return { next: boot(first), standard: boot(standard), problems };
}

/** The choice for one boot, as the block has it. */
export function hasOneShotChoice(partition: Buffer): boolean {
  const block = unlessDamaged(() => new Ext4View(partition).read('/grub/grubenv'));
  return (parseEnvironment(block)?.get('next_entry') ?? '') !== '';
}

/** A disk as a distribution's installer leaves it boots what its only menu entry names. */
function distributionBoot(view: Ext4View, main: string): GrubBoot {
  const entry = entryOf('slot_a', view, main);
  if (entry === undefined || 'problem' in entry) {
    return { next: undefined, standard: undefined, problems: [entry?.problem ?? 'grub.cfg boots nothing'] };
  }
  return { next: entry, standard: entry, problems: [] };
}

/** By its role, or as the menu calls it. */
function slotNamed(entry: string | undefined): SlotId | undefined {
  return slotIds.find((slot) => slot === entry || `ota-${slot}` === entry);
}

/** Undefined when the entry is not there, or names files that are not: GRUB passes over it. */
function entryOf(
  slot: SlotId,
  view: Ext4View,
  menu: string | undefined,
): BootedEntry | { readonly problem: string } | undefined {
  if (menu === undefined || menu === '') return undefined;
  const kernel = /^\s*linux\s+(\S+)/m.exec(menu)?.[1];
  const initrd = /^\s*initrd\s+(.+)$/m.exec(menu)?.[1]?.trim().split(/\s+/);
  if (kernel === undefined || initrd === undefined || !menu.endsWith('}\n')) {
    return { problem: `the entry of ${slot} is torn: ${JSON.stringify(menu.slice(0, 200))}` };
  }
  const contents: Buffer[] = [];
  for (const path of [kernel, ...initrd]) {
    const content = unlessDamaged(() => view.read(path));
    if (content === undefined || content.length === 0) return undefined;
    contents.push(content);
  }
  return { slot, files: hashKernels(contents) };
}

/** What GRUB cannot find its way to is not there for it. */
function unlessDamaged<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
