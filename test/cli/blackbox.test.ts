import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { SlotArchive } from '#boot/slot-archive.ts';
import { blackboxCommand } from '#cli/blackbox.ts';
import { quarantineCommand } from '#cli/quarantine.ts';
import type { BlackBox } from '#update/black-box/record.ts';
import { writeBlackBox } from '#update/black-box/store.ts';
import type { CommandRun } from '../support/captured-command.ts';
import { captured } from '../support/captured-command.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const box: BlackBox = {
  format: 1,
  id: '20261122-082930-9f3a',
  at: Date.UTC(2026, 10, 22, 8, 29, 30),
  complete: true,
  switch: 'update',
  cause: 'kernel_crash',
  detail: 'the kernel left a crash record',
  probe: null,
  left: { slot: 'slot_b', version: '2.0', image_digest: 'd'.repeat(64) },
  back_in: { slot: 'slot_a', version: '1.0', image_digest: '' },
  boots: null,
  session_id: null,
  timeline: [
    { by: 'old', step: 'reboot', at: Date.UTC(2026, 10, 22, 8, 29) },
    { by: 'old', step: 'came_back', at: Date.UTC(2026, 10, 22, 8, 29, 30) },
    { by: 'new', step: 'of another release', at: 0 },
  ],
  evidence: [{ source: 'crash record /sys/fs/pstore/dmesg-efi-1', text: '<0>Kernel panic\n<0>end\n' }],
  missing: ['journal of the last boot of the release that was left: it has no entries'],
};

/** An ECU without a daemon, and the command on it. */
async function openEcu(t: TestContext) {
  const directory = await scratchDirectory(t);
  const slots = join(directory, 'slots');
  await mkdir(join(slots, 'status/slot_a'), { recursive: true });
  await writeFile(join(slots, 'boot.json'), '{"format":1,"default":"slot_a","once":null,"booted":"slot_a"}');
  await writeFile(join(directory, 'ecu_info.yml'), 'ecu_id: main\nbootloader: directory\n');
  await writeFile(join(directory, 'ota.yml'), `boot: { directory: { path: ${slots} } }\n`);
  const files = ['--ecu-info', join(directory, 'ecu_info.yml'), '--options', join(directory, 'ota.yml')];
  const commands = { blackbox: blackboxCommand, quarantine: quarantineCommand };
  const ota = (name: keyof typeof commands, ...args: string[]): Promise<CommandRun> =>
    captured(commands[name], [...args, ...files]);
  return { slots, archive: new SlotArchive(join(slots, 'status/slot_a')), ota };
}

test('without black boxes blackbox says so, and nothing is written', async (t) => {
  const { slots, ota } = await openEcu(t);
  const before = await readdir(slots, { recursive: true });
  assert.deepEqual(await ota('blackbox'), {
    code: 0,
    stdout: 'no black boxes: this ECU has not come back from a release by itself\n',
    stderr: '',
  });
  assert.equal((await ota('blackbox', '--json')).stdout, '{"type":"blackboxes","boxes":[]}\n');
  const none = await ota('blackbox', 'show');
  assert.deepEqual(
    [none.code, none.stderr],
    [1, 'ota blackbox: there are no black boxes; "ota blackbox" lists them\n'],
  );
  assert.deepEqual(await readdir(slots, { recursive: true }), before);
});

test('blackbox lists returns and whether their releases are refused now', async (t) => {
  const { archive, ota } = await openEcu(t);
  await writeBlackBox(archive, box);
  await writeBlackBox(archive, {
    ...box,
    id: '20261123-000000-0001',
    cause: 'not_booted',
    left: { ...box.left, version: '' },
  });
  const release = { version: '2.0', image_digest: 'd'.repeat(64), at: box.at, why: 'x', black_box: box.id };
  await archive.write('quarantine', { format: 1, releases: [release] });
  const { code, stdout, stderr } = await ota('blackbox');
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal(
    stdout,
    `ID                    WHEN                  RELEASE  SLOT    NOW          CAUSE
20261122-082930-9f3a  2026-11-22T08:29:30Z  2.0      slot_b  quarantined  its kernel crashed
20261123-000000-0001  2026-11-22T08:29:30Z  -        slot_b  allowed      it did not come up, or was cut off before it could tell
`,
  );
  const { boxes } = JSON.parse((await ota('blackbox', '--json')).stdout);
  assert.deepEqual(boxes[0], {
    id: box.id,
    at: '2026-11-22T08:29:30.000Z',
    switch: 'update',
    cause: 'kernel_crash',
    why: 'its kernel crashed',
    detail: box.detail,
    left: box.left,
    back_in: box.back_in,
    boots: null,
    quarantined: true,
  });
});

