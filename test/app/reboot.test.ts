import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createReboot } from '#app/reboot.ts';
import { CommandError } from '#host/command.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { programsOnPath } from '../support/programs.ts';
import { likeInChroot } from '../support/systemctl.ts';

const unused = (): void => assert.fail('the daemon is not to end by itself');

test('a service that has another "/" than the service manager reboots the machine all the same', async (t) => {
  const directory = await programsOnPath(t, { reboot: `${likeInChroot}; echo "$*" >asked` });
  await createReboot({ command: undefined, exitCode: 10 }, new MemoryLog(), unused)('machine', ['0 tryboot']);
  assert.equal(await readFile(join(directory, 'asked'), 'utf8'), '0 tryboot\n');
});

test('a reboot command that fails is told with what it said', async (t) => {
  await programsOnPath(t, { 'my-reboot': 'echo not now >&2; exit 3' });
  const reboot = createReboot({ command: ['my-reboot'], exitCode: 10 }, new MemoryLog(), unused);
  await assert.rejects(reboot('machine', []), (error) => {
    assert.ok(error instanceof CommandError);
    assert.equal(error.message, 'my-reboot ended with exit code 3');
    assert.equal(error.output.trim(), 'not now');
    return true;
  });
});

test('a daemon whose restart is the reboot ends itself', async () => {
  let ended = 0;
  const end = (): void => {
    ended += 1;
  };
  await createReboot({ command: undefined, exitCode: 10 }, new MemoryLog(), end)('daemon', []);
  assert.equal(ended, 1);
});
