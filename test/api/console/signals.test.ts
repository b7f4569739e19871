import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import type { DiagnosticsStatus } from '#diagnostics/diagnostics-status.ts';
import type { VssValue } from '#diagnostics/messages/vss-value.ts';
import { ConsoleService, type WatchSignalsResponse } from '#gen/ota/console/v1/console_pb.ts';
import { asOperator, servedConsole } from '../../support/served-console.ts';

const status: DiagnosticsStatus = {
  sources: [
    { name: 'kuksa 10.0.0.2:55555', state: 'waiting', problem: 'nobody answers', signals: 3, samples: 9 },
  ],
  campaigns: [],
  lanes: [{ priority: 'critical', segments: 2, bytes: 2048 }],
  droppedSamples: 1,
  evictedSegments: 0,
  quarantinedSegments: 0,
  oldestSegmentAgeMs: 0,
  collectedSegments: 0,
  collectedBytes: 0,
  uploadedSegments: 5,
  uploadedBytes: 5000,
  uploadFailures: 2,
  uploadWaitingFor: 'the end of the update',
};

async function withSignals(t: TestContext, diagnostics: DiagnosticsStatus | undefined = status) {
  const served = await servedConsole(t, {
    options: { heartbeatMs: 200 },
    parts: { diagnostics: () => diagnostics },
  });
  const transport = createConnectTransport({ baseUrl: served.url, httpVersion: '1.1' });
  const put = (path: string, value: VssValue): void =>
    served.signals.put(path, { value, ts: 1_700_000_000_000_000n, receivedAt: 0 });
  return { ...served, put, client: createClient(ConsoleService, transport) };
}

async function codeOf(call: Promise<unknown>): Promise<Code | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    return ConnectError.from(error).code;
  }
}

