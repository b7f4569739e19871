import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { rebootExitCode } from '../support/daemon-process.ts';
import { bringTo } from './bring-to.ts';
import { randomFrom } from './cuts.ts';
import { Delivery, startDaemon } from './delivery.ts';
import { memoryDirectory } from './memory-directory.ts';
import { missingParts } from './missing-parts.ts';
import { manifestDifferences } from './releases.ts';
import { released, type Vehicle } from './vehicle.ts';

const samples = Number(process.env['CRASH_IO_ERRORS'] ?? 40);
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 1_000_000));
const skip = missingParts(['root', 'loop devices', 'strace']);

/** Calls by which an update changes disks, and what they may answer when the disk is worn out, full or read only. */
const calls: Readonly<Record<string, readonly string[]>> = {
  write: ['EIO', 'ENOSPC'],
  pwrite64: ['EIO', 'ENOSPC'],
  fsync: ['EIO', 'ENOSPC'],
  rename: ['EIO', 'ENOSPC', 'EROFS'],
  openat: ['EIO', 'ENOSPC', 'EROFS'],
  mkdir: ['EIO', 'ENOSPC', 'EROFS'],
  link: ['EIO', 'ENOSPC', 'EROFS'],
  symlink: ['EIO', 'ENOSPC', 'EROFS'],
  unlink: ['EIO', 'EROFS'],
  rmdir: ['EIO', 'EROFS'],
  ftruncate: ['EIO', 'ENOSPC'],
  fallocate: ['EIO', 'ENOSPC'],
  copy_file_range: ['EIO', 'ENOSPC'],
  read: ['EIO'],
  pread64: ['EIO'],
  getdents64: ['EIO'],
  fchown: ['EIO', 'EROFS'],
  fchmod: ['EIO', 'EROFS'],
  chmod: ['EIO', 'EROFS'],
  lchown: ['EIO', 'EROFS'],
  syncfs: ['EIO'],
  mount: ['EIO'],
  umount2: ['EIO'],
  ioctl: ['EIO'],
};

/** Where the daemon keeps what it tells the fleet. */
const messages = '/var/lib/ota/diagnostics/';

interface Fault {
  readonly call: string;
  readonly error: string;
  /** The call of a thread with this number fails, counted from 1. */
  readonly when: number;
}

