import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Firmware } from './disk.ts';
import { type Fleet, openFleet } from './fleet.ts';
import { ImageServer } from './image-server.ts';
import type { Trouble } from './releases.ts';
import { missingTools } from './tools.ts';
import { Vehicle } from './vehicle.ts';

interface BadRelease {
  readonly trouble: Trouble;
  readonly firmware: Firmware;
  /** What the console shows once for each time that the release was started. */
  readonly sign: RegExp;
  readonly cause: string | readonly string[];
  /** The probe that fails, and what it said. */
  readonly probe?: readonly [name: string, output: RegExp];
  /** Somebody cuts the power once the release is stuck. */
  readonly powerCycle?: boolean;
  /** The release before it runs the client from an image, by systemd's RootImage=. */
  readonly asImage?: boolean;
  /** Seconds that a release has to stay healthy, if not the usual few. */
  readonly holdS?: number;
}

const up = (name: string): RegExp => new RegExp(`ota.vm: ${name} is up`, 'g');

const badReleases: readonly BadRelease[] = [
  { trouble: 'panic', firmware: 'efi', sign: /Kernel panic - not syncing: sysrq/g, cause: 'kernel_crash' },
  { trouble: 'panic', firmware: 'bios', sign: /Kernel panic - not syncing: sysrq/g, cause: 'kernel_crash' },
  { trouble: 'no-init', firmware: 'bios', sign: /No init found/g, cause: 'not_booted' },
  { trouble: 'daemon-crash', firmware: 'efi', sign: up('daemon-crash'), cause: 'daemon_failed' },
  {
    trouble: 'probe',
    firmware: 'bios',
    sign: up('probe'),
    cause: 'probe_failed',
    probe: ['brakes', /brakes do not answer/],
    asImage: true,
  },
  { trouble: 'hang', firmware: 'efi', sign: up('hang'), cause: 'not_booted', powerCycle: true },
  {
    trouble: 'network',
    firmware: 'bios',
    sign: up('network'),
    cause: 'probe_failed',
    probe: ['gateway', /^this machine has no network address$/],
  },
  {
    trouble: 'reboots',
    firmware: 'efi',
    sign: up('reboots'),
    cause: 'rebooted',
    holdS: 120,
  },
];

const missing = missingTools();
// The gate installs all that is needed: what is missing there is a mistake of the gate.
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