test('blackbox show is a page for people', async (t) => {
  const { archive, ota } = await openEcu(t);
  await writeBlackBox(archive, { ...box, id: '20261121-000000-0001' });
  await writeBlackBox(archive, box);
  const { code, stdout } = await ota('blackbox', 'show', box.id);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `Black box 20261122-082930-9f3a
when         2026-11-22T08:29:30.000Z
left         version 2.0 (image ${'d'.repeat(64)}) in slot_b, booted by an update
back in      version 1.0 in slot_a
because      its kernel crashed
             the kernel left a crash record
now          allowed

Timeline
  2026-11-22T08:29:00.000Z  old release  rebooting
  2026-11-22T08:29:30.000Z  old release  running again
  1970-01-01T00:00:00.000Z  new release  of another release

Crash record /sys/fs/pstore/dmesg-efi-1
  <0>Kernel panic
  <0>end

Not found
  journal of the last boot of the release that was left: it has no entries
`,
  );
  assert.equal((await ota('blackbox', 'show')).stdout, stdout, 'the last one without an id');
  const shown = JSON.parse((await ota('blackbox', 'show', box.id, '--json')).stdout);
  assert.equal(shown.type, 'blackbox');
  assert.deepEqual(shown.evidence, box.evidence);
  assert.equal(shown.timeline[0].at, '2026-11-22T08:29:00.000Z');
});

test('blackbox and quarantine are told what they do not know, with 1 or 2', async (t) => {
  const { ota } = await openEcu(t);
  const cases = [
    [['blackbox', 'show', 'nope'], 1, /there is no black box "nope"; "ota blackbox" lists them/],
    [['blackbox', 'nope'], 2, /"nope" is not expected here; try "show"/],
    [['blackbox', 'show', 'a', 'b'], 2, /"b" is not expected here/],
    [['quarantine', 'clear', '7'], 1, /version "7" is not quarantined/],
    [['quarantine', 'clear'], 2, /name a version, or use --all/],
    [['quarantine', 'clear', '7', '--all'], 2, /name a version, or use --all/],
    [['quarantine', '--all'], 2, /--all is for "clear"/],
    [['quarantine', 'list'], 2, /"list" is not expected here; try "clear"/],
  ] as const;
  for (const [args, expected, pattern] of cases) {
    const [name, ...rest] = args;
    const { code, stdout, stderr } = await ota(name, ...rest);
    assert.deepEqual([code, stdout], [expected, ''], args.join(' '));
    assert.match(stderr, pattern);
  }
});

test('quarantine lists what is refused, and clears a version or all', async (t) => {
  const { archive, ota } = await openEcu(t);
  const release = {
    version: '2.0',
    image_digest: 'd'.repeat(64),
    at: box.at,
    why: 'it hung',
    black_box: box.id,
  };
  const releases = [
    release,
    { ...release, image_digest: 'e'.repeat(64), black_box: '' },
    { ...release, version: '3' },
  ];
  await archive.write('quarantine', { format: 1, releases });
  assert.equal(
    (await ota('quarantine')).stdout,
    `RELEASE  IMAGE         SINCE                 BLACK BOX             BECAUSE
2.0      dddddddddddd  2026-11-22T08:29:30Z  20261122-082930-9f3a  it hung
2.0      eeeeeeeeeeee  2026-11-22T08:29:30Z  -                     it hung
3        dddddddddddd  2026-11-22T08:29:30Z  20261122-082930-9f3a  it hung
`,
  );
  const left = JSON.parse((await ota('quarantine', 'clear', '2.0', '--json')).stdout);
  assert.deepEqual(left, {
    type: 'quarantine',
    releases: [
      {
        version: '3',
        image_digest: 'd'.repeat(64),
        at: '2026-11-22T08:29:30.000Z',
        why: 'it hung',
        blackbox: box.id,
      },
    ],
  });
  assert.equal((await ota('quarantine', 'clear', '--all')).stdout, 'nothing is quarantined any more\n');
  assert.deepEqual(await archive.read('quarantine'), { format: 1, releases: [] });
});
