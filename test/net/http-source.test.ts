import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { HandClock } from '../support/hand-clock.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { serveRange, WireServer } from '../support/wire-server.ts';
import { CountingMeter, collect, content, never, quickSource } from '../support/wire-source.ts';

const kibi = 1024;

/** Paths of the files that this process has open. */
async function openFiles(): Promise<string[]> {
  const folder = '/proc/self/fd';
  return Promise.all((await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => '')));
}

describe('many small bodies', () => {
  it('share a few kept-alive connections and leave no listeners behind', async () => {
    await using server = await WireServer.start((request, response) => void response.end(request.url));
    await using source = quickSource(server.origin, { connections: 7 });
    const warnings: Error[] = [];
    const onWarning = (warning: Error): unknown => warnings.push(warning);
    process.on('warning', onWarning);
    const { signal } = new AbortController();
    const meter = new CountingMeter();
    const bodies = await Promise.all(
      Array.from({ length: 1000 }, (_, n) =>
        source.readAll({ url: server.url(`${n}`), maxBytes: 10 }, meter, signal),
      ),
    );
    assert.ok(bodies.every((body, n) => body.toString() === `/${n}`));
    assert.ok(server.connections <= 7);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    await new Promise(setImmediate);
    process.off('warning', onWarning);
    assert.deepEqual(warnings, []);
    assert.equal(meter.failures.length, 0);
  });
});

describe('an abort', () => {
  const reason = new Error('stop it');

  it('ends every wait at once: for a head, a body, a retry, a free connection, a reader', async (t) => {
    const begun: string[] = [];
    await using server = await WireServer.start((request, response) => {
      if (request.url === '/no-head') return;
      if (request.url === '/retry') return void response.writeHead(503, { 'retry-after': '60' }).end();
      response.writeHead(200, { 'content-length': 1e9 });
      response.write(Buffer.alloc(request.url === '/endless' ? 10_000_000 : 10));
      begun.push(request.url ?? '');
    });
    await using source = quickSource(server.origin, { connections: 6 });
    const stop = new AbortController();
    const meter = new CountingMeter();
    const request = (path: string) => ({ url: server.url(path), maxBytes: 2e9 });
    const endless = source.read(request('endless'), meter, stop.signal);
    await endless.next();
    const part = join(await scratchDirectory(t), 'part');
    const waits = [
      source.readAll(request('no-head'), meter, stop.signal),
      source.readAll(request('body'), meter, stop.signal),
      source.readAll(request('retry'), meter, stop.signal),
      collect(source.read(request('body'), meter, stop.signal)),
      collect(source.read({ ...request('body'), part }, meter, stop.signal)),
    ];
    while (begun.length < 4 || meter.failures.length === 0) await new Promise(setImmediate);
    const queued = Array.from({ length: 8 }, () => source.readAll(request('no-head'), meter, stop.signal));
    const outcomes = Promise.allSettled([...waits, ...queued]);
    const started = performance.now();
    stop.abort(reason);
    for (const outcome of await outcomes) {
      assert.deepEqual(outcome, { status: 'rejected', reason });
    }
    await assert.rejects(collect(endless), reason);
    assert.ok(performance.now() - started < 1000);
    assert.equal(getEventListeners(stop.signal, 'abort').length, 0);
    assert.equal(meter.failures.length, 1, 'an abort is no failure of the network');
  });

  it('before the start sends nothing', async () => {
    await using server = await WireServer.start((_request, response) => void response.end());
    await using source = quickSource(server.origin);
    const request = { url: server.url('a'), maxBytes: 10 };
    const aborted = AbortSignal.abort(reason);
    await assert.rejects(source.readAll(request, new CountingMeter(), aborted), reason);
    await assert.rejects(collect(source.read(request, new CountingMeter(), aborted)), reason);
    assert.equal(server.seen.length, 0);
  });

  it('closes the connection, so that the server does not send on', async () => {
    await using server = await WireServer.start((_request, response) => void response.write('x'));
    await using source = quickSource(server.origin);
    const stop = new AbortController();
    const reading = source.readAll({ url: server.url('a'), maxBytes: 10 }, new CountingMeter(), stop.signal);
    while (server.seen.length === 0) await new Promise(setImmediate);
    stop.abort(reason);
    await assert.rejects(reading, reason);
    while ((await server.openConnections) > 0) await new Promise(setImmediate);
  });
});

