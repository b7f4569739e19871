import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { rewriteFstab } from '#boot/fstab.ts';
import { neededMounts } from '#boot/needed-mounts.ts';
import { LoopDisk, whyNoLoopDisks } from '../support/loop-disk.ts';

const never = new AbortController().signal;

test('a release gets the mounts that our places lie on, by UUID', { skip: whyNoLoopDisks() }, async (t) => {
  const disk = LoopDisk.create(t, [{ name: 'data', kib: 2048 }]);
  disk.format(1, 'ext4', '-O', '^has_journal');
  const data = disk.mount(1);
  const places = [join(data, 'ota-status/slot_a'), data, '/proc', '/'];
  const uuid = execFileSync('blkid', ['-p', '-o', 'value', '-s', 'UUID', disk.partition(1)], {
    encoding: 'utf8',
  });
  const [entry, ...others] = await neededMounts({ runsMachine: true }, places, never);
  assert.deepEqual(others, []);
  assert.deepEqual([entry?.spec, entry?.mountPoint, entry?.type], [`UUID=${uuid.trim()}`, data, 'ext4']);
  assert.deepEqual(await neededMounts({ runsMachine: false }, places, never), []);
});

test('a mount that every release needs replaces what the image says, and is as the running release has it', () => {
  const needed = {
    spec: 'UUID=d',
    mountPoint: '/data',
    type: 'ext4',
    options: 'defaults',
    dump: '0',
    pass: '2',
  };
  const plan = { root: 'UUID=b', rootType: 'ext4', vehicle: [needed] };
  const image = '/dev/sdb1 /data xfs defaults 0 0\ntmpfs /tmp tmpfs defaults 0 0\n';
  const lines = (active: string): readonly string[] =>
    rewriteFstab(image, active, plan).trim().split('\n').slice(1);
  assert.deepEqual(lines(''), ['UUID=d /data ext4 defaults 0 2', 'tmpfs /tmp tmpfs defaults 0 0']);
  assert.deepEqual(lines('LABEL=data /data ext4 noatime 0 2\n'), [
    'LABEL=data /data ext4 noatime 0 2',
    'tmpfs /tmp tmpfs defaults 0 0',
  ]);
});
