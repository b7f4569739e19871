import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { serveRange, serveTorn, WireServer } from '../support/wire-server.ts';
import { CountingMeter, collect, content, never, quickSource } from '../support/wire-source.ts';

const kibi = 1024;

function assertSame(actual: Buffer, expected: Buffer): void {
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  assert.deepEqual([actual.length, digest(actual)], [expected.length, digest(expected)]);
}

describe('a body whose connection breaks', () => {
  it('is resumed where it broke, whole in the end and without repetitions', async () => {
    const body = content(900 * kibi);
    let sent = 0;
    await using server = await WireServer.start((request, response) => {
      if (server.seen.length <= 3) serveTorn(request, response, body, 100 * kibi);
      else sent += serveRange(request, response, body);
    });
    await using source = quickSource(server.origin, { attempts: 10 });
    const meter = new CountingMeter();
    const request = { url: server.url('a'), maxBytes: body.length };
    assertSame(await collect(source.read(request, meter, never)), body);
    assert.equal(meter.failures.length, 3);
    assert.equal(meter.wireBytes, body.length, 'nothing is asked for twice');
    assert.equal(sent, body.length - 300 * kibi);
  });

  it('is resumed in memory as well', async () => {
    const body = content(50 * kibi);
    await using server = await WireServer.start((request, response) => {
      if (server.seen.length === 1) serveTorn(request, response, body, 20 * kibi);
      else serveRange(request, response, body);
    });
    await using source = quickSource(server.origin);
    const meter = new CountingMeter();
    const request = { url: server.url('a'), maxBytes: body.length };
    assertSame(await source.readAll(request, meter, never), body);
    assert.equal(meter.wireBytes, body.length);
    assert.match(server.seen[1]?.headers.range ?? '', /^bytes=20480-$/);
  });

  it('starts from its beginning when the server ignores ranges, and the reader does not notice', async () => {
    const body = content(300 * kibi);
    await using server = await WireServer.start((request, response) => {
      response.writeHead(200, { 'content-length': body.length });
      if (server.seen.length === 1) response.write(body.subarray(0, 100_000), () => response.destroy());
      else response.end(body);
    });
    await using source = quickSource(server.origin);
    const meter = new CountingMeter();
    const request = { url: server.url('a'), maxBytes: body.length };
    assertSame(await collect(source.read(request, meter, never)), body);
    assert.equal(meter.wireBytes, body.length + 100_000);
  });

  it('is guarded by the strong entity tag that the first answer had', async () => {
    const body = content(100 * kibi);
    await using server = await WireServer.start((request, response) => {
      if (server.seen.length > 1) return void serveRange(request, response, body, { etag: '"one"' });
      response.writeHead(200, { 'content-length': body.length, etag: '"one"' });
      response.write(body.subarray(0, 5000), () => response.destroy());
    });
    await using source = quickSource(server.origin);
    const request = { url: server.url('a'), maxBytes: body.length };
    assertSame(await source.readAll(request, new CountingMeter(), never), body);
    assert.equal(server.seen[1]?.headers['if-range'], '"one"');
  });
});

it('a range that is longer than it announced is not used beyond that', async () => {
  const body = content(1000);
  await using server = await WireServer.start((request, response) => {
    if (server.seen.length === 1) return serveTorn(request, response, body, 100);
    if (server.seen.length > 2) return void serveRange(request, response, body);
    response.writeHead(206, { 'content-range': 'bytes 100-899/1000' });
    response.write(Buffer.concat([body.subarray(100, 900), content(50)]));
    response.end();
  });
  await using source = quickSource(server.origin);
  const meter = new CountingMeter();
  assertSame(await source.readAll({ url: server.url('a'), maxBytes: 5000 }, meter, never), body);
  assert.equal(meter.failures.length, 2);
});

