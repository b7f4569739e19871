import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { parseOptions } from '#config/options.ts';
import { readContainerHeader } from '#diagnostics/messages/container.ts';
import { Outbox, type OutboxOptions } from '#diagnostics/outbox.ts';
import { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { SetClock } from './spool/set-clock.ts';
import { message, numbersOf } from './spool/spool-contents.ts';

async function open(t: TestContext, yaml: string, change: Partial<OutboxOptions> = {}) {
  const { options, problem } = parseOptions(`diagnostics: ${yaml}`, 'test', {});
  assert.equal(problem, undefined);
  const directory = join(await scratchDirectory(t), 'diagnostics');
  const store = new SignalStore();
  const outbox = await Outbox.open({
    options: options.diagnostics,
    directory,
    store,
    ecuId: 'main',
    clientVersion: '1.2.3',
    softwareVersion: () => 'release-7',
    units: (campaign) => (campaign === 'trip' ? { 'Vehicle.Speed': 'km/h' } : {}),
    host: '127.0.0.1',
    otherEcuIds: [],
    needsLink: () => false,
    log: { info() {}, warn() {}, error() {} },
    ...change,
  });
  t.after(() => outbox[Symbol.asyncDispose]());
  return { outbox, directory, store };
}

describe('the outbox', () => {
  it('lets every segment tell what a receiver has to know', async (t) => {
    const clock = new SetClock({ synced: false });
    const { outbox, directory, store } = await open(t, '{ vehicle_id: car-9 }', { clock });
    store.put('Vehicle.VersionVSS.Major', { value: 5, ts: 0n, receivedAt: 0 });
    store.put('Vehicle.VersionVSS.Minor', { value: 1, ts: 0n, receivedAt: 0 });
    store.put('Vehicle.VersionVSS.Patch', { value: 0, ts: 0n, receivedAt: 0 });
    assert.equal(await outbox.append('critical', [message(1)], 'trip'), true);
    const folder = join(directory, 'critical');
    const [name = ''] = await readdir(folder);
    const { metadata } = readContainerHeader(await readFile(join(folder, name)));
    assert.deepEqual(metadata, {
      'vehicle.id': 'car-9',
      'ecu.id': 'main',
      'vss.version': '5.1.0',
      units: '{"Vehicle.Speed":"km/h"}',
      'ts.unit': 'us-since-epoch',
      'segment.id': name.slice(11, 47),
      'segment.sequence': '1',
      'segment.priority': 'critical',
      'campaign.id': 'trip',
      'software.version': 'release-7',
      'boot.id': 'boot-1',
      'clock.synced': 'false',
      'clock.wall': String(clock.wall * 1000),
      'clock.monotonic': '100000000',
      writer: 'vehicle-ota-client 1.2.3',
    });
  });

  it('stores at once that the wall clock was set, and tells it among the signals', async (t) => {
    const clock = new SetClock();
    const { outbox, directory, store } = await open(t, '{}', { clock });
    await outbox.append('normal', [message(1)], 'trip');
    clock.wall += 86_400_000;
    await outbox.append('normal', [message(2)], 'trip');
    assert.equal(store.latest('Vehicle.OTA.Diag.ClockJump')?.value, 86_400);
    const end = performance.now() + 30_000;
    const critical = async (): Promise<readonly string[]> =>
      (await readdir(join(directory, 'critical'))).filter((name) => name.endsWith('.avro'));
    while ((await critical()).length === 0) {
      assert.ok(performance.now() < end, 'no event was stored');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const [name = ''] = await critical();
    const bytes = await readFile(join(directory, 'critical', name));
    assert.ok(bytes.length > 0 && numbersOf(bytes).length === 1);
    const jump = JSON.parse(readContainerHeader(bytes).metadata['clock.jump'] ?? '{}') as Record<
      string,
      number
    >;
    assert.equal((jump['new'] ?? 0) - (jump['old'] ?? 0), 86_400_000_000);
  });

  it('says what uploads wait for: a signal that is not known, then one that is not so', async (t) => {
    const { outbox, store } = await open(
      t,
      "{ upload: { url: 'http://127.0.0.1:9/', when: Vehicle.Connectivity.IsConnectivityAvailable } }",
    );
    assert.deepEqual(outbox.paths, ['Vehicle.Connectivity.IsConnectivityAvailable']);
    await outbox.append('critical', [message(1)], 'trip');
    const waits = async (pattern: RegExp): Promise<void> => {
      const end = performance.now() + 30_000;
      while (!pattern.test(outbox.status.uploadWaitingFor)) {
        assert.ok(performance.now() < end, `waits for ${outbox.status.uploadWaitingFor}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    await waits(/upload\.when is not fulfilled/);
    assert.equal(outbox.status.uploadFailures, 0);
    const now = { ts: 0n, receivedAt: performance.now() };
    store.put('Vehicle.Connectivity.IsConnectivityAvailable', { value: true, ...now });
    await waits(/no answer: .*(?:ECONNREFUSED|bad port)/);
  });

  it('tells how it fares among the signals', async (t) => {
    const { store } = await open(t, '{}');
    for (const name of [
      'SpoolBytes',
      'SpoolSegments',
      'DroppedSamples',
      'UploadedBytes',
      'UploadFailures',
      'OldestSegmentAge',
    ]) {
      assert.ok(store.latest(`Vehicle.OTA.Diag.${name}`) !== undefined, name);
      assert.ok(store.datatypeOf(`Vehicle.OTA.Diag.${name}`) !== undefined, name);
    }
  });
});
