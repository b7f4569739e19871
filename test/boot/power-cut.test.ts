import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { scratchDirectory } from '../support/scratch-directory.ts';

const program = fileURLToPath(new URL('../support/boot-once.ts', import.meta.url));

/** Starts one life and kills it so many milliseconds after it said which slot it runs; undefined lets it end. */
async function life(directory: string, killAfterMs: number | undefined): Promise<string> {
  const child = spawn(process.execPath, [program, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  const closed = new Promise((resolve) => child.once('close', resolve));
  await new Promise((resolve) => {
    child.once('close', resolve);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      resolve(undefined);
    });
  });
  if (killAfterMs !== undefined) {
    await delay(killAfterMs);
    child.kill('SIGKILL');
  }
  await closed;
  return output;
}

test('killed at any moment, the ECU boots a whole release, and a new one stays only when confirmed', async (t) => {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'slot_a'));
  await writeFile(join(directory, 'slot_a', 'whole'), '1');
  let confirmed = 1;
  let cutOff = 0;
  let tried = 0;
  for (let n = 0; n < 40; n++) {
    const output = await life(directory, n % 3 === 2 ? undefined : (n * 7) % 40);
    const [verdict = '', , version] = output.split(/[ \n]/);
    assert.ok(['ordinary', 'first_boot', 'fell_back'].includes(verdict), `life ${n}: ${output}`);
    const running = Number(version);
    if (verdict === 'first_boot') {
      tried += 1;
      assert.ok(running === confirmed + 1 || running === cutOff, `life ${n}: ${running} is on trial`);
      // A confirmation that was cut off may have got as far as the boot choice, or not.
      if (output.includes('done')) confirmed = running;
      else cutOff = running;
    } else {
      assert.ok(running === confirmed || running === cutOff, `life ${n}: ${running}, confirmed ${confirmed}`);
      confirmed = running;
    }
  }
  assert.ok(tried > 5, `only ${tried} first boots`);
  assert.ok(confirmed > 3, `only version ${confirmed} was confirmed`);
});
