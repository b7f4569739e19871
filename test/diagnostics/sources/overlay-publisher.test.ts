import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { brokerAccess } from '#api/kuksa/broker-access.ts';
import { systemClock } from '#diagnostics/signals/clock.ts';
import { overlayJson } from '#diagnostics/signals/overlay-files.ts';
import { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { usualPatience } from '#diagnostics/sources/keep-connected.ts';
import { OverlayPublisher } from '#diagnostics/sources/overlay-publisher.ts';
import { UpdateSource } from '#diagnostics/sources/update-source.ts';
import type { EcuStatus } from '#domain/status.ts';
import { MemoryLog } from '../../support/memory-log.ts';
import { endBeforeRemoval, scratchDirectory } from '../../support/scratch-directory.ts';
import { VssBrokerProcess } from '../../support/vss-broker.ts';

const ecu = 'Vehicle.OTA.ECU.EcuSeven';

const status: EcuStatus = {
  ecuId: 'ecu-7',
  firmwareVersion: '1.0',
  otaclientVersion: 'test',
  release: undefined,
  status: 'SUCCESS',
  failure: undefined,
  progress: undefined,
  waitingFor: [],
};

async function world(t: TestContext, hasOverlay = true) {
  const overlay = join(await scratchDirectory(t), 'overlay.json');
  await writeFile(overlay, overlayJson(['ecu-7']));
  const catalog = hasOverlay ? ['--vss', overlay] : [];
  const broker = await VssBrokerProcess.start(t, catalog);
  const store = new SignalStore();
  const update = new UpdateSource(store, systemClock, ['ecu-7']);
  const log = new MemoryLog();
  const publisher = new OverlayPublisher({
    access: brokerAccess({ address: broker.address, tls: false }),
    store,
    clock: systemClock,
    patience: { ...usualPatience, baseMs: 50, maxMs: 500 },
    random: Math.random,
    log,
  });
  endBeforeRemoval(t, async () => publisher[Symbol.asyncDispose]());
  /** Resolves when the broker has this. */
  const has = async (path: string, value: unknown): Promise<void> => {
    for (let found: unknown; ; ) {
      found = (await broker.tell({ do: 'get', path }))['value'];
      if (JSON.stringify(found) === JSON.stringify(value)) return;
      if (t.signal.aborted) throw new Error(`${path} is ${JSON.stringify(found)}`);
    }
  };
  return { broker, store, update, publisher, log, has };
}

describe('our own signals', { timeout: 60_000 }, () => {
  it('are published to a broker that has the overlay, as they change', async (t) => {
    const { update, publisher, has } = await world(t);
    update.take([status]);
    publisher.start();
    await has(`${ecu}.State`, 'SUCCESS');
    await has(`${ecu}.EcuId`, 'ecu-7');
    const failure = { type: 'RECOVERABLE', reason: 'E100: why', traceback: '' } as const;
    update.take([{ ...status, status: 'FAILURE', failure, waitingFor: ['the vehicle moves'] }]);
    await has(`${ecu}.FailureCode`, 'E100');
    await has('Vehicle.OTA.IsUpdateBlocked', true);
    await has('Vehicle.OTA.BlockReasons', {
      $typeName: 'kuksa.val.v2.StringArray',
      values: ['ecu-7: the vehicle moves'],
    });
    await has('Vehicle.OTA.LastError', 'ecu-7: E100: why');
    update.take([status]);
    await has('Vehicle.OTA.LastError', '');
    assert.equal(publisher.state().state, 'connected');
    assert.equal(publisher.state().problem, '');
  });

  it('are published anew to a broker that started again', async (t) => {
    const { broker, update, publisher, has } = await world(t);
    update.take([status]);
    publisher.start();
    await has(`${ecu}.CurrentVersion`, '1.0');
    await broker.tell({ do: 'restart' });
    await has(`${ecu}.CurrentVersion`, '1.0');
    await has('Vehicle.OTA.State', 'SUCCESS');
  });

  it('hold nobody up where the broker does not know them, and are told of once', async (t) => {
    const { broker, store, update, publisher, log } = await world(t, false);
    publisher.start();
    update.take([status]);
    const told = async (): Promise<void> => {
      while (!log.lines.some((line) => line.includes('ota-overlay.json'))) await broker.tell({ do: 'calls' });
    };
    await told();
    for (let round = 0; round < 1000; round++) update.take([{ ...status, firmwareVersion: String(round) }]);
    assert.equal(store.latest(`${ecu}.CurrentVersion`)?.value, '999');
    assert.match(publisher.state().problem, /NOT_FOUND/);
    assert.equal(log.lines.filter((line) => line.includes('not published')).length, 1);
  });
});
