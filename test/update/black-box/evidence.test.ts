import assert from 'node:assert/strict';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { crashRecords, logOfLastBoot, logOfThisBoot } from '#update/black-box/evidence.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

const never = new AbortController().signal;

/** A directory with a program `journalctl` in it, which is found first until the test ends. */
async function withJournal(t: TestContext, script: string): Promise<string> {
  const directory = await scratchDirectory(t);
  const path = join(directory, 'journalctl');
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  const before = process.env['PATH'];
  process.env['PATH'] = `${directory}:${before}`;
  t.after(() => {
    process.env['PATH'] = before;
  });
  return directory;
}

test('the running boot is told by its journal, from the switch on', async (t) => {
  const directory = await withJournal(t, 'echo "$@"');
  const { evidence, missing } = await logOfThisBoot(directory, never, 5_000_900);
  assert.deepEqual(missing, []);
  assert.deepEqual(evidence, [
    {
      source: 'journal of the boot',
      text: '--no-pager --quiet --output=short-iso --lines=200 -b --since=@5000\n',
    },
  ]);
});

test('the last boot of a slot is told by the journal in its tree', async (t) => {
  const directory = await withJournal(t, 'echo "$@"');
  const { evidence } = await logOfLastBoot(directory, undefined, never);
  assert.match(evidence[0]?.text ?? '', new RegExp(`--directory ${directory}/var/log/journal -b -0\n`));
});

test('without a journal the plain log of the slot is told, never one that a link leads out to', async (t) => {
  const directory = await withJournal(t, 'echo "no journal here" >&2; exit 1');
  const root = join(directory, 'slot');
  await mkdir(join(root, 'var/log'), { recursive: true });
  await writeFile(join(directory, 'outside'), 'OUTSIDE');
  await symlink(join(directory, 'outside'), join(root, 'var/log/syslog'));
  const none = await logOfLastBoot(root, undefined, never);
  assert.deepEqual(none.evidence, []);
  assert.match(
    none.missing[0] ?? '',
    /^journal of the last boot of the release that was left: no journal here$/,
  );
  await writeFile(join(root, 'var/log/messages'), 'kernel: panic\n');
  const found = await logOfLastBoot(root, undefined, never);
  assert.deepEqual(found, {
    evidence: [{ source: '/var/log/messages', text: 'kernel: panic\n' }],
    missing: [],
  });
});

test('a journal that does not answer is left alone after its time, and told as missing', async (t) => {
  const directory = await withJournal(t, 'sleep 60');
  const started = performance.now();
  await assert.rejects(logOfThisBoot(directory, AbortSignal.timeout(200)), { name: 'TimeoutError' });
  assert.ok(performance.now() - started < 3000);
});

test('of a long journal the end is kept, without a line that lost its beginning', async (t) => {
  const directory = await withJournal(
    t,
    `printf 'Cookie: '; head -c 70000 /dev/zero | tr '\\0' S; echo; echo end`,
  );
  const { evidence } = await logOfThisBoot(directory, never);
  assert.equal(evidence[0]?.text, 'end\n');
});

test("the kernel's last words are read from the records by name", async (t) => {
  const directory = await scratchDirectory(t);
  const path = join(directory, 'dmesg-efi-1');
  await writeFile(path, '<0>Kernel panic - not syncing\n');
  const { evidence, missing } = await crashRecords([`${path} 30 1700`, `${path}.gone 1 1`], never);
  assert.deepEqual(evidence, [{ source: `crash record ${path}`, text: '<0>Kernel panic - not syncing\n' }]);
  assert.equal(missing.length, 1);
});
