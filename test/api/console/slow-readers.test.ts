import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ConsoleService, type WatchVehicleResponse } from '#gen/ota/console/v1/console_pb.ts';
import { ecuStatus } from '../../support/ecu-status.ts';
import { asOperator, servedConsole } from '../../support/served-console.ts';

type Served = Awaited<ReturnType<typeof servedConsole>>;

const path = '/ota.console.v1.ConsoleService/WatchVehicle';
/** An empty message in the envelope of a stream. */
const noMessage = Buffer.alloc(5);

/** Lets every one of many ECUs change, with much to tell of each. */
function change({ store }: Served, round: number): void {
  const ecus = Array.from({ length: 200 }, (_, n) => {
    const reason = `E000: ${round} ${'x'.repeat(4000)}`;
    const failure = { type: 'RECOVERABLE', reason, traceback: '' } as const;
    return ecuStatus(n === 0 ? 'child' : `ecu-${n}`, { status: 'FAILURE', failure });
  });
  store.take('child', { ecus }, 0);
}

/** Asks for the stream over HTTP/1.1 and never reads a byte of it. */
async function muteSocket(t: TestContext, url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.pause();
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    `authorization: ${asOperator.headers.authorization}`,
    'content-type: application/connect+proto',
    `content-length: ${noMessage.length}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  socket.write(noMessage);
  return socket;
}

/** The same over gRPC. */
function muteStream(t: TestContext, url: string): void {
  const session = connectHttp2(url);
  session.on('error', () => {});
  t.after(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    authorization: asOperator.headers.authorization,
    'content-type': 'application/grpc+proto',
    te: 'trailers',
  });
  stream.on('error', () => {});
  stream.pause();
  stream.end(noMessage);
}

async function watchers(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, asOperator)).text();
  return Number(/^ota_console_watchers (\d+)$/m.exec(text)?.[1]);
}

async function untilWatchers(url: string, wanted: number): Promise<void> {
  const end = performance.now() + 30_000;
  for (let found = await watchers(url); found !== wanted; found = await watchers(url)) {
    if (performance.now() > end) assert.fail(`${found} watchers, not ${wanted}`);
    await delay(50);
  }
}

function memory(): number {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

describe('those who watch the vehicle', () => {
  it('and never read cost a bounded amount of memory, and nobody else waits for them', async (t) => {
    const served = await servedConsole(t);
    const { url } = served;
    change(served, 0);
    await delay(300);
    const mute = 40;
    for (let n = 0; n < mute / 2; n++) {
      await muteSocket(t, url);
      muteStream(t, url);
    }
    await untilWatchers(url, mute);
    const client = createClient(ConsoleService, createConnectTransport({ baseUrl: url, httpVersion: '2' }));
    const stream = client.watchVehicle({}, asOperator)[Symbol.asyncIterator]();
    await stream.next();
    const before = memory();
    const rounds = 40;
    for (let round = 1; round <= rounds; round++) {
      change(served, round);
      await latest(stream, round);
    }
    const grown = memory() - before;
    // Queued for each of them it would be 40 x 40 x 800 kB.
    assert.ok(grown < 250_000_000, `${Math.round(grown / 1e6)} MB more for those who do not read`);
    await stream.return?.();
  });

  it('are 200 at once, each with every change, and more of one name than allowed are refused', async (t) => {
    const served = await servedConsole(t, { options: { watchersPerCaller: 200, requestsPerSecond: 1000 } });
    const { url } = served;
    const client = createClient(ConsoleService, createConnectTransport({ baseUrl: url, httpVersion: '2' }));
    const leave = new AbortController();
    const streams = Array.from({ length: 200 }, () => {
      return client.watchVehicle({}, { ...asOperator, signal: leave.signal })[Symbol.asyncIterator]();
    });
    for (const { value } of await Promise.all(streams.map((stream) => stream.next()))) {
      assert.equal(value?.content.case, 'snapshot');
    }
    const more = client.watchVehicle({}, asOperator)[Symbol.asyncIterator]();
    await assert.rejects(more.next(), (error) => ConnectError.from(error).code === Code.ResourceExhausted);
    served.local.become({ status: 'FAILURE' });
    for (const { value } of await Promise.all(streams.map((stream) => stream.next()))) {
      assert.equal(value?.content.case, 'change');
    }
    leave.abort();
    await untilWatchers(url, 0);
  });

  it('are forgotten when their socket dies half way', async (t) => {
    const served = await servedConsole(t, { options: { requestsPerSecond: 1000 } });
    change(served, 0);
    const sockets = await Promise.all(Array.from({ length: 50 }, () => muteSocket(t, served.url)));
    await untilWatchers(served.url, 50);
    for (const [n, socket] of sockets.entries()) {
      if (n % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    }
    change(served, 1);
    await untilWatchers(served.url, 0);
  });

  it('are let go of when they have taken nothing for long', async (t) => {
    const served = await servedConsole(t, { options: { idleTimeoutMs: 1000, heartbeatMs: 200 } });
    change(served, 0);
    await muteSocket(t, served.url);
    await untilWatchers(served.url, 1);
    for (let round = 1; round < 60 && (await watchers(served.url)) > 0; round++) {
      change(served, round);
      await delay(100);
    }
    await untilWatchers(served.url, 0);
  });
});

/** Reads on until the newest change is told. */
async function latest(stream: AsyncIterator<WatchVehicleResponse>, round: number): Promise<void> {
  for (;;) {
    const next = await stream.next();
    assert.ok(!next.done, 'the stream goes on');
    const { content } = next.value;
    if (content.case !== 'change') continue;
    const [ecu] = content.value.ecus.filter(({ ecuId }) => ecuId === 'ecu-7');
    if (ecu?.failure?.reason.startsWith(`E000: ${round} `) === true) return;
  }
}