describe('an update of which one I/O call fails', { skip, timeout: 20 * 60_000 }, () => {
  it(`fails clearly or not at all, ${samples} times over (seed ${seed})`, async (t) => {
    const directory = memoryDirectory(t);
    const delivery = await Delivery.create(t, directory);
    const trace = join(directory, 'trace');
    let counts: ReadonlyMap<string, number> = new Map();
    let whole: readonly string[] = [];
    await t.test('is counted', () =>
      delivery.withVehicle(t, async (vehicle) => {
        await startDaemon(vehicle);
        const tracer = await attach(vehicle, ['-e', `trace=${Object.keys(calls).join(',')}`, '-o', trace]);
        await request(vehicle);
        assert.equal(await vehicle.daemon.exitCode(), rebootExitCode);
        await tracer.end();
        counts = countCalls(readFileSync(trace, 'latin1'));
        await vehicle.powerOff();
        vehicle.bootUp();
        await startDaemon(vehicle);
        await bringTo(vehicle, '2');
        whole = vehicle.manifest();
      }),
    );
    t.diagnostic([...counts].map(([call, times]) => `${call} ${times}`).join(', '));
    const ends = new Map<string, readonly string[]>();
    for (const fault of faultsOf(counts)) {
      const { call, error, when } = fault;
      await t.test(`${call} number ${when} with ${error}`, () =>
        delivery.withVehicle(t, async (vehicle, disk) => {
          await startDaemon(vehicle);
          const before = vehicle.manifest();
          const inject = `inject=${call}:error=${error}:when=${when}`;
          const tracer = await attach(vehicle, ['-y', '-e', `trace=${call}`, '-e', inject, '-o', trace]);
          await request(vehicle);
          const end = await endOf(vehicle);
          await tracer.end();
          const hits = readFileSync(trace, 'latin1').match(/^.*\(INJECTED\)$/gm) ?? [];
          const hit = hits.length > 0;
          const what = end === 'rebooted' ? (hit ? 'went on all the same' : 'did not come to it') : end;
          ends.set(what, [...(ends.get(what) ?? []), `${call} ${error}`]);
          // What cannot be made durable must not be booted; messages that are lost stop no update.
          const flushes = hits.filter(
            (line) => /^\d+ +(?:fsync|syncfs)\(/.test(line) && !line.includes(messages),
          );
          // The journal only tells: what happened is known without it.
          const early = flushes.filter((line) => !line.includes('/var/lib/ota'));
          if (end === 'rebooted') assert.deepEqual(early, [], 'a failed flush was passed over');
          assert.deepEqual(manifestDifferences(vehicle.manifest(), before), [], 'the running release');
          if (end === 'failed' && (await isOfProgram(vehicle))) {
            // A part of the program could not be read: Node reads it again only in a new process.
            await vehicle.daemon.end('SIGTERM');
            vehicle.startDaemon();
          } else if (end === 'failed') {
            // The daemon still runs: nothing of the other slot may be mounted any more.
            await released(disk.partition('slot_b'));
          } else {
            // It had to be started again, as a supervisor would: by the reboot that it asked for, or since it was gone.
            if (end === 'rebooted') {
              await vehicle.powerOff();
              vehicle.bootUp();
            }
            vehicle.startDaemon();
          }
          await bringTo(vehicle, '2');
          assert.deepEqual(manifestDifferences(vehicle.manifest(), whole), []);
        }),
      );
    }
    for (const [end, faults] of ends) t.diagnostic(`${faults.length} ${end}: ${faults.join(', ')}`);
  });
});

/** Whether the failure is about a file of the daemon's own program. */
async function isOfProgram({ daemon }: Vehicle): Promise<boolean> {
  const reason = (await daemon.status())?.failure?.reason ?? '';
  return reason.includes('node_modules') || reason.includes('/src/');
}

interface Tracer {
  readonly end: () => Promise<void>;
}

/** Attaches strace to all threads of the daemon; also what they start is traced. */
async function attach({ daemon }: Vehicle, options: readonly string[]): Promise<Tracer> {
  const child = spawn('strace', ['-f', '-p', String(daemon.pid), ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const limit = performance.now() + 10_000;
  while (!said.includes('attached')) {
    if (child.exitCode !== null || performance.now() > limit) throw new Error(`strace: ${said}`);
    await delay(10);
  }
  return {
    end: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGINT');
      await once(child, 'exit');
    },
  };
}

async function request({ daemon, world }: Vehicle): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      const [answer] = await daemon.update({ version: '2', url: world.server.origin.href });
      assert.equal(answer?.result, 'NO_FAILURE', answer?.message ?? '');
      return;
    } catch (error) {
      // A fault may hit the connection of the request itself, which then never arrived.
      if (attempt >= 2 || error instanceof assert.AssertionError) throw error;
    }
  }
}

/** How the update ended: a failure has a code and says what to do. */
async function endOf({ daemon }: Vehicle): Promise<'failed' | 'rebooted' | 'killed'> {
  const exit = daemon.exitCode();
  const limit = performance.now() + 60_000;
  for (;;) {
    const code = await Promise.race([exit, delay(50)]);
    if (code === rebootExitCode) return 'rebooted';
    // libuv aborts when it cannot wake its own loop: an event of another process's, not of a disk.
    if (code === -1) return 'killed';
    assert.equal(code, undefined, `the daemon ended with ${String(code)}`);
    const status = await daemon.status();
    if (status?.status === 'FAILURE') {
      assert.match(status.failure?.reason ?? '', /^E\d{3}: .{10}/s);
      return 'failed';
    }
    assert.ok(performance.now() < limit, `no end: ${JSON.stringify(status?.status)}`);
  }
}

/** The most calls that one thread made: `when` counts for each thread. */
function countCalls(trace: string): ReadonlyMap<string, number> {
  const byThread = new Map<string, number>();
  for (const [, thread = '', call = ''] of trace.matchAll(/^(\d+) +(\w+)\(/gm)) {
    const key = `${call} ${thread}`;
    byThread.set(key, (byThread.get(key) ?? 0) + 1);
  }
  const most = new Map<string, number>();
  for (const [key, times] of byThread) {
    const [call = ''] = key.split(' ');
    most.set(call, Math.max(most.get(call) ?? 0, times));
  }
  return most;
}

/** Spread over all calls that are made, and over the whole update. */
function faultsOf(counts: ReadonlyMap<string, number>): readonly Fault[] {
  const random = randomFrom(seed);
  const kinds = Object.entries(calls).flatMap(([call, errors]) => {
    const times = counts.get(call) ?? 0;
    return times === 0 ? [] : errors.map((error) => ({ call, error, times }));
  });
  return Array.from({ length: samples }, (_, index) => {
    const { call, error, times } = kinds[index % kinds.length] ?? { call: 'fsync', error: 'EIO', times: 1 };
    return { call, error, when: 1 + Math.floor(random() * times) };
  });
}
