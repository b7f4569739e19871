import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { bootDirectorySlots } from '#boot/directory.ts';
import type { Slots } from '#boot/slots.ts';
import type { DaemonOptions } from '#config/options.ts';
import type { SystemCourse } from '#host/system-state.ts';
import { readFirstBoot } from '#update/black-box/first-boot-timeline.ts';
import { FirstBoot } from '#update/health/first-boot.ts';
import { MemoryLog } from '../../support/memory-log.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

const never = new AbortController().signal;
const hold = { holdMs: 60_000, intervalMs: 60_000, startTimeoutMs: 0, powerCycles: 2 };

interface Boot {
  readonly slots: Slots;
  readonly firstBoot: FirstBoot;
  readonly log: MemoryLog;
  /** Ends the daemon while it judges, as its door does. */
  readonly end: () => Promise<void>;
  /** Judges until all probes have passed once. */
  readonly untilPassed: () => Promise<void>;
}

interface BootOptions {
  readonly options?: DaemonOptions['health'];
  readonly course?: SystemCourse;
  /** The boot in which the daemon is started again. */
  readonly bootId?: string;
}

interface Ecu {
  readonly directory: string;
  readonly boot: (setting?: BootOptions) => Promise<Boot>;
  /** The slot that the next boot would take. */
  readonly next: () => Promise<string>;
}

/** An ECU whose slot_b was just switched to, and runs for the first time with the first `boot`. */
async function ecuOnTrial(t: TestContext): Promise<Ecu> {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'slot_a'));
  await writeFile(join(directory, 'slot_a', 'file'), '1');
  const openSlots = () => bootDirectorySlots({ directory, reboot: () => Promise.resolve() });
  const old = await openSlots();
  await old.activate(await old.prepare(never), { version: '2', detail: undefined, imageDigest: 'd' });
  return {
    directory,
    next: async () => {
      const choice = JSON.parse(await readFile(join(directory, 'boot.json'), 'utf8'));
      return choice.once ?? choice.default;
    },
    boot: async ({ options = hold, course = 'running', bootId = randomUUID() } = {}) => {
      const slots = await openSlots();
      const log = new MemoryLog();
      const passed = Promise.withResolvers<void>();
      const firstBoot = new FirstBoot({
        slots,
        checks: [{ name: 'fine', command: ['true'], timeoutMs: 5000 }],
        options,
        probeGrpc: () => Promise.resolve(undefined),
        probeSignals: () => undefined,
        bootId,
        course: () => Promise.resolve(course),
        resetPlaces: {
          crashRecords: [join(directory, 'pstore')],
          watchdogs: join(directory, 'watchdogs'),
        },
        log,
        tell: (line) => line.includes('must hold') && passed.resolve(),
      });
      const controller = new AbortController();
      let judging: Promise<unknown> = Promise.resolve();
      t.after(async () => {
        controller.abort();
        await judging.catch(() => {});
      });
      return {
        slots,
        firstBoot,
        log,
        untilPassed: async () => {
          judging = firstBoot.judge(controller.signal);
          await Promise.race([passed.promise, judging]);
        },
        end: async () => {
          controller.abort();
          await assert.rejects(judging, { name: 'AbortError' });
          await firstBoot[Symbol.asyncDispose]();
        },
      };
    },
  };
}

test('a release whose probes pass is kept; without time to hold nothing is armed', async (t) => {
  const { boot, next } = await ecuOnTrial(t);
  const { firstBoot } = await boot({ options: { ...hold, holdMs: 0 } });
  await firstBoot.judge(never);
  assert.equal(await next(), 'slot_a');
});

test('a release whose probes hold is kept', async (t) => {
  const { boot } = await ecuOnTrial(t);
  const { firstBoot } = await boot({ options: { ...hold, holdMs: 50 } });
  await firstBoot.judge(never);
});

