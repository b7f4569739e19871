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
  /** What the console shows once for each time that the release was started. */
  readonly sign: RegExp;
  readonly cause: string | readonly string[];
  /** The probe that fails, and what it said. */
  readonly probe?: readonly [name: string, output: RegExp];
  /** Somebody cuts the power once the release is stuck. */
  readonly powerCycle?: boolean;
  /** The release before it runs the client from an image, by systemd's RootImage=. */
  readonly asImage?: boolean;
  /** Only on request: the other firmware has it, too, and the whole suite is to take half an hour. */
  readonly extra?: boolean;
  /** Seconds that a release has to stay healthy, if not the usual few. */
  readonly holdS?: number;
}

/** Seconds, as in the machines' options. */
const usualHoldS = 2;

const up = (name: string): RegExp => new RegExp(`ota.vm: ${name} is up`, 'g');

/** One machine for each firmware lives through all of its releases; what takes long is spread over both. */
const badReleases: Readonly<Record<Firmware, readonly BadRelease[]>> = {
  bios: [
    { trouble: 'panic', sign: /Kernel panic - not syncing: sysrq/g, cause: 'kernel_crash', extra: true },
    { trouble: 'no-init', sign: /No init found/g, cause: 'not_booted' },
    {
      trouble: 'network',
      sign: up('network'),
      cause: 'probe_failed',
      probe: ['gateway', /^this machine has no network address$/],
    },
    { trouble: 'daemon-crash', sign: up('daemon-crash'), cause: 'daemon_failed' },
    // Last: how the client is installed is another one from then on.
    {
      trouble: 'probe',
      sign: up('probe'),
      cause: 'probe_failed',
      probe: ['brakes', /brakes do not answer/],
      asImage: true,
    },
  ],
  efi: [
    { trouble: 'panic', sign: /Kernel panic - not syncing: sysrq/g, cause: 'kernel_crash' },
    { trouble: 'hang', sign: up('hang'), cause: 'not_booted', powerCycle: true },
    { trouble: 'reboots', sign: up('reboots'), cause: 'rebooted', holdS: 60 },
  ],
};

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

  for (const firmware of ['bios', 'efi'] as const) {
    describe(firmware, { concurrency: 1 }, () => {
      let machine: Vehicle | undefined;
      const switchOff = async (): Promise<void> => {
        await machine?.[Symbol.asyncDispose]();
        machine = undefined;
      };
      after(switchOff);

      /**
       * A part of a machine's life. What goes wrong is told at once, with what the machine says of it, and the next part
       * begins with a new one.
       */
      const live = async (t: TestContext, part: (vehicle: Vehicle) => Promise<void>): Promise<void> => {
        const log = (text: string): void => t.diagnostic(text);
        const stick = firmware === 'bios' ? fleet.squashfs : undefined;
        machine ??= await Vehicle.start(fleet, firmware, server, log, stick);
        machine.log = log;
        try {
          await part(machine);
        } catch (error) {
          t.diagnostic(`${String(error)}\n${await machine.account()}`);
          await switchOff();
          throw error;
        }
      };

      const ways = firmware === 'efi' ? ', through a power cut on trial,' : '';
      it(`${firmware}: goes from A to B${ways} and on to A2 with their kernels, stops on request, and rolls back`, (t) =>
        live(t, async (vehicle) => {
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
          if (firmware === 'bios') return;
          // A power cycle changes nothing any more.
          const boots = vehicle.machine.agent.boots;
          await vehicle.machine.powerCycle();
          await vehicle.machine.untilBoot(boots + 1);
          assert.deepEqual(await vehicle.running(), second);
          await vehicle.until('SUCCESS', 'B');
        }));

      for (const bad of badReleases[firmware]) {
        const { trouble, asImage = false, extra = false } = bad;
        if (extra && process.env['OTA_VM_ALL'] === undefined) continue;
        it(`${firmware}: comes back from release ${trouble} after one attempt, knows why, and takes the next good one${asImage ? ', the client an image' : ''}`, (t) =>
          live(t, (vehicle) => comeBack(t, vehicle, bad)));
      }
    });
  }
});

async function comeBack(t: TestContext, vehicle: Vehicle, bad: BadRelease): Promise<void> {
  const { trouble, sign, probe, powerCycle = false, asImage = false, holdS } = bad;
  const before = await vehicle.running();
  const shown = (await vehicle.machine.console()).length;
  if (asImage) await vehicle.installAsImage();
  if (holdS !== undefined) await vehicle.holdFor(holdS);
  await vehicle.update(trouble);
  if (powerCycle) {
    await untilShown(vehicle, sign);
    await delay(5000);
    await vehicle.machine.powerCycle();
  }
  const status = await vehicle.until('FAILURE');
  const attempts = (await vehicle.machine.console()).slice(shown).match(sign)?.length ?? 0;
  assert.equal(attempts, 1, `started ${attempts} times; ${JSON.stringify(status.failure)}`);
  assert.equal(status.firmwareVersion, before.release);
  assert.deepEqual(await vehicle.running(), before);
  const box = await vehicle.blackBox();
  t.diagnostic(`${box.cause}: ${box.detail}; ${status.failure?.reason}`);
  assert.ok([bad.cause].flat().includes(box.cause), JSON.stringify(box, null, 1));
  assert.equal(box.left.version, trouble);
  assert.ok(box.quarantined);
  if (probe !== undefined) {
    assert.equal(box.probe?.name, probe[0]);
    assert.match(box.probe?.output ?? '', probe[1]);
  }
  if (holdS !== undefined) await vehicle.holdFor(usualHoldS);
  const good = before.release === 'B' ? 'A2' : 'B';
  await vehicle.update(good);
  await vehicle.until('SUCCESS', good);
  const after = await vehicle.running();
  assert.equal(after.release, good);
  assert.notEqual(after.device, before.device);
}

/** While all is well and only has to hold, a power cut is no reason to go back. */
async function updateAcrossPowerCut(vehicle: Vehicle, release: string): Promise<void> {
  const { agent } = vehicle.machine;
  const boots = agent.boots;
  await vehicle.holdFor(45);
  await vehicle.update(release);
  await vehicle.untilBoot(boots + 1);
  await vehicle.shell(
    `until journalctl -b -u ota -o cat | grep -q 'a power cut now does not'; do sleep 1; done`,
  );
  assert.equal((await vehicle.status())?.status, 'UPDATING');
  await vehicle.machine.powerCycle();
  await vehicle.until('SUCCESS', release);
  assert.equal(agent.boots, boots + 2, 'once more, and not by way of the old release');
  await vehicle.holdFor(usualHoldS);
}

async function untilShown(vehicle: Vehicle, sign: RegExp): Promise<void> {
  const end = performance.now() + 900_000;
  while ((await vehicle.machine.console()).match(sign) === null) {
    if (performance.now() > end) throw new Error(`the console never shows ${String(sign)}`);
    await delay(250);
  }
}