describe('a network without progress', () => {
  it('fails every request that waits, when no byte came on any of them', async () => {
    await using server = await WireServer.start((request, response) => {
      if (request.url === '/stalls') response.write('0123');
    });
    await using source = quickSource(server.origin, { noProgressTimeoutMs: 200 });
    const meter = new CountingMeter();
    const request = (path: string) => ({ url: server.url(path), maxBytes: 100 });
    const outcomes = await Promise.allSettled([
      source.readAll(request('stalls'), meter, never),
      source.readAll(request('silent'), meter, never),
      collect(source.read(request('stalls'), meter, never)),
    ]);
    assert.equal(meter.failures.length, 3);
    for (const outcome of outcomes) {
      assert.equal(outcome.status === 'rejected' && (outcome.reason as { code: string }).code, 'no_progress');
    }
  });

  it('is not one where bytes drip', async () => {
    const dripping = Promise.withResolvers<ServerResponse>();
    await using server = await WireServer.start((_request, response) => {
      dripping.resolve(response);
    });
    const clock = new HandClock();
    await using source = quickSource(server.origin, { noProgressTimeoutMs: 400, clock });
    const meter = new CountingMeter();
    const body = source.readAll({ url: server.url('a'), maxBytes: 10 }, meter, never);
    const response = await dripping.promise;
    for (let sent = 1; sent <= 8; sent++) {
      response.write('x');
      while (meter.wireBytes < sent) await new Promise(setImmediate);
      clock.pass(300);
    }
    response.end();
    assert.equal((await body).toString(), 'xxxxxxxx');
  });

  it('on one request is tried again after the body timeout', async () => {
    const body = content(20 * kibi);
    await using server = await WireServer.start((request, response) => {
      if (server.seen.length > 1) return void serveRange(request, response, body);
      response.writeHead(200, { 'content-length': body.length });
      response.write(body.subarray(0, 1000));
    });
    await using source = quickSource(server.origin, { bodyTimeoutMs: 1000 });
    const meter = new CountingMeter();
    const got = await source.readAll({ url: server.url('a'), maxBytes: body.length }, meter, never);
    assert.ok(got.equals(body));
    assert.deepEqual([meter.failures.length, meter.wireBytes], [1, body.length]);
  });
});

describe('a closed source', () => {
  it('ends what is under way, frees its connections and takes no more requests', async () => {
    await using server = await WireServer.start((_request, response) => void response.write('x'));
    const source = quickSource(server.origin);
    const request = { url: server.url('a'), maxBytes: 10 };
    const reading = source.readAll(request, new CountingMeter(), never);
    const outcome = assert.rejects(reading, { code: 'closed' });
    while (server.seen.length === 0) await new Promise(setImmediate);
    await source[Symbol.asyncDispose]();
    await outcome;
    await assert.rejects(source.readAll(request, new CountingMeter(), never), { code: 'closed' });
    while ((await server.openConnections) > 0) await new Promise(setImmediate);
  });

  it('closes the part file of a reader that never came back', async (t) => {
    const body = content(1024 * kibi);
    await using server = await WireServer.start((request, response) => {
      serveRange(request, response, body);
    });
    const source = quickSource(server.origin);
    const part = join(await scratchDirectory(t), 'part');
    const request = { url: server.url('a'), maxBytes: body.length, part };
    const forgotten = source.read(request, new CountingMeter(), never);
    await forgotten.next();
    const isOpen = async (): Promise<boolean> => (await openFiles()).includes(part);
    assert.equal(await isOpen(), true);
    await source[Symbol.asyncDispose]();
    assert.equal(await isOpen(), false);
  });
});

describe('a request that cannot be sent', () => {
  it('fails at once with its own code', async () => {
    await using source = quickSource(new URL('http://image.example/'));
    const meter = new CountingMeter();
    const ftp = source.readAll({ url: new URL('ftp://image.example/a'), maxBytes: 10 }, meter, never);
    await assert.rejects(ftp, { code: 'bad_url' });
  });
});

describe('an update that is killed again and again', () => {
  it('does not ask again for what arrived before', async (t) => {
    const body = content(24 * 1024 * kibi);
    let sent = 0;
    let largest = 0;
    await using server = await WireServer.start((request, response) => {
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
      largest = Math.max(largest, Number(last) - Number(first) + 1);
      // Paced, so that the reader is killed in the middle.
      const pace = setTimeout(() => {
        sent += serveRange(request, response, body);
      }, 2);
      response.on('close', () => clearTimeout(pace));
    });
    const part = join(await scratchDirectory(t), 'part');
    const reader = new URL('../support/wire-reader.ts', import.meta.url);
    const sizes = [0];
    const kills = 4;
    for (let run = 1; run <= kills; run++) {
      const child = fork(reader, [server.url('a').href, part]);
      const goal = (run * body.length) / (kills + 1);
      child.on('message', (bytes) => Number(bytes) >= goal && child.kill('SIGKILL'));
      const [, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
      assert.equal(signal, 'SIGKILL');
      sizes.push((await stat(part)).size);
    }
    assert.deepEqual(
      sizes.toSorted((a, b) => a - b),
      sizes,
    );
    const child = fork(reader, [server.url('a').href, part]);
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 0);
    assert.ok((await readFile(part)).equals(body));
    const lost = sent - body.length;
    assert.ok(largest <= body.length / 32, `asks for ${largest} bytes at a time on loopback`);
    assert.ok(lost <= kills * largest, `${lost} bytes were sent twice, ${largest} asked for at a time`);
  });
});
