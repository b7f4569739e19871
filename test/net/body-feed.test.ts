import assert from 'node:assert/strict';
import { once } from 'node:events';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { HandClock } from '../support/hand-clock.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { serveRange, WireServer } from '../support/wire-server.ts';
import { CountingMeter, collect, content, never, quickSource } from '../support/wire-source.ts';

const mebi = 1024 * 1024;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes in buffers that somebody still holds. */
function heldBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

/** Resolves when a value has not changed for a while. */
async function settled(value: () => number): Promise<number> {
  for (let before = -1, still = 0; still < 10; ) {
    await delay(20);
    still = value() === before ? still + 1 : 0;
    before = value();
  }
  return value();
}

describe('a reader that lags', () => {
  it('makes the network wait, so that memory does not grow', async () => {
    const body = content(64 * mebi);
    await using server = await WireServer.start((request, response) => {
      serveRange(request, response, body);
    });
    await using source = quickSource(server.origin);
    const meter = new CountingMeter();
    const request = { url: server.url('a'), maxBytes: body.length };
    const chunks = source.read(request, meter, never);
    const first = await chunks.next();
    assert.equal(first.done, false);
    const received = await settled(() => meter.wireBytes);
    assert.ok(received < mebi, `${received} bytes were taken in for nobody`);
    let bytes = first.value?.length ?? 0;
    for await (const chunk of chunks) bytes += chunk.length;
    assert.equal(bytes, body.length);
  });

  it('does not keep bytes from the part file, and gets them from there', { timeout: 30_000 }, async (t) => {
    const body = content(20 * mebi);
    await using server = await WireServer.start((request, response) => {
      serveRange(request, response, body);
    });
    await using source = quickSource(server.origin);
    const meter = new CountingMeter();
    const part = join(await scratchDirectory(t), 'part');
    const before = heldBytes();
    const chunks = source.read({ url: server.url('a'), maxBytes: body.length, part }, meter, never);
    const first = await chunks.next();
    while ((await stat(part)).size < body.length) await delay(5);
    // Buffers are freed behind the collector's back, a little later.
    while (heldBytes() - before > 4 * mebi) await delay(20);

    const rest = await collect(chunks);
    assert.ok(first.value !== undefined && Buffer.concat([first.value, rest]).equals(body));
    assert.equal(meter.wireBytes, body.length);
  });

  it('gets every byte once, whatever its pace', async (t) => {
    const body = content(6 * mebi);
    await using server = await WireServer.start((request, response) => {
      serveRange(request, response, body);
    });
    await using source = quickSource(server.origin);
    const folder = await scratchDirectory(t);
    for (let round = 0; round < 8; round++) {
      const part = join(folder, `part-${round}`);
      const before = body.subarray(0, round * 700_001);
      await writeFile(part, before);
      const meter = new CountingMeter();
      const request = { url: server.url('a'), maxBytes: body.length, part };
      const got: Uint8Array[] = [];
      for await (const chunk of source.read(request, meter, never)) {
        got.push(chunk);
        // Fast and slow by turns, so that it falls behind and catches up.
        if (got.length % (round + 2) === 0) await delay(got.length % 3);
      }
      assert.ok(Buffer.concat(got).equals(body), `round ${round}`);
      assert.equal(meter.wireBytes, body.length - before.length);
    }
  });

  it('does not count as a network without progress', async () => {
    const body = content(4 * mebi);
    await using server = await WireServer.start((request, response) => {
      serveRange(request, response, body);
    });
    const clock = new HandClock();
    await using source = quickSource(server.origin, { noProgressTimeoutMs: 60_000, clock });
    const request = { url: server.url('a'), maxBytes: body.length };
    const meter = new CountingMeter();
    const chunks = source.read(request, meter, never);
    const first = await chunks.next();
    await settled(() => meter.wireBytes);
    clock.pass(600_000);
    assert.equal((first.value?.length ?? 0) + (await collect(chunks)).length, body.length);
  });
});

describe('a reader that leaves', () => {
  it('stops the transfer and frees its connection, and the part file keeps what came', async (t) => {
    const body = content(64 * mebi);
    await using server = await WireServer.start((request, response) => {
      serveRange(request, response, body);
    });
    await using source = quickSource(server.origin);
    const part = join(await scratchDirectory(t), 'part');
    const meter = new CountingMeter();
    for await (const _chunk of source.read(
      { url: server.url('a'), maxBytes: body.length, part },
      meter,
      never,
    )) {
      break;
    }
    const { size } = await stat(part);
    assert.ok(size > 0 && size <= meter.wireBytes);
    assert.ok(meter.wireBytes < body.length);
    while ((await server.openConnections) > 0) await delay(5);
  });

  it('costs only the rest of its own body: the source goes on', async () => {
    const body = content(8 * mebi);
    await using server = await WireServer.start((request, response) => {
      serveRange(request, response, body);
    });
    await using source = quickSource(server.origin, { connections: 1 });
    for (let turn = 0; turn < 5; turn++) {
      const request = { url: server.url('a'), maxBytes: body.length };
      for await (const _chunk of source.read(request, new CountingMeter(), never)) break;
    }
    const small = await source.readAll(
      { url: server.url('a'), maxBytes: body.length },
      new CountingMeter(),
      never,
    );
    assert.equal(small.length, body.length);
    while ((await server.openConnections) > 1) await delay(5);
  });
});

it('a body that ends in an error gives what came first, then the error', async () => {
  await using server = await WireServer.start((_request, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('0123456789');
    if (server.seen.length > 1) void once(response, 'close');
    else setTimeout(() => response.destroy(), 50);
  });
  await using source = quickSource(server.origin, { attempts: 1 });
  const chunks = source.read({ url: server.url('a'), maxBytes: 100 }, new CountingMeter(), never);
  const first = await chunks.next();
  assert.equal(Buffer.from(first.value ?? []).toString(), '0123456789');
  await assert.rejects(chunks.next(), { code: 'attempts_exhausted' });
});
