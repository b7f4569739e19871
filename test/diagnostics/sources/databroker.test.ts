import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { brokerAccess } from '#api/kuksa/broker-access.ts';
import { systemClock } from '#diagnostics/signals/clock.ts';
import { overlayJson } from '#diagnostics/signals/overlay-files.ts';
import { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { usualPatience } from '#diagnostics/sources/keep-connected.ts';
import { OverlayPublisher } from '#diagnostics/sources/overlay-publisher.ts';
import { BrokerError } from '#diagnostics/sources/vss-broker.ts';
import { freePort } from '../../support/free-port.ts';
import { KuksaWorld } from '../../support/kuksa-world.ts';
import { MemoryLog } from '../../support/memory-log.ts';
import { endBeforeRemoval, scratchDirectory } from '../../support/scratch-directory.ts';

const program = process.env['KUKSA_DATABROKER_BIN'] ?? '';
const skip = program === '' && 'needs a KUKSA databroker, 0.5 or newer: KUKSA_DATABROKER_BIN names none';

const catalog = join(import.meta.dirname, '../../../scripts/vss-broker/vss.json');
const speed = 'Vehicle.Speed';
const gear = 'Vehicle.Powertrain.Transmission.SelectedGear';
const codes = 'Vehicle.Diagnostics.DTCList';
const never = new AbortController().signal;

/** A real databroker with our catalogs, which may be ended and started again on its port. */
async function databroker(t: TestContext) {
  const overlay = join(await scratchDirectory(t), 'overlay.json');
  await writeFile(overlay, overlayJson(['main']));
  const port = await freePort();
  let child: ChildProcess | undefined;
  const start = (): void => {
    const args = [
      '--address',
      '127.0.0.1',
      '--port',
      String(port),
      '--vss',
      `${catalog},${overlay}`,
      '--insecure',
    ];
    child = spawn(program, args, { stdio: 'ignore' });
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  };
  endBeforeRemoval(t, async () => end('SIGKILL'));
  start();
  return { address: `127.0.0.1:${port}`, start, end };
}

describe('a real KUKSA databroker', { skip }, () => {
  it('gives signals with datatype and unit, judges what is published, and may end and start again', async (t) => {
    const broker = await databroker(t);
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(speed, gear, codes, 'Vehicle.NotThere');
    const connected = (): boolean => world.source.state().state === 'connected';
    await world.until('connected', connected);
    const publish = async (
      path: string,
      value: number | string[],
      datatype = world.store.datatypeOf(path),
    ) => {
      using client = await brokerAccess({ address: broker.address, tls: false }).connect();
      if (datatype !== undefined) await client.publish(path, datatype, value, never);
    };
    await publish(speed, 12.5);
    await publish(gear, 126);
    await publish(codes, ['P0301', 'U0100']);
    await world.until('all', () => [speed, gear, codes].every((path) => world.of(path).length > 0));
    assert.deepEqual(
      [world.of(speed), world.of(gear), world.of(codes)],
      [[12.5], [126], [['P0301', 'U0100']]],
    );
    assert.deepEqual([world.store.datatypeOf(gear), world.store.unitOf(speed)], ['int8', 'km/h']);
    assert.match(world.source.state().problem, /gives no Vehicle\.NotThere/);
    await assert.rejects(
      publish(speed, 1, 'double'),
      (error) => error instanceof BrokerError && error.code === 'refused',
    );

    for (const [round, signal] of (['SIGTERM', 'SIGKILL'] as const).entries()) {
      await broker.end(signal);
      await world.until('waiting', () => world.source.state().state === 'waiting');
      broker.start();
      await world.until('connected', connected);
      await publish(speed, 20 + round);
      await world.until('speed', () => world.of(speed).at(-1) === 20 + round);
    }
    assert.deepEqual(world.of(speed), [12.5, 20, 21]);
  });

  it('takes our overlay, and what we publish', async (t) => {
    const broker = await databroker(t);
    const store = new SignalStore();
    const path = 'Vehicle.OTA.ECU.Main.TotalBytes';
    store.describe(path, 'uint64');
    const publisher = new OverlayPublisher({
      access: brokerAccess({ address: broker.address, tls: false }),
      store,
      clock: systemClock,
      patience: { ...usualPatience, baseMs: 50, maxMs: 500 },
      random: Math.random,
      log: new MemoryLog(),
    });
    endBeforeRemoval(t, async () => publisher[Symbol.asyncDispose]());
    publisher.start();
    const world = new KuksaWorld(t, { address: broker.address });
    world.want(path);
    await world.until('connected', () => world.source.state().state === 'connected');
    store.put(path, { value: 18446744073709551615n, ts: 1n, receivedAt: performance.now() });
    await world.until('published', () => world.of(path).length > 0);
    assert.deepEqual(world.of(path), [18446744073709551615n]);
    assert.equal(publisher.state().problem, '');
  });
});
