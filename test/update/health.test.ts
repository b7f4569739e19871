import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runHealthChecks } from '#update/health.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const never = new AbortController().signal;
const release = { root: '/slots/b', version: '2' };
const check = (name: string, script: string, timeoutMs = 10_000) => ({
  name,
  command: ['sh', '-c', script],
  timeoutMs,
});

test('checks run in order and find the booted slot and its version', async (t) => {
  const log = join(await scratchDirectory(t), 'log');
  await runHealthChecks(
    [check('one', `echo 1 $OTA_SLOT_ROOT >> ${log}`), check('two', `echo 2 $OTA_VERSION >> ${log}`)],
    release,
    never,
  );
  assert.equal(await readFile(log, 'utf8'), '1 /slots/b\n2 2\n');
});

test('no checks are passed', async () => {
  await runHealthChecks([], release, never);
});

test('the first failing check ends it, with its name, exit code and last lines', async (t) => {
  const log = join(await scratchDirectory(t), 'log');
  const checks = [
    check('web', 'seq 1 100; echo "port closed" >&2; exit 7'),
    check('never', `echo ran > ${log}`),
  ];
  await assert.rejects(runHealthChecks(checks, release, never), {
    code: 'health_check_failed',
    detail: 'check web ended with exit code 7, and wrote: 99 / 100 / port closed',
  });
  await assert.rejects(readFile(log), { code: 'ENOENT' });
});

test('a check that hangs, dies or cannot be started has failed', async () => {
  const cases = [
    [check('hang', 'echo waiting; sleep 60', 300), /check hang sh did not end within 300 ms.*waiting/],
    [check('die', 'kill -9 $$'), /check die ended by SIGKILL/],
    [{ name: 'none', command: ['/does/not/exist'], timeoutMs: 1000 }, /check none .*could not be started/],
  ] as const;
  for (const [failing, detail] of cases) {
    await assert.rejects(runHealthChecks([failing], release, never), { code: 'health_check_failed', detail });
  }
});

test('what a check writes cannot flood the reason or its terminal', async () => {
  const script = 'head -c 100000 /dev/zero | tr "\\0" x; printf "\\033[2J"; exit 1';
  await assert.rejects(runHealthChecks([check('loud', script)], release, never), (error: Error) => {
    assert.ok(error.message.length < 600);
    assert.ok(!error.message.includes('\u001b'));
    return true;
  });
});