test('power cycles while the probes hold boot the release again, but not without end', async (t) => {
  const { boot, next } = await ecuOnTrial(t);
  for (const expected of ['slot_b', 'slot_b', 'slot_a']) {
    // Nothing is closed: the power fails.
    const { slots, untilPassed } = await boot();
    assert.equal((await slots.current()).id, 'slot_b');
    assert.equal(await next(), 'slot_a', 'until all have passed once, a power cut leads back');
    await untilPassed();
    assert.equal(await next(), expected);
  }
  assert.equal((await (await boot()).slots.current()).id, 'slot_a');
});

test('a release that is kept after power cycles has all of them again in its next trial', async (t) => {
  const { directory, boot } = await ecuOnTrial(t);
  await (await boot()).untilPassed();
  const { slots, firstBoot } = await boot({ options: { ...hold, holdMs: 20 } });
  await firstBoot.judge(never);
  await slots.confirm();
  for (const name of ['trial', 'rearmed']) {
    await assert.rejects(readFile(join(directory, 'status/slot_b', name)), { code: 'ENOENT' });
  }
});

test('a machine that reboots while the probes hold goes back', async (t) => {
  const { boot, next } = await ecuOnTrial(t);
  const { untilPassed, end } = await boot({ course: 'rebooting' });
  await untilPassed();
  await end();
  assert.equal(await next(), 'slot_a');
});

for (const course of ['powering_off', 'running'] as const) {
  test(`a daemon that ends while the probes hold on a machine that is ${course} does not go back`, async (t) => {
    const { boot, next } = await ecuOnTrial(t);
    const { untilPassed, end } = await boot({ course });
    await untilPassed();
    await end();
    assert.equal(await next(), 'slot_b');
  });
}

test('that the machine goes down in order is noted for the old release; the end of the daemon alone is not', async (t) => {
  for (const course of ['powering_off', 'rebooting', 'running'] as const) {
    const { boot } = await ecuOnTrial(t);
    const { slots, untilPassed, end } = await boot({ course });
    await untilPassed();
    await end();
    const noted = await slots.withArchive('current', 'read', readFirstBoot);
    assert.deepEqual(
      noted.map(({ step }) => step),
      course === 'running' ? [] : [course],
    );
  }
});

test('a daemon that is started again in the same boot is given no other boot', async (t) => {
  const { boot, next } = await ecuOnTrial(t);
  const bootId = 'one boot';
  const first = await boot({ bootId });
  await first.untilPassed();
  assert.equal(await next(), 'slot_b');
  // With slots in directories a start takes the one-shot choice; here only the daemon is started again.
  const again = await boot({ bootId });
  await again.slots.rearm(9);
  await again.untilPassed();
  assert.equal(await next(), 'slot_a');
  assert.ok(again.log.lines.some((line) => line.includes('the daemon was restarted in this boot')));
});

test('a crash of the kernel while the probes held is the end of it', async (t) => {
  const { directory, boot } = await ecuOnTrial(t);
  const record = join(directory, 'pstore/dmesg-efi-1');
  await mkdir(join(record, '..'), { recursive: true });
  await writeFile(record, 'an old crash');
  await (await boot()).untilPassed();
  // An old record in the place of a ring buffer is written over.
  await writeFile(record, 'a new one!!!');
  await utimes(record, 5, 5);
  const { firstBoot } = await boot();
  await assert.rejects(firstBoot.judge(never), {
    code: 'health_check_failed',
    detail: `the kernel crashed: see ${record}`,
    end: { cause: 'kernel_crash', detail: `the kernel crashed: see ${record}`, probe: undefined },
  });
});

test('a crash of the kernel before the trial is not held against the release', async (t) => {
  const { directory, boot } = await ecuOnTrial(t);
  await mkdir(join(directory, 'pstore'));
  await writeFile(join(directory, 'pstore/dmesg-efi-1'), 'an old crash');
  await (await boot()).untilPassed();
  await (await boot()).untilPassed();
});

