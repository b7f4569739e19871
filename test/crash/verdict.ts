import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { judgeBoot } from '#boot/judge.ts';
import type { SlotId } from '#boot/slots.ts';
import { otherSlot, slotIds } from '#boot/slots.ts';
import type { PersistedStatus, SlotRecord } from '#boot/status-files.ts';
import { StatusFiles } from '#boot/status-files.ts';
import type { FailureReport } from '#domain/status.ts';
import type { GrubBoot } from './grub-boot.ts';
import type { MountReport } from './mount-bench.ts';

/** What one slot's status files say, and which of them nobody has written like that. */
export interface StatusFacts {
  readonly status: PersistedStatus | undefined;
  readonly slotInUse: string;
  readonly failure: FailureReport | undefined;
  readonly record: SlotRecord | undefined;
  readonly version: string;
  readonly garbled: readonly string[];
}

export type BootFacts = Readonly<Record<SlotId, StatusFacts>>;

/** Which release a slot holds; undefined when it is none of them as a whole, and then how it differs from the nearest. */
export interface TreeFacts {
  readonly version: string | undefined;
  readonly differences: readonly string[];
}

/** What was promised from a position of the log on. */
export interface Promised {
  /** Position from which it holds. */
  readonly from: number;
  readonly what: string;
  /** Releases that may come up. */
  readonly may: readonly string[];
  /** The slot that the next boot must take. */
  readonly boots?: SlotId;
  /** The slot that must be the default, with the status SUCCESS. */
  readonly stays?: SlotId;
}

export interface CutFacts {
  /** As GRUB reads the boot partition; or why it cannot. */
  readonly grub: GrubBoot | { readonly unreadable: string };
  readonly boot: MountReport<BootFacts>;
  readonly slots: Readonly<Record<SlotId, MountReport<TreeFacts>>>;
  readonly promised: Promised;
  /** For each version the hashes of its kernel and initrd. */
  readonly kernels: ReadonlyMap<string, string>;
}

/** What the status files call the slots, and their folders on the boot partition. */
const slotNames = { slot_a: 'ota-slot_a', slot_b: 'ota-slot_b' } as const;

const shapes: Readonly<Record<string, RegExp>> = {
  status: /^[A-Z_]{5,20}$/,
  slot_in_use: /^ota-slot_[ab]$/,
  version: /^[\w.]+$/,
  version_detail: /^\{.*\}$/s,
  failure: /^\{.*\}$/s,
  slot: /^\{.*\}$/s,
};

/** Reads the status files of both slots on a mounted boot partition, with the code that the daemon has for it. */
export async function readBootFacts(root: string): Promise<BootFacts> {
  return { slot_a: await statusFacts(root, 'slot_a'), slot_b: await statusFacts(root, 'slot_b') };
}

async function statusFacts(root: string, slot: SlotId): Promise<StatusFacts> {
  const directory = join(root, slotNames[slot]);
  const files = new StatusFiles(directory, slotNames);
  const garbled = namesIn(directory).flatMap((name) => {
    const shape = shapes[name];
    if (shape === undefined) return [];
    const text = readFileSync(join(directory, name), 'utf8');
    return shape.test(text) ? [] : [`${slot}/${name} holds ${JSON.stringify(text.slice(0, 60))}`];
  });
  return {
    status: await files.status(),
    slotInUse: await files.slotInUse(),
    failure: await files.failure(),
    record: await files.record(),
    version: await files.version(),
    garbled,
  };
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Everything that is wrong after a power cut; nothing when the promise was kept. */
export function problemsOf({ grub, boot, slots, promised, kernels }: CutFacts): readonly string[] {
  if ('unreadable' in grub) return [`GRUB cannot read the boot partition: ${grub.unreadable}`];
  if (boot.problem !== undefined) return [`the boot partition does not come back: ${boot.problem}`];
  const facts = boot.seen;
  if (facts === undefined) return ['the boot partition could not be read'];
  const { next, standard } = grub;
  if (next === undefined || standard === undefined) {
    return ['GRUB finds nothing to boot', ...grub.problems];
  }
  const problems = [...grub.problems];
  for (const slot of slotIds) {
    problems.push(...facts[slot].garbled);
    const entry = [next, standard].find((one) => one.slot === slot);
    const { record, version } = facts[slot];
    const claims = record?.state === 'staged' || record?.state === 'confirmed';
    if (entry === undefined && !claims) continue;
    const { problem, seen } = slots[slot];
    const why = entry !== undefined ? 'is booted' : `is said to be ${record?.state}`;
    if (problem !== undefined) problems.push(`${slot} ${why}, but does not come back: ${problem}`);
    else if (seen?.version === undefined) {
      problems.push(`${slot} ${why}, but is no whole release: ${seen?.differences.join('; ')}`);
    } else {
      if (claims && version !== '' && version !== seen.version) {
        problems.push(`${slot} is said to be ${version}, but is ${seen.version}`);
      }
      if (entry !== undefined && !promised.may.includes(seen.version)) {
        problems.push(`${slot} with ${seen.version} must not be booted now`);
      }
      if (entry !== undefined && entry.files !== kernels.get(seen.version)) {
        problems.push(`${slot} with ${seen.version} is booted with another kernel or initrd than its own`);
      }
    }
  }
  problems.push(...wordProblems(next.slot, next.slot !== standard.slot, facts));
  problems.push(...promiseProblems(promised, next.slot, standard.slot, facts));
  return problems;
}

/** The daemon that starts there must know what to do. */
function wordProblems(next: SlotId, isSwitch: boolean, facts: BootFacts): readonly string[] {
  const own = facts[next];
  const other = facts[otherSlot(next)];
  const verdict = judgeBoot(next, own, other);
  const unproven = own.record?.state === 'staged';
  if ((isSwitch || unproven) && verdict.kind !== 'first_boot') {
    return [`${next} comes up for the first time, but its words are taken for ${JSON.stringify(verdict)}`];
  }
  const isSwitching = other.status === 'UPDATING' || other.status === 'ROLLBACKING';
  if (isSwitching && verdict.kind === 'ordinary') {
    return [
      `${next} comes back from a switch to the other slot, and takes it for ${JSON.stringify(verdict)}`,
    ];
  }
  if (own.record?.state === 'written_to') return [`${next} is booted, but is marked as written to`];
  return [];
}

function promiseProblems(
  { boots, stays, what }: Promised,
  next: SlotId,
  standard: SlotId,
  facts: BootFacts,
): readonly string[] {
  const problems: string[] = [];
  if (boots !== undefined && next !== boots)
    problems.push(`after "${what}", ${next} is booted, not ${boots}`);
  if (stays !== undefined && (next !== stays || standard !== stays)) {
    problems.push(`after "${what}", ${next} is booted and ${standard} is the default, not ${stays}`);
  }
  if (stays !== undefined && facts[stays].status !== 'SUCCESS') {
    problems.push(`after "${what}", ${stays} says ${facts[stays].status}, not SUCCESS`);
  }
  // A slot that was reported good is what comes up: no code takes it back but a new job, which says so first.
  for (const slot of slotIds) {
    const { status, slotInUse } = facts[slot];
    const other = facts[otherSlot(slot)];
    const isGood = status === 'SUCCESS' && slotInUse === slot && other.slotInUse === slot;
    if (isGood && standard !== slot) problems.push(`${slot} says SUCCESS, but ${standard} is the default`);
  }
  return problems;
}
