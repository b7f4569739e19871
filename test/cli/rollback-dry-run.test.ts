import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { bootDirectorySlots } from '#boot/directory.ts';
import type { Slots } from '#boot/slots.ts';
import { runOta } from '../support/run-ota.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const never = new AbortController().signal;

interface Ecu {
  readonly directory: string;
  readonly boot: () => Promise<Slots>;
  /** Arguments that name its configuration. */
  readonly args: readonly string[];
}

/** An ECU with a delivered release in slot_a. */
async function ecu(t: TestContext): Promise<Ecu> {
  const directory = await scratchDirectory(t);
  const slots = join(directory, 'slots');
  await mkdir(join(slots, 'slot_a/data'), { recursive: true });
  await writeFile(join(slots, 'slot_a/data/old'), 'old');
  const [ecuInfo, options] = [join(directory, 'ecu_info.yml'), join(directory, 'ota.yml')];
  await writeFile(ecuInfo, 'ecu_id: main\nbootloader: directory\n');
  await writeFile(
    options,
    `boot:\n  directory:\n    path: ${slots}\npersist:\n  back_on_rollback: [/data]\n`,
  );
  return {
    directory,
    boot: () => bootDirectorySlots({ directory: slots, reboot: () => Promise.resolve() }),
    args: ['rollback', '--dry-run', '--ecu-info', ecuInfo, '--options', options],
  };
}

test('a dry run tells what would be booted and every file that would be carried back, and writes nothing', async (t) => {
  const { directory, boot, args } = await ecu(t);
  const first = await boot();
  const tree = await first.prepare(never);
  await mkdir(join(tree.root, 'data'));
  await writeFile(join(tree.root, 'data/new'), 'the new one');
  await first.activate(tree, { version: '2.0', detail: undefined, imageDigest: 'd2' });
  await (await boot()).confirm();
  const before = await readdir(directory, { recursive: true });
  const { code, stdout, stderr } = await runOta(t, args);
  assert.equal(stderr, '');
  assert.equal(
    stdout,
    'runs now    2.0 in slot_b\nwould boot  a release without a version in slot_a, which is intact\n' +
      'files carried back: 1 (11 B), removed: 1\n\n' +
      '         SIZE  FILE\nnew      11 B  /data/new\nremoved   3 B  /data/old\n',
  );
  assert.equal(code, 0);
  const json = await runOta(t, [...args, '--json']);
  assert.deepEqual(JSON.parse(json.stdout), {
    type: 'rollback_plan',
    possible: true,
    reason: null,
    running: { slot: 'slot_b', version: '2.0', image_digest: 'd2' },
    target: { slot: 'slot_a', version: '', image_digest: '', intact: true },
    back_on_rollback: ['/data'],
    files: [
      { change: 'new', path: '/data/new', bytes: 11 },
      { change: 'removed', path: '/data/old', bytes: 3 },
    ],
  });
  assert.deepEqual(await readdir(directory, { recursive: true }), before);
});

test('a dry run says why there would be no rollback, and ends with 1', async (t) => {
  const { boot, args } = await ecu(t);
  const first = await boot();
  await first.prepare(never);
  const { code, stdout } = await runOta(t, args);
  assert.equal(code, 1);
  assert.match(stdout, /^no rollback: .*slot_b has been written to by an update since$/m);
  const json = await runOta(t, [...args, '--json']);
  const { possible, reason, files } = JSON.parse(json.stdout);
  assert.deepEqual([json.code, possible, files], [1, false, []]);
  assert.match(reason, /written to/);
});

test('a dry run is of the own ECU: names and a daemon make no sense', async (t) => {
  const { args } = await ecu(t);
  const { code, stderr } = await runOta(t, [...args, '--ecu', 'main']);
  assert.equal(code, 2);
  assert.match(stderr, /--dry-run looks at the ECU that it runs on/);
  assert.equal((await runOta(t, ['rollback', '--ecu', 'main', '--options', 'x'])).code, 2);
});