test('a reset by the hardware watchdog while the probes held is the end of it', async (t) => {
  const { directory, boot } = await ecuOnTrial(t);
  await mkdir(join(directory, 'watchdogs/watchdog0'), { recursive: true });
  await writeFile(join(directory, 'watchdogs/watchdog0/bootstatus'), '32\n');
  await (await boot()).untilPassed();
  const { firstBoot } = await boot();
  const detail = 'the hardware watchdog watchdog0 reset the machine';
  await assert.rejects(firstBoot.judge(never), {
    end: { cause: 'watchdog_reset', detail, probe: undefined },
  });
});

test('a bootstatus that means something else is no reset', async (t) => {
  const { directory, boot } = await ecuOnTrial(t);
  await mkdir(join(directory, 'watchdogs/watchdog0'), { recursive: true });
  await writeFile(join(directory, 'watchdogs/watchdog0/bootstatus'), '1\n');
  await (await boot()).untilPassed();
  await (await boot()).untilPassed();
});

test('a release that was being given up is given up again, for the same reason', async (t) => {
  const { boot } = await ecuOnTrial(t);
  const first = await boot();
  await first.untilPassed();
  const probe = { name: 'web', kind: 'tcp', target: 'h:1', how: 'failed', output: 'x'.repeat(9000) };
  const end = { cause: 'probe_failed', detail: 'check web failed', probe } as const;
  assert.equal(await first.firstBoot.end(end), true);
  const again = await boot();
  await assert.rejects(again.firstBoot.judge(never), {
    detail: 'check web failed',
    end: { ...end, probe: { ...probe, output: 'x'.repeat(8192) } },
  });
});

test('what the guard beside the daemon decided counts', async (t) => {
  const { directory, boot } = await ecuOnTrial(t);
  await (await boot()).untilPassed();
  const note = { format: 1, cause: 'daemon_failed', detail: 'crashed', when: 5, times: 1, journal: 'log\n' };
  await writeFile(join(directory, 'status/slot_b/trial-failure'), JSON.stringify(note));
  await assert.rejects((await boot()).firstBoot.judge(never), {
    end: { cause: 'daemon_failed', detail: 'crashed', when: 5000, journal: 'log\n', probe: undefined },
  });
});

test('when reboots do not lead away from a release, it stops rebooting', async (t) => {
  const { boot } = await ecuOnTrial(t);
  const end = { cause: 'not_confirmed', detail: 'the boot loader lies', probe: undefined } as const;
  const leadsBack: boolean[] = [];
  for (let time = 1; time <= 4; time++) {
    const { slots, firstBoot } = await boot();
    await firstBoot.judge(AbortSignal.abort()).catch(() => {});
    leadsBack.push(await firstBoot.end(end), await firstBoot.end(end));
    // The boot loader starts it again whatever it was told.
    await slots.rearm(9);
  }
  assert.deepEqual(leadsBack, [true, true, true, true, true, true, false, false], 'counted by boots');
});

test('a boot choice that cannot be renewed does not cost the release, and is noted for the one before', async (t) => {
  const { directory, boot } = await ecuOnTrial(t);
  const { slots, firstBoot, log } = await boot({ options: { ...hold, holdMs: 30 } });
  await writeFile(join(directory, 'boot.json'), '{"torn":');
  await firstBoot.judge(never);
  assert.ok(log.lines.some((line) => line.includes('could not be renewed')));
  const noted = await slots.withArchive('current', 'read', readFirstBoot);
  assert.equal(noted.at(-1)?.step, 'probes_held');
});

test('its limit has room for the last round of its probes', async (t) => {
  const { boot } = await ecuOnTrial(t);
  const { firstBoot } = await boot({ options: { ...hold, holdMs: 1000, startTimeoutMs: 100 } });
  assert.equal(firstBoot.limitMs, 100 + 1000 + 2 * 5000 + 60_000);
});