describe('a long body with a part file', () => {
  it('is asked for in segments, so that an interruption loses little', async (t) => {
    const body = content(1000 * kibi);
    const asked: number[] = [];
    await using server = await WireServer.start((request, response) => {
      asked.push(serveRange(request, response, body, { etag: '"one"' }));
    });
    await using source = quickSource(server.origin);
    const part = join(await scratchDirectory(t), 'part');
    const request = { url: server.url('a'), maxBytes: 2 * body.length, part };
    assertSame(await collect(source.read(request, new CountingMeter(), never)), body);
    assert.equal(server.seen[0]?.headers.range, 'bytes=0-65535');
    assert.equal(asked[0], 64 * kibi);
    assert.equal(
      asked.reduce((sum, bytes) => sum + bytes),
      body.length,
    );
    assert.ok(server.seen.slice(1).every(({ headers }) => headers['if-range'] === '"one"'));
  });

  it('is asked for at once when it is known to be short', async (t) => {
    const body = content(100);
    await using server = await WireServer.start((request, response) => {
      serveRange(request, response, body);
    });
    await using source = quickSource(server.origin);
    const part = join(await scratchDirectory(t), 'part');
    const request = { url: server.url('a'), maxBytes: 100, expectedBytes: 100, part };
    assertSame(await collect(source.read(request, new CountingMeter(), never)), body);
    assert.deepEqual([server.seen.length, server.seen[0]?.headers.range], [1, undefined]);
  });

  it('may be empty, whatever the server makes of a range of nothing', async (t) => {
    const folder = await scratchDirectory(t);
    for (const status of [200, 416]) {
      await using server = await WireServer.start((_request, response) => {
        response.writeHead(status, status === 416 ? { 'content-range': 'bytes */0' } : {}).end();
      });
      await using source = quickSource(server.origin);
      const request = { url: server.url('a'), maxBytes: 100, part: join(folder, `${status}`) };
      const meter = new CountingMeter();
      assertSame(await collect(source.read(request, meter, never)), Buffer.alloc(0));
      assert.equal(meter.failures.length, 0);
    }
  });

  it('is read without ranges from a server that refuses or garbles them', async (t) => {
    const body = content(600 * kibi);
    const folder = await scratchDirectory(t);
    const answers: Record<string, [number, Record<string, string>]> = {
      refuses: [416, {}],
      shifts: [206, { 'content-range': `bytes 100-${body.length - 1}/${body.length}` }],
      omits: [206, {}],
    };
    for (const [name, [status, headers]] of Object.entries(answers)) {
      await using server = await WireServer.start((request, response) => {
        if (request.headers.range === undefined) response.end(body);
        else response.writeHead(status, headers).end(status === 206 ? body.subarray(100) : '');
      });
      await using source = quickSource(server.origin);
      const request = { url: server.url('a'), maxBytes: body.length, part: join(folder, name) };
      const meter = new CountingMeter();
      assertSame(await collect(source.read(request, meter, never)), body);
      assert.equal(meter.failures.length, 1, name);
    }
  });
});

describe('a body that changes on the server', () => {
  it('starts over while nobody has seen the old bytes', async () => {
    const [old, young] = [content(90 * kibi), content(70 * kibi)];
    await using server = await WireServer.start((request, response) => {
      if (server.seen.length > 1) return void serveRange(request, response, young, { etag: '"young"' });
      response.writeHead(200, { 'content-length': old.length, etag: '"old"' });
      response.write(old.subarray(0, 30_000), () => response.destroy());
    });
    await using source = quickSource(server.origin);
    const request = { url: server.url('a'), maxBytes: 100 * kibi };
    assertSame(await source.readAll(request, new CountingMeter(), never), young);
    assert.equal(server.seen.length, 2, 'the answer that shows the change is used');
  });

  it('starts over once only', async () => {
    const body = content(90 * kibi);
    await using server = await WireServer.start((request, response) => {
      const first = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const head = { etag: `"${server.seen.length}"`, 'content-length': body.length - first };
      const range = { 'content-range': `bytes ${first}-${body.length - 1}/${body.length}` };
      response.writeHead(first === 0 ? 200 : 206, { ...head, ...(first === 0 ? {} : range) });
      response.write(body.subarray(first, first + 1000), () => response.destroy());
    });
    await using source = quickSource(server.origin, { attempts: 100 });
    const request = { url: server.url('a'), maxBytes: body.length };
    await assert.rejects(source.readAll(request, new CountingMeter(), never), { code: 'entity_changed' });
    assert.ok(server.seen.length <= 6);
  });

  it('is an error once bytes were handed out, and the part file forgets them', async (t) => {
    const [old, young] = [content(600 * kibi), content(700 * kibi)];
    const seen = Promise.withResolvers<void>();
    await using server = await WireServer.start(async (request, response) => {
      const first = server.seen.length === 1;
      if (!first) await seen.promise;
      serveRange(request, response, first ? old : young, { etag: first ? '"old"' : '"young"' });
    });
    await using source = quickSource(server.origin);
    const part = join(await scratchDirectory(t), 'part');
    const request = { url: server.url('a'), maxBytes: 1000 * kibi, part };
    const chunks = source.read(request, new CountingMeter(), never);
    await chunks.next();
    seen.resolve();
    await assert.rejects(collect(chunks), { code: 'entity_changed' });
    assertSame(await collect(source.read(request, new CountingMeter(), never)), young);
  });

  it('is noticed when it became shorter than what is there already', async (t) => {
    const body = content(1000);
    await using server = await WireServer.start((request, response) => {
      serveRange(request, response, body);
    });
    await using source = quickSource(server.origin);
    const part = join(await scratchDirectory(t), 'part');
    await writeFile(part, content(2000));
    const request = { url: server.url('a'), maxBytes: 5000, part };
    await assert.rejects(collect(source.read(request, new CountingMeter(), never)), {
      code: 'entity_changed',
    });
    assertSame(await collect(source.read(request, new CountingMeter(), never)), body);
  });
});

