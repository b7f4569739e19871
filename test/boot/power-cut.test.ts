import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type LifeAction, liveOnce } from '../support/boot-life.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const program = fileURLToPath(new URL('../support/boot-once.ts', import.meta.url));
const cutPower = new URL('../support/cut-power.ts', import.meta.url).href;

/** One life of the ECU in this process. */
async function life(directory: string, action: LifeAction): Promise<string> {
  let told = '';
  await liveOnce(directory, action, (found) => {
    told = found;
  });
  return told;
}

/** One life in a process of its own, killed before a change of the file system. False when it had no such change. */
function cutLife(directory: string, action: LifeAction, cutAt: number): Promise<boolean> {
  const env = { ...process.env, CUT_AT: String(cutAt) };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ['--import', cutPower, program, directory, action], { env }, (error) => {
      if (error === null) resolve(false);
      else if (error.signal === 'SIGKILL') resolve(true);
      else reject(error);
    });
  });
}

/** An ECU that has lived through these lives, from a delivered release 1. */
async function ecu(t: TestContext, ...lives: readonly LifeAction[]): Promise<string> {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'slot_a'));
  await writeFile(join(directory, 'slot_a', 'whole'), '1');
  for (const action of lives) await life(directory, action);
  return directory;
}

/** Cuts a life right before each of its changes, and after the last; gives what the next life finds each time. */
async function cutEverywhere(
  t: TestContext,
  before: readonly LifeAction[],
  action: LifeAction,
  check: (found: string, directory: string) => void | Promise<void>,
): Promise<Set<string>> {
  const [start, copies] = [await ecu(t, ...before), await scratchDirectory(t)];
  const seen = new Set<string>();
  for (let cutAt = 1; cutAt < 100; cutAt++) {
    const directory = join(copies, String(cutAt));
    await cp(start, directory, { recursive: true });
    const isCut = await cutLife(directory, action, cutAt);
    const found = await life(directory, 'look');
    await check(found, directory);
    seen.add(found);
    if (!isCut) return seen;
    if (found.startsWith('ordinary')) continue;
    // Whatever it was, it is over and stays so.
    const again = await life(directory, 'look');
    assert.match(again, /^ordinary \S+ slot_[ab] \d+$/, `cut at ${cutAt}: ${found}, then ${again}`);
    assert.equal(again.at(-1), found.at(-1));
  }
  return assert.fail('the life never ended');
}

test('an installation that is cut off anywhere leaves the old release running, or the new one on trial', async (t) => {
  const seen = await cutEverywhere(t, [], 'install', async (found, directory) => {
    if (found !== 'ordinary INITIALIZED slot_a 1') return;
    assert.ok(!(await readdir(directory)).includes('slot_b'), 'nothing was touched');
  });
  assert.deepEqual([...seen].sort(), [
    'fell_back update slot_a 1',
    'first_boot update slot_b 2',
    'ordinary FAILURE slot_a 1',
    'ordinary INITIALIZED slot_a 1',
  ]);
});

test('a confirmation that is cut off anywhere falls back, or is confirmed by the next start', async (t) => {
  const seen = await cutEverywhere(t, ['install'], 'look', () => {});
  assert.deepEqual([...seen].sort(), [
    'fell_back update slot_a 1',
    'first_boot update slot_b 2',
    'ordinary SUCCESS slot_b 2',
  ]);
});

test('a rollback that is cut off anywhere stays, or tries the old release', async (t) => {
  const seen = await cutEverywhere(t, ['install', 'look'], 'roll-back', () => {});
  assert.deepEqual([...seen].sort(), [
    'fell_back rollback slot_b 2',
    'first_boot rollback slot_a 1',
    'ordinary ROLLBACK_FAILURE slot_b 2',
    'ordinary SUCCESS slot_b 2',
  ]);
});
