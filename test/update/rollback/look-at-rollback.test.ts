import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import type { SlotContents } from '#boot/slots.ts';
import { carryBack } from '#update/rollback/carry-back.ts';
import { lookAtRollback } from '#update/rollback/look-at-rollback.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { smallDisk, smallDiskMissing } from '../../support/small-disk.ts';
import { makeTree } from '../../support/update-world.ts';

const never = new AbortController().signal;
const contents = (id: SlotContents['id'], version: string): SlotContents => ({
  id,
  version,
  detail: undefined,
  imageDigest: '',
  intact: true,
});

/** An ECU that may roll back to the tree at `root`, which is reached as it is. */
async function ecu(t: TestContext, root: string): Promise<Parameters<typeof lookAtRollback>[0]> {
  const activeRoot = join(await scratchDirectory(t), 'active');
  await mkdir(activeRoot);
  return {
    activeRoot,
    current: async () => contents('slot_b', '2'),
    standby: async () => contents('slot_a', '1'),
    rollbackTarget: async () => contents('slot_a', '1'),
    withStandbyRoot: (_, work) => work(root),
  };
}

test('a rollback whose files do not fit into the old slot is known to be refused, with both numbers', {
  skip: smallDiskMissing(),
}, async (t) => {
  const { path: root } = await smallDisk(t, 512);
  const slots = await ecu(t, root);
  await writeFile(join(slots.activeRoot, 'map'), Buffer.alloc(1 << 20, 7));
  const { refusal, files } = await lookAtRollback(slots, ['/map'], never);
  assert.match(
    refusal ?? '',
    /^files to carry back need 1\d{6} bytes in the old slot, which has room for \d{6}$/,
  );
  assert.deepEqual(files, []);
  await assert.rejects(carryBack({ paths: ['/map'], activeRoot: slots.activeRoot, root }), {
    code: 'standby_slot_full',
  });
});

test('a file of the old release in the place of a directory stands in the way, and is named before and after', async (t) => {
  const root = join(await scratchDirectory(t), 'old');
  const slots = await ecu(t, root);
  await makeTree(slots.activeRoot, { 'etc/app/key': 'ours' });
  await makeTree(root, { 'etc/app': 'a file' });
  const { refusal } = await lookAtRollback(slots, ['/etc/app/key'], never);
  assert.equal(refusal, '/etc/app/key cannot be carried back: /etc/app is no directory in the old release');
  const declared = { paths: ['/etc/app/key'], activeRoot: slots.activeRoot, root };
  await assert.rejects(carryBack(declared), {
    code: 'rollback_failed',
    message: /\/etc\/app is no directory/,
  });
});