// Two machines at a time: each has one emulated core.
describe('an ECU in a virtual machine', { concurrency: 2, skip: missing ?? false }, () => {
  let fleet: Fleet;
  let server: ImageServer;

  before(async () => {
    fleet = await openFleet((text) => process.stdout.write(`${text}\n`));
    server = await ImageServer.start(fleet.images);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
  });

  /** What goes wrong is told at once, with what the machine says of it: the other machines take their time. */
  const live = async (
    t: TestContext,
    { firmware, stick }: { readonly firmware: Firmware; readonly stick?: string | undefined },
    life: (vehicle: Vehicle) => Promise<void>,
  ): Promise<void> => {
    await using vehicle = await Vehicle.start(fleet, firmware, server, (text) => t.diagnostic(text), stick);
    try {
      await life(vehicle);
    } catch (error) {
      t.diagnostic(`${String(error)}\n${await vehicle.account()}`);
      throw error;
    }
  };

  for (const firmware of ['bios', 'efi'] as const) {
    it(`${firmware}: goes from A to B${firmware === 'efi' ? ', through a power cut on trial,' : ''} and on to A2 with their kernels, stops on request, and rolls back`, (t) =>
      live(t, { firmware }, async (vehicle) => {
        const [older, newer] = fleet.debian.kernels;
        const first = await vehicle.running();
        assert.deepEqual([first.release, first.kernel], ['A', older]);

        if (firmware === 'efi') await updateAcrossPowerCut(vehicle, 'B');
        else await vehicle.update('B');
        await vehicle.until('SUCCESS', 'B');
        const second = await vehicle.running();
        assert.deepEqual([second.release, second.kernel], ['B', newer]);
        assert.notEqual(second.device, first.device);

        await vehicle.update('A2');
        await vehicle.untilStatus('UPDATING', ({ status }) => status === 'UPDATING');
        await vehicle.abort();
        await vehicle.until('ABORTED');
        assert.deepEqual(await vehicle.running(), second);

        await vehicle.update('A2');
        await vehicle.until('SUCCESS', 'A2');
        const third = await vehicle.running();
        assert.deepEqual([third.release, third.kernel, third.device], ['A2', older, first.device]);

        await vehicle.rollback();
        await vehicle.until('SUCCESS', 'B');
        assert.deepEqual(await vehicle.running(), second);
        // A power cycle changes nothing any more.
        const boots = vehicle.machine.agent.boots;
        await vehicle.machine.powerCycle();
        await vehicle.machine.untilBoot(boots + 1);
        assert.deepEqual(await vehicle.running(), second);
      }));
  }

  for (const bad of badReleases) {
    const { trouble, firmware } = bad;
    it(`${firmware}: comes back from release ${trouble} after one attempt, knows why, and takes the next good one${bad.asImage === true ? ', the client an image' : ''}`, (t) =>
      live(t, { firmware, stick: bad.asImage === true ? fleet.squashfs : undefined }, async (vehicle) => {
        const before = await vehicle.running();
        if (bad.asImage === true) await vehicle.installAsImage();
        if (bad.holdS !== undefined) await vehicle.holdFor(bad.holdS);
        await vehicle.update(trouble);
        if (bad.powerCycle === true) {
          await untilShown(vehicle, bad.sign);
          await delay(5000);
          await vehicle.machine.powerCycle();
        }
        const status = await vehicle.until('FAILURE');
        const attempts = (await vehicle.machine.console()).match(bad.sign)?.length ?? 0;
        assert.equal(attempts, 1, `started ${attempts} times; ${JSON.stringify(status.failure)}`);
        assert.equal(status.firmwareVersion, 'A');
        assert.deepEqual(await vehicle.running(), before);
        const box = await vehicle.blackBox();
        t.diagnostic(`${box.cause}: ${box.detail}; ${status.failure?.reason}`);
        assert.ok([bad.cause].flat().includes(box.cause), JSON.stringify(box, null, 1));
        assert.equal(box.left.version, trouble);
        assert.ok(box.quarantined);
        if (bad.probe !== undefined) {
          assert.equal(box.probe?.name, bad.probe[0]);
          assert.match(box.probe?.output ?? '', bad.probe[1]);
        }
        await vehicle.update('B');
        await vehicle.until('SUCCESS', 'B');
        assert.equal((await vehicle.running()).release, 'B');
      }));
  }
});

/** While all is well and only has to hold, a power cut is no reason to go back. */
async function updateAcrossPowerCut(vehicle: Vehicle, release: string): Promise<void> {
  const { agent } = vehicle.machine;
  const boots = agent.boots;
  await vehicle.holdFor(60);
  await vehicle.update(release);
  await vehicle.untilBoot(boots + 1);
  await vehicle.shell(
    `until journalctl -b -u ota -o cat | grep -q 'a power cut now does not'; do sleep 1; done`,
  );
  assert.equal((await vehicle.status())?.status, 'UPDATING');
  await vehicle.machine.powerCycle();
  await vehicle.until('SUCCESS', release);
  assert.equal(agent.boots, boots + 2, 'once more, and not by way of the old release');
  await vehicle.holdFor(5);
}

async function untilShown(vehicle: Vehicle, sign: RegExp): Promise<void> {
  const end = performance.now() + 900_000;
  while ((await vehicle.machine.console()).match(sign) === null) {
    if (performance.now() > end) throw new Error(`the console never shows ${String(sign)}`);
    await delay(250);
  }
}
