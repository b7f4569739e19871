import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CommandError, runCommand } from '#host/command.ts';
import { LoopDisk, whyNoLoopDisks } from '../support/loop-disk.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const never = new AbortController().signal;

test('a program gives its exit code and both outputs, without a shell in between', async () => {
  const result = await runCommand(
    {
      argv: ['sh', '-c', 'echo "$1"; echo "$OTA_X" >&2; exit 3', 'sh', '$(id) *'],
      env: { OTA_X: 'y' },
      timeoutMs: 5000,
    },
    never,
  );
  assert.deepEqual(result, { exitCode: 3, signal: undefined, stdout: '$(id) *\n', stderr: 'y\n' });
});

test('a program that does not exist is not_started', async () => {
  await assert.rejects(runCommand({ argv: ['/does/not/exist'], timeoutMs: 5000 }, never), {
    name: 'CommandError',
    code: 'not_started',
  });
  await assert.rejects(runCommand({ argv: ['with\0zero'], timeoutMs: 5000 }, never), { code: 'not_started' });
});

test('only the end of endless output is kept', async () => {
  const script = 'i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done';
  const result = await runCommand(
    { argv: ['sh', '-c', script], timeoutMs: 20_000, maxOutputBytes: 64 },
    never,
  );
  assert.equal(result.stdout.length, 64);
  assert.ok(result.stdout.endsWith('line 19999\n'));
});

test('a timeout kills the program and what it started', async (t) => {
  const pidFile = join(await scratchDirectory(t), 'pid');
  const script = `sleep 60 & echo $! > ${pidFile}; echo started; wait`;
  const started = performance.now();
  await assert.rejects(runCommand({ argv: ['sh', '-c', script], timeoutMs: 500 }, never), {
    code: 'timed_out',
    output: 'started\n',
  });
  assert.ok(performance.now() - started < 5000);
  await isGone(Number(await readFile(pidFile, 'utf8')));
});

test('an abort kills the program and what it started', async (t) => {
  const pidFile = join(await scratchDirectory(t), 'pid');
  await writeFile(pidFile, '');
  const controller = new AbortController();
  const running = runCommand(
    { argv: ['sh', '-c', `sleep 60 & echo $! > ${pidFile}; wait`], timeoutMs: 60_000 },
    controller.signal,
  );
  const rejected = assert.rejects(running, { code: 'aborted' });
  while ((await readFile(pidFile, 'utf8')) === '') await delay(5);
  controller.abort();
  await rejected;
  await isGone(Number(await readFile(pidFile, 'utf8')));
  await assert.rejects(runCommand({ argv: ['true'], timeoutMs: 1000 }, controller.signal), {
    code: 'aborted',
  });
});

test('a program that hangs in the kernel is not waited for', {
  skip: whyNoLoopDisks('fsfreeze'),
}, async (t) => {
  const disk = LoopDisk.create(t, [{ name: 'frozen', kib: 8192 }]);
  disk.format(1, 'ext4');
  const root = disk.mount(1);
  execFileSync('fsfreeze', ['--freeze', root]);
  // Whoever writes there waits until it is thawed, and no signal ends that.
  const writing = runCommand({ argv: ['touch', join(root, 'file')], timeoutMs: 100 }, never);
  const outcome = await writing.catch((error: unknown) => error);
  execFileSync('fsfreeze', ['--unfreeze', root]);
  assert.ok(outcome instanceof CommandError);
  assert.equal(outcome.code, 'timed_out');
  assert.match(outcome.message, /^touch hangs in the kernel \(process \d+\)/);
  await isGone(Number(/process (\d+)/.exec(outcome.message)?.[1]));
});

test('a background descendant that keeps the pipes open does not hold the result back', async () => {
  const started = performance.now();
  const result = await runCommand({ argv: ['sh', '-c', 'sleep 3 & echo done'], timeoutMs: 60_000 }, never);
  assert.equal(result.stdout, 'done\n');
  assert.ok(performance.now() - started < 2500);
});

/** A killed process may be a zombie for a moment, until its new parent has taken note. */
async function isGone(pid: number): Promise<void> {
  assert.ok(pid > 1);
  for (let tries = 0; tries < 200; tries++) {
    const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    if (state === '' || state.split(') ')[1]?.startsWith('Z')) return;
    await delay(10);
  }
  assert.fail(`process ${pid} still runs`);
}
