import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { bootDirectorySlots } from '#boot/directory.ts';
import type { TrialEnd } from '#domain/trial-end.ts';
import { createEcuSteps, type EcuStepParts } from '#update/ecu-steps.ts';
import { FirstBoot } from '#update/health/first-boot.ts';
import { Journal } from '#update/journal.ts';
import { Returns } from '#update/returns.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const never = new AbortController().signal;
const report = { type: 'RECOVERABLE', reason: 'E211: check web', traceback: '' } as const;
const probeFailed: TrialEnd = { cause: 'probe_failed', detail: 'check web', probe: undefined };
const notConfirmed: TrialEnd = { cause: 'not_confirmed', detail: 'it lies', probe: undefined };

/** Slot_b runs for the first time, and would be booted once more. */
async function onTrial(t: TestContext) {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'slot_a'));
  await writeFile(join(directory, 'slot_a', 'file'), '1');
  const open = () => bootDirectorySlots({ directory, reboot: () => Promise.resolve() });
  const old = await open();
  await old.activate(await old.prepare(never), { version: '2', detail: undefined, imageDigest: 'd' });
  const slots = await open();
  const log = new MemoryLog();
  const resetPlaces = { crashRecords: [], watchdogs: '/does/not/exist' };
  const firstBoot = new FirstBoot({
    slots,
    checks: [],
    options: { holdMs: 20, intervalMs: 10, startTimeoutMs: 0, powerCycles: 3 },
    probeGrpc: () => Promise.resolve(undefined),
    probeSignals: () => undefined,
    bootId: 'b',
    course: () => Promise.resolve('running'),
    resetPlaces,
    log,
    tell: () => {},
  });
  const journal = await Journal.open(join(directory, 'journal.json'));
  const returns = new Returns({ slots, log, resetPlaces });
  // The steps of an update are not run here.
  const parts = { slots, journal, firstBoot, returns, log, onStep: () => {} } as unknown as EcuStepParts;
  const steps = createEcuSteps(parts);
  await steps.checkHealth({ signal: never });
  const choice = async () => JSON.parse(await readFile(join(directory, 'boot.json'), 'utf8'));
  assert.equal((await choice()).once, 'slot_b', 'a power cut would not lead back');
  return { directory, slots, steps, choice, log };
}

test('the boot choice goes back even when no word can be left for the old release', async (t) => {
  const { directory, steps, choice } = await onTrial(t);
  await rm(join(directory, 'status/slot_a'), { recursive: true });
  await writeFile(join(directory, 'status/slot_a'), 'in the way');
  assert.equal(await steps.giveUp(report, probeFailed), true);
  assert.deepEqual(await choice(), { format: 1, default: 'slot_a', once: null, booted: 'slot_b' });
});

test('the boot choice goes back when it was made permanent already', async (t) => {
  const { directory, slots, steps, choice } = await onTrial(t);
  await rm(join(directory, 'status/slot_b/slot'), { force: true });
  await mkdir(join(directory, 'status/slot_b/slot'));
  await assert.rejects(slots.confirm());
  assert.equal((await choice()).default, 'slot_b');
  assert.equal(await steps.giveUp(report, notConfirmed), true);
  assert.equal((await choice()).default, 'slot_a');
});

test('nothing can be written at all: it reboots, unless the boot may have been made permanent', async (t) => {
  const { directory, steps, log } = await onTrial(t);
  for (const slot of ['slot_a', 'slot_b']) {
    await rm(join(directory, 'status', slot), { recursive: true });
    await writeFile(join(directory, 'status', slot), 'in the way');
  }
  await rm(join(directory, 'boot.json'));
  await mkdir(join(directory, 'boot.json'));
  assert.equal(await steps.giveUp(report, probeFailed), true);
  assert.equal(await steps.giveUp(report, notConfirmed), false);
  assert.ok(log.lines.some((line) => line.includes('made harder')));
});
