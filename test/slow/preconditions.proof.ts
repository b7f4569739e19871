import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as after } from 'node:timers/promises';
import { isBusy } from '#domain/status.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';
import { VssBrokerProcess } from '../support/vss-broker.ts';

const rounds = Number(process.env['ROUNDS'] ?? 12);
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randoms(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe(`a vehicle that drives off and parks at random, and is cut off, over ${rounds} updates (SEED=${seed})`, () => {
  it('never switches or reboots while it is known to drive, and gets every release once it is parked', async (t) => {
    const random = randoms(seed);
    const world = await UpdateWorld.create(t);
    await makeTree(world.tree.activeRoot, { 'etc/issue': '1' });
    const broker = await VssBrokerProcess.start(t);
    const guard = '[{ name: parked, when: not Vehicle.IsMoving, max_age_ms: 600000 }]';
    const daemon = await DaemonProcess.create(t, {
      directory: world.directory,
      options: `diagnostics: { kuksa: { address: '${broker.address}' } }
preconditions: { start: ${guard}, activation: ${guard}, reboot: ${guard}, start_wait_ms: 600000 }`,
    });
    void daemon.supervise();
    const slots = join(world.directory, 'slots');
    const boot = async (): Promise<{ once: string | null; booted: string }> =>
      JSON.parse(await readFile(join(slots, 'boot.json'), 'utf8'));
    const drive = (moving: boolean): Promise<void> => broker.set('Vehicle.IsMoving', moving);
    const status = async () => {
      for (;;) {
        const now = await daemon.status();
        if (now !== undefined) return now;
        await after(20);
      }
    };
    const entry = { url: world.server.origin.href, force: true };
    let [held, kills] = [0, 0];

    /** The vehicle drives, and the daemon knows: from then on nothing is switched and nothing rebooted. */
    const hold = async (): Promise<void> => {
      await drive(true);
      const end = performance.now() + 5000;
      while ((await status()).waitingFor.length === 0) {
        // A first boot waits for nothing.
        if (performance.now() > end) return;
        await after(10);
      }
      const before = await boot();
      await after(50 + random() * 300);
      const now = await boot();
      assert.equal(now.booted, before.booted, 'rebooted while it drove');
      if (before.once === null) assert.equal(now.once, null, 'switched while it drove');
      held += 1;
    };

    for (let round = 2; round < 2 + rounds; round++) {
      const version = `${round}`;
      await drive(false);
      await status();
      await world.publish({ 'etc/issue': version, [`usr/${version}`]: version.repeat(100_000) });
      await drive(random() < 0.5);
      await daemon.update({ version, ...entry }).catch(() => []);
      for (let action = 0; action < 6; action++) {
        const dice = random();
        if (dice < 0.4) await hold();
        else if (dice < 0.6) await drive(random() < 0.5);
        else if (dice < 0.75) {
          kills += 1;
          await daemon.end('SIGKILL');
        } else await after(random() * 400);
      }
      await drive(false);
      const end = performance.now() + 120_000;
      for (;;) {
        const now = await status();
        if (now.status === 'SUCCESS' && now.firmwareVersion === version) break;
        assert.ok(
          performance.now() < end,
          `release ${version} never came: ${now.status} ${now.failure?.reason}`,
        );
        if (!isBusy(now.status)) await daemon.update({ version, ...entry }).catch(() => []);
        await after(50);
      }
      const { booted } = await boot();
      assert.equal(await readFile(join(slots, booted, 'etc/issue'), 'utf8'), version);
    }
    t.diagnostic(`${rounds} updates, looked at ${held} times while it drove, ${kills} kills`);
    assert.ok(held > 0);
  });
});