describe('signals on the console', () => {
  it('are listed with datatype, unit, time and value, in pages that lose none', async (t) => {
    const { client, put, signals } = await withSignals(t);
    signals.describe('Vehicle.Speed', 'float', 'km/h');
    put('Vehicle.Speed', 12.5);
    put('Vehicle.IsMoving', true);
    put('Vehicle.VIN', 'X');
    put('Vehicle.Odometer', 2n ** 60n);
    put('Vehicle.Small', 7n);
    put('Vehicle.Doors', ['left', 'right']);
    put('Vehicle.Currents', [1, 2.5]);
    put('Other.Thing', -1);
    const { signals: all } = await client.listSignals({ query: 'vehicle.' }, asOperator);
    assert.deepEqual(
      all.map(({ path, value }) => [path, value?.value.case, JSON.stringify(value?.value.value, plain)]),
      [
        ['Vehicle.Currents', 'numbers', '{"values":[1,2.5]}'],
        ['Vehicle.Doors', 'texts', '{"values":["left","right"]}'],
        ['Vehicle.IsMoving', 'boolean', 'true'],
        ['Vehicle.Odometer', 'integer', '"1152921504606846976"'],
        ['Vehicle.Small', 'number', '7'],
        ['Vehicle.Speed', 'number', '12.5'],
        ['Vehicle.VIN', 'text', '"X"'],
      ],
    );
    const speed = all.find(({ path }) => path === 'Vehicle.Speed');
    assert.deepEqual([speed?.datatype, speed?.unit, speed?.time?.seconds], ['float', 'km/h', 1_700_000_000n]);

    const paths: string[] = [];
    let pageToken = '';
    do {
      const page = await client.listSignals({ pageSize: 3, pageToken }, asOperator);
      paths.push(...page.signals.map(({ path }) => path));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    assert.equal(paths.length, 8);
    assert.equal(new Set(paths).size, 8);
  });

  it('are watched: the latest values first, then what changed, at most one message per interval', async (t) => {
    const { client, put } = await withSignals(t);
    put('A', 1);
    const changes = client.watchSignals({ paths: ['A', 'B'], intervalMs: 50 }, asOperator);
    const stream = changes[Symbol.asyncIterator]();
    const next = async (): Promise<WatchSignalsResponse> => {
      const { done, value } = await stream.next();
      assert.ok(!done);
      return value;
    };
    assert.deepEqual(
      (await next()).signals.map(({ path }) => path),
      ['A'],
    );
    assert.deepEqual((await next()).signals, [], 'a sign of life');
    for (let n = 0; n < 1000; n++) put('B', n);
    let told = await next();
    while (told.signals.length === 0) told = await next();
    assert.equal(told.signals.length, 1);
    assert.deepEqual(told.signals[0]?.value?.value, { case: 'number', value: 999 });
    await stream.return?.();
  });

  it('are refused with a code when diagnostics are off, or the request is wrong', async (t) => {
    const { client } = await withSignals(t);
    const watch = (request: { paths?: string[]; intervalMs?: number }) =>
      codeOf(client.watchSignals(request, asOperator)[Symbol.asyncIterator]().next());
    assert.equal(await watch({}), Code.InvalidArgument);
    assert.equal(
      await watch({ paths: Array.from({ length: 501 }, (_, n) => `s${n}`) }),
      Code.InvalidArgument,
    );
    assert.equal(await watch({ paths: ['a'], intervalMs: 10 }), Code.InvalidArgument);
    const off = await servedConsole(t, { parts: { diagnostics: () => undefined } });
    const transport = createConnectTransport({ baseUrl: off.url, httpVersion: '1.1' });
    const offClient = createClient(ConsoleService, transport);
    assert.equal(await codeOf(offClient.listSignals({}, asOperator)), Code.FailedPrecondition);
    assert.equal((await offClient.getDiagnostics({}, asOperator)).diagnostics?.enabled, false);
  });

  it('come with how diagnostics fare', async (t) => {
    const { client } = await withSignals(t);
    const { diagnostics } = await client.getDiagnostics({}, asOperator);
    assert.equal(diagnostics?.enabled, true);
    assert.equal(diagnostics.sources[0]?.problem, 'nobody answers');
    assert.equal(diagnostics.lanes[0]?.bytes, 2048n);
    assert.equal(diagnostics.uploadWaitingFor, 'the end of the update');
  });
});

describe('what supervisors and scrapers ask', () => {
  it('is answered without credentials where it tells nothing, and with them where it does', async (t) => {
    const { url, store } = await withSignals(t);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    const early = await fetch(`${url}/readyz`);
    assert.deepEqual([early.status, await early.text()], [503, 'not every child was polled yet\n']);
    store.miss('child');
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
    assert.equal((await fetch(`${url}/metrics`)).status, 401);
    assert.equal((await fetch(`${url}/healthz`, { method: 'POST' })).status, 405);
  });

  it('is OpenMetrics: ECUs, requests, watchers, spool and process', async (t) => {
    const { url, client } = await withSignals(t);
    await client.getCaller({}, asOperator);
    await codeOf(client.getCaller({}));
    for (let scrape = 0; scrape < 2; scrape++) {
      const answer = await fetch(`${url}/metrics`, asOperator);
      assert.match(String(answer.headers.get('content-type')), /^application\/openmetrics-text/);
      const lines = (await answer.text()).split('\n');
      for (const line of [
        'ota_ecu_state{ecu="main",state="SUCCESS"} 1',
        'ota_ecu_state{ecu="main",state="UPDATING"} 0',
        'ota_ecu_reachable{ecu="child"} 0',
        'ota_console_requests_total{method="GetCaller",result="ok"} 1',
        'ota_console_requests_total{method="GetCaller",result="Unauthenticated"} 1',
        'ota_console_watchers 0',
        'ota_spool_bytes{priority="critical"} 2048',
        'ota_upload_bytes_total 5000',
        '# EOF',
      ]) {
        assert.ok(
          lines.includes(line),
          `${line} in\n${lines.filter((one) => one.startsWith('ota_')).join('\n')}`,
        );
      }
      assert.ok(lines.some((line) => line.startsWith('process_resident_memory_bytes ')));
    }
  });
});

function plain(key: string, value: unknown): unknown {
  if (key === '$typeName') return undefined;
  return typeof value === 'bigint' ? String(value) : value;
}
