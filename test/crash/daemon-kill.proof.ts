import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { journalSteps } from '#update/journal.ts';
import { rebootExitCode } from '../support/daemon-process.ts';
import { askedTwice, bringTo } from './bring-to.ts';
import { randomFrom } from './cuts.ts';
import { Delivery, startDaemon } from './delivery.ts';
import { memoryDirectory } from './memory-directory.ts';
import { missingParts } from './missing-parts.ts';
import type { Vehicle } from './vehicle.ts';

const moments = Number(process.env['CRASH_KILLS'] ?? 20);
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 1_000_000));
const skip = missingParts(['root', 'loop devices']);
const preload = ['--import', join(import.meta.dirname, 'kill-at-step.ts')];

/** Waiting for the state of the vehicle, which this one does not: test/app/preconditions.test.ts kills daemons that do. */
const waits = ['await_start', 'await_activation', 'await_reboot'];
/** Steps of an update in the old release; the last one is made in the new one. */
const steps = Object.keys(journalSteps).filter(
  (step) => !['roll_back', 'first_boot', ...waits].includes(step),
);

describe('a daemon on slots of a disk that is killed', { skip, timeout: 15 * 60_000 }, () => {
  let whole: readonly string[] = [];
  let updateMs = 0;

  it(`right before and after its journal says each step, and ${moments} times by chance (seed ${seed})`, async (t) => {
    const delivery = await Delivery.create(t, memoryDirectory(t));
    const { world } = delivery;

    await t.test('updates when nobody kills it', () =>
      delivery.withVehicle(t, async (vehicle) => {
        await startDaemon(vehicle);
        const started = performance.now();
        await request(vehicle);
        assert.equal(await vehicle.daemon.exitCode(), rebootExitCode);
        updateMs = performance.now() - started;
        await vehicle.powerOff();
        vehicle.bootUp();
        await startDaemon(vehicle);
        await bringTo(vehicle, '2');
        whole = vehicle.manifest();
      }),
    );

    /** Kills one life, checks what the next one makes of it, and brings the vehicle to the new release. */
    const goOn = async (vehicle: Vehicle, there: ReadonlySet<string>, mayBeTried = false): Promise<void> => {
      world.server.seen.length = 0;
      vehicle.startDaemon();
      const { rest } = await bringTo(vehicle, '2', mayBeTried);
      const ends = ['SUCCESS', 'FAILURE', 'INITIALIZED'];
      assert.ok(ends.includes(rest.status), `it came to rest with ${rest.status}`);
      // One of those words for each: the release that runs is the one that the words are about.
      if (rest.status === 'SUCCESS') assert.equal(rest.firmwareVersion, '2');
      assert.deepEqual(vehicle.manifest(), whole);
      assert.deepEqual(askedTwice(world, '2', there), [], 'downloaded although it was there');
    };

    for (const step of steps) {
      for (const when of ['yes', 'no'] as const) {
        await t.test(`${when === 'yes' ? 'before' : 'after'} step ${step}`, () =>
          delivery.withVehicle(t, async (vehicle, disk) => {
            await startDaemon(vehicle, { node: preload, env: { KILL_AT: step, KILL_BEFORE: when } });
            await request(vehicle);
            assert.equal(await vehicle.daemon.exitCode(), -1, 'it was not killed');
            await goOn(vehicle, await delivery.contents(vehicle, disk));
          }),
        );
      }
    }

    await t.test('at its first boot', () =>
      delivery.withVehicle(t, async (vehicle) => {
        await startDaemon(vehicle);
        await request(vehicle);
        await vehicle.daemon.exitCode();
        await vehicle.powerOff();
        vehicle.bootUp();
        // There is no journal of this job in the new release: it is killed by the clock.
        vehicle.startDaemon();
        await Promise.race([vehicle.daemon.exitCode(), delay(1500)]);
        await vehicle.daemon.end('SIGKILL');
        await goOn(vehicle, new Set(), true);
      }),
    );

    const random = randomFrom(seed);
    for (let i = 0; i < moments; i++) {
      const after = random() * updateMs * 1.1;
      await t.test(`${Math.round(after)} ms after the request`, () =>
        delivery.withVehicle(t, async (vehicle, disk) => {
          await startDaemon(vehicle);
          await request(vehicle);
          await Promise.race([vehicle.daemon.exitCode(), delay(after)]);
          const code = await vehicle.daemon.end('SIGKILL');
          if (code === rebootExitCode) {
            await vehicle.powerOff();
            vehicle.bootUp();
            await goOn(vehicle, new Set(), true);
          } else await goOn(vehicle, await delivery.contents(vehicle, disk));
        }),
      );
    }
  });
});

async function request({ daemon, world }: Vehicle): Promise<void> {
  const [answer] = await daemon.update({ version: '2', url: world.server.origin.href });
  assert.equal(answer?.result, 'NO_FAILURE', answer?.message ?? '');
}
