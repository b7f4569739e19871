import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fits, renderPlan } from '#cli/render-plan.ts';
import { plainStyle } from '#cli/render-style.ts';
import type { UpdatePlan } from '#update/plan-update.ts';

const plan: UpdatePlan = {
  imageDigest: 'ab'.repeat(32),
  directories: 4000,
  symlinks: 1234,
  total: { files: 50_123, bytes: 1_700_000_000 },
  copy: { files: 45_000, bytes: 1_500_000_000 },
  link: { files: 123, bytes: 1_200_000 },
  download: { files: 5000, bytes: 198_800_000 },
  space: { neededBytes: 2e9, availableBytes: 1e9, neededInodes: 60_000, availableInodes: 100_000 },
  persistents: [],
  *files() {},
};

test('a plan is a table of sources, then what it is about and whether it fits', () => {
  assert.deepEqual(renderPlan(plan, plainStyle), [
    '           FILES     SIZE',
    'copy      45,000  1.50 GB  this ECU has it already',
    'link         123  1.20 MB  another name of a file in the image',
    'download   5,000   199 MB  fewer bytes on the wire where the image is compressed',
    'total     50,123  1.70 GB',
    '',
    `image ${'ab'.repeat(32)}`,
    '4,000 directories, 1,234 symbolic links',
    'needs 2.00 GB of 1.00 GB in the standby slot and 60,000 of 100,000 inodes: does not fit',
  ]);
});

test('a file system that makes inodes as it goes has always enough of them', () => {
  const space = { neededBytes: 1, availableBytes: 1, neededInodes: 5, availableInodes: undefined };
  assert.equal(fits(space), true);
  assert.equal(fits({ ...space, availableInodes: 4 }), false);
  assert.equal(fits({ ...space, availableBytes: 0 }), false);
});
