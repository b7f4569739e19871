import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

const module = new URL('../../src/app/end-process.ts', import.meta.url).href;

/** Threads of V8 want memory all the time, and so wait for the main thread at its end in every other run. */
const flags = ['--stress-concurrent-allocation', '--max-old-space-size=40', '--input-type=module'];
const program = `
  import { endProcess } from '${module}';
  const kept = [];
  for (let i = 0; i < 200_000; i++) kept.push({ i, list: [i] });
  endProcess(10);`;

test('the end does not wait for threads of V8 that wait for it, and has the exit code', {
  timeout: 60_000,
}, async () => {
  for (let run = 1; run <= 8; run++) {
    const limit = AbortSignal.timeout(20_000);
    const child = spawn(process.execPath, [...flags, '--eval', program], {
      stdio: 'ignore',
      signal: limit,
      killSignal: 'SIGKILL',
    });
    child.on('error', () => {});
    const [code, signal] = await once(child, 'exit');
    assert.deepEqual([code, signal], [10, null], `run ${run}`);
  }
});