describe('a body of the wrong length', () => {
  it('is refused at its announcement when it is longer than allowed', async () => {
    let sent = 0;
    await using server = await WireServer.start((_request, response) => {
      response.writeHead(200, { 'content-length': 1e12 });
      response.on('drain', () => response.write(Buffer.alloc(kibi, sent++)));
      response.write(Buffer.alloc(100 * kibi));
    });
    await using source = quickSource(server.origin);
    const meter = new CountingMeter();
    const reading = source.readAll({ url: server.url('a'), maxBytes: 1e6 }, meter, never);
    await assert.rejects(reading, { code: 'too_large' });
    assert.ok(meter.wireBytes < 1e6);
  });

  it('is refused while it comes when it does not announce its length', async () => {
    await using server = await WireServer.start((_request, response) => {
      const more = (): void => {
        while (response.write(Buffer.alloc(64 * kibi)));
      };
      response.on('drain', more);
      more();
    });
    await using source = quickSource(server.origin);
    const request = { url: server.url('a'), maxBytes: 1e6 };
    await assert.rejects(source.readAll(request, new CountingMeter(), never), { code: 'too_large' });
    let bytes = 0;
    await assert.rejects(
      async () => {
        for await (const chunk of source.read(request, new CountingMeter(), never)) bytes += chunk.length;
      },
      { code: 'too_large' },
    );
    assert.ok(bytes <= 1e6);
  });

  it('is a failed attempt when it ends well but short of what the image says', async () => {
    const body = content(1000);
    await using server = await WireServer.start((_request, response) => {
      // A proxy that lost its upstream ends the chunks as if that were all.
      response.write(server.seen.length === 1 ? body.subarray(0, 400) : body);
      response.end();
    });
    await using source = quickSource(server.origin);
    const meter = new CountingMeter();
    const request = { url: server.url('a'), maxBytes: 1000, expectedBytes: 1000 };
    assertSame(await source.readAll(request, meter, never), body);
    assert.equal(meter.failures.length, 1);
  });

  it('is given up soon when every answer contradicts the image', async () => {
    for (const bytes of [900, 1100]) {
      await using server = await WireServer.start((_request, response) => void response.end(content(bytes)));
      await using source = quickSource(server.origin, { attempts: 50 });
      const request = { url: server.url('a'), maxBytes: 5000, expectedBytes: 1000 };
      await assert.rejects(source.readAll(request, new CountingMeter(), never), { code: 'protocol' });
      assert.equal(server.seen.length, 3);
    }
  });

  it('is a failed attempt when Content-Length promised more', async () => {
    const body = content(1000);
    await using server = await WireServer.start((_request, response) => {
      if (server.seen.length > 1) return void response.end(body);
      response.socket?.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n');
      response.socket?.end(body.subarray(0, 400));
    });
    await using source = quickSource(server.origin);
    const meter = new CountingMeter();
    assertSame(await source.readAll({ url: server.url('a'), maxBytes: 5000 }, meter, never), body);
    assert.equal(meter.failures.length, 1);
  });
});

it('a body that is encoded although nobody asked for it is refused', async () => {
  await using server = await WireServer.start((request, response) => {
    assert.equal(request.headers['accept-encoding'], 'identity');
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('text'));
  });
  await using source = quickSource(server.origin);
  const reading = source.readAll({ url: server.url('a'), maxBytes: 1000 }, new CountingMeter(), never);
  await assert.rejects(reading, { code: 'protocol' });
});
