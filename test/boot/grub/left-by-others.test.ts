import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { openBlockSlots } from '#boot/block-control.ts';
import { grub } from '#boot/grub/grub.ts';
import type { SlotId } from '#boot/slots.ts';
import { grubDisk, noGrubDisk } from '../../support/grub-disk.ts';
import { partitionFoldersDisk, slotFoldersDisk } from '../../support/grub-layouts.ts';
import { loaderSetting } from '../../support/loader-setting.ts';
import { missingPrograms } from '../../support/missing-programs.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

/** Where an update of an existing client from slot_a to slot_b was cut off, and what our first start makes of it. */
interface CutOff {
  readonly when: string;
  readonly booted: SlotId;
  /** Status words of both slots; '' for a folder that was wiped, with its slot formatted. */
  readonly words: readonly [slotA: string, slotB: string];
  readonly verdict: string;
}

const cutOffs: readonly CutOff[] = [
  {
    when: 'before it wrote a file',
    booted: 'slot_a',
    words: ['FAILURE', ''],
    verdict: 'ordinary FAILURE',
  },
  { when: 'by an abort', booted: 'slot_a', words: ['ABORTED', ''], verdict: 'ordinary ABORTED' },
  {
    when: 'after it switched',
    booted: 'slot_a',
    words: ['FAILURE', 'UPDATING'],
    verdict: 'fell_back',
  },
  {
    when: 'at its first boot',
    booted: 'slot_b',
    words: ['FAILURE', 'UPDATING'],
    verdict: 'first_boot',
  },
];

/** The verdict of our first start, and which slot a machine boots that is then switched off and on. */
async function firstStart(
  t: TestContext,
  generation: 'slot folders' | 'partition folders',
  { booted, words: [a, b] }: CutOff,
): Promise<readonly [verdict: string, next: SlotId]> {
  const disk = await grubDisk(t, { booted });
  const isNew = generation === 'slot folders';
  const slotInUse = isNew ? 'ota-slot_b' : 'sda3';
  const left = {
    slot_a: { status: a, version: '1', slotInUse },
    slot_b: { status: b, version: '2', slotInUse },
  };
  if (isNew) await slotFoldersDisk(disk, booted, left, { saved_entry: 'ota-slot_a', next_entry: '' });
  else await partitionFoldersDisk(disk, { booted, standard: 'slot_a' }, left);
  if (b === '') {
    await rm(join(disk.boot, isNew ? 'ota-slot_b' : 'ota-partition.sda3'), { recursive: true });
    disk.run('mkfs.ext4', '-q', '-F', '-U', disk.uuid('slot_b'), disk.partition('slot_b'));
  }
  const setting = loaderSetting(disk.root, { mountDirectory: await scratchDirectory(t) });
  const told = async (): Promise<string> => {
    await using slots = await openBlockSlots(await grub.open(setting, 'daemon'), setting, 'daemon');
    const verdict = await slots.judge();
    return verdict.kind === 'ordinary' ? `ordinary ${verdict.status}` : verdict.kind;
  };
  return [await told(), await disk.restart()];
}

const skip = noGrubDisk() || missingPrograms('unshare', 'nsenter');

describe('an update of an existing client that was cut off', { skip }, () => {
  it('with slot folders is judged as that client would, and the old release stays the default', async (t) => {
    for (const cutOff of cutOffs) {
      const expected = [cutOff.verdict, 'slot_a'];
      assert.deepEqual(await firstStart(t, 'slot folders', cutOff), expected, cutOff.when);
    }
  });

  it('with partition folders is judged so too', async (t) => {
    for (const cutOff of cutOffs) {
      const expected = [cutOff.verdict, 'slot_a'];
      assert.deepEqual(await firstStart(t, 'partition folders', cutOff), expected, cutOff.when);
    }
  });
});
