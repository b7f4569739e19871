import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readContainerHeader } from '#diagnostics/messages/container.ts';
import { sha256Of } from '#diagnostics/spool/sums.ts';
import { CredentialedClient } from '#diagnostics/upload/credentials.ts';
import { PutClient } from '#net/put-client.ts';
import { sealedIn } from '../spool/spool-contents.ts';
import { tlsIdentity, UploadWorld } from './upload-world.ts';

const all = (count: number): number[] => [...Array(count).keys()];

describe('uploads over a way that fails', () => {
  it('store one copy when the server hangs before the body, after it, or drips its answer', async (t) => {
    const world = await UploadWorld.create(t, { segmentBytes: 1500 });
    await world.fill(12);
    let n = 0;
    world.front = (pass, request, response) => {
      n++;
      if (n % 4 === 0) return void request.pause();
      if (n % 4 === 1) return void request.resume();
      if (n % 4 === 2) {
        // It says that it is stored, and never ends saying so.
        const end = response.end.bind(response);
        response.end = () => {
          response.write('stored, and so on');
          return response;
        };
        void end;
      }
      pass();
    };
    await world.upload();
    assert.deepEqual(await world.received(), all(12));
  });

  it('store one copy when the connection is reset in the middle of the body', async (t) => {
    const world = await UploadWorld.create(t, { segmentBytes: 400_000 });
    await world.fill(60, 8000);
    let n = 0;
    world.front = (pass, request) => {
      n++;
      if (n > 4) return pass();
      request.once('data', () => request.socket.resetAndDestroy());
    };
    await world.upload();
    assert.ok(world.requests > 4);
    assert.deepEqual(await world.received(), all(60));
  });

  it('learn from a refusal that comes before the body is read, and remember it over restarts', async (t) => {
    const world = await UploadWorld.create(t, { segmentBytes: 2_000_000 }, 100_000);
    await world.fill(100, 8000);
    const [large] = sealedIn(world.spool);
    assert.ok(large !== undefined && large.bytes > 500_000, `${large?.bytes}`);
    const lengths: number[] = [];
    world.front = (pass, request) => {
      lengths.push(Number(request.headers['content-length']));
      pass();
    };
    await world.upload();
    assert.deepEqual(await world.received(), all(100));
    const refused = lengths.splice(0).filter((length) => length > 100_000);
    assert.ok(refused.length > 1);
    await world.fill(100, 8000);
    await world.upload();
    assert.ok(Math.max(...lengths) < Math.min(...refused), 'the limit was not remembered');
    for (const name of await readdir(world.folder))
      assert.ok((await readFile(join(world.folder, name))).length <= 100_000);
  });

  it('divide a segment down to single values, and lose none', async (t) => {
    const world = await UploadWorld.create(t, {}, 3100);
    await world.append(
      all(300).map((n) => ({ ts: BigInt(n), value: { item: { string: sha256Of(Buffer.from(String(n))) } } })),
    );
    await world.upload();
    assert.equal((await world.series()).length, 300);
    assert.deepEqual(
      (await world.series()).toSorted((a, b) => a - b),
      all(300),
    );
  });

  it('put a segment that not even a single value of fits aside', async (t) => {
    const world = await UploadWorld.create(t, {}, 3100);
    await world.fill(1, 20_000);
    await world.fill(1);
    const { quarantined } = await world.upload();
    assert.equal(quarantined, 1);
  });

  it('ask what is stored when a conflict does not tell', async (t) => {
    for (const how of ['HEAD', 'GET', 'none'] as const) {
      const world = await UploadWorld.create(t);
      await world.fill(3);
      const bodies = new Map<string, Buffer>();
      world.front = (_, request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          const stored = bodies.get(request.url ?? '');
          if (request.method === 'PUT') {
            bodies.set(request.url ?? '', Buffer.concat(chunks));
            response.writeHead(412).end('exists');
          } else if (request.method === 'HEAD' && how === 'HEAD' && stored !== undefined) {
            response.writeHead(200, { etag: `"${sha256Of(stored)}"` }).end();
          } else if (request.method === 'GET' && how === 'GET' && stored !== undefined) {
            response.writeHead(200).end(stored);
          } else response.writeHead(405).end();
        });
      };
      const { uploadedSegments, quarantined } = await world.upload();
      assert.deepEqual([uploadedSegments, quarantined], how === 'none' ? [0, 1] : [1, 0], how);
      // Not even then is it stored under a second id.
      assert.equal(bodies.size, 1);
    }
  });

  it('let what collides with something else go on under a new id, once', async (t) => {
    const world = await UploadWorld.create(t);
    await world.fill(3);
    const [segment] = sealedIn(world.spool);
    let conflicts = 0;
    world.front = (pass, request, response) => {
      if (request.url?.includes(segment?.id ?? '-') !== true) return pass();
      conflicts++;
      response.writeHead(409, { etag: `"${'0'.repeat(64)}"` }).end();
    };
    const told: string[] = [];
    const error = (_: object, line: string): void => void told.push(line);
    const counts = await world.upload({ log: { info() {}, warn() {}, error } });
    assert.equal(conflicts, 1);
    assert.equal(counts.uploadedSegments, 1);
    assert.equal(counts.quarantined, 1);
    assert.match(told.join(), /put aside: the receiver holds something else/);
    assert.deepEqual(await world.received(), all(3));
    const [name = ''] = await readdir(world.folder);
    const { metadata } = readContainerHeader(await readFile(join(world.folder, name)));
    assert.equal(metadata['segment.renewed_from'], segment?.id);
    assert.equal(`${metadata['segment.id']}.avro`, name);
    // A receiver that says so of everything gets no third id.
    await world.fill(2);
    world.front = (_, __, response) => response.writeHead(409, { etag: `"${'0'.repeat(64)}"` }).end();
    const requests = world.requests;
    await world.upload();
    assert.equal(world.requests, requests + 2);
  });

  it('let others go first when one segment is answered with errors for ever', async (t) => {
    const world = await UploadWorld.create(t, { segmentBytes: 1500 });
    await world.fill(20);
    const [stuck] = sealedIn(world.spool);
    world.front = (pass, request, response) => {
      if (request.url?.includes(stuck?.id ?? '-') === true) response.writeHead(500).end();
      else pass();
    };
    await world.upload({}, () => sealedIn(world.spool).length === 1);
    assert.deepEqual(
      sealedIn(world.spool).map(({ id }) => id),
      [stuck?.id],
    );
  });

  it('wait as long as the receiver asks, whatever the wall clock does', async (t) => {
    const world = await UploadWorld.create(t);
    await world.fill(2);
    const seen: number[] = [];
    world.front = (pass, _, response) => {
      seen.push(performance.now());
      if (seen.length > 1) return pass();
      response.writeHead(503, { 'retry-after': '1' }).end();
    };
    const wall = world.jumpingClock();
    await world.upload({ clock: wall.clock }, () => {
      wall.jump(-86_400_000);
      return sealedIn(world.spool).length === 0;
    });
    assert.ok((seen[1] ?? 0) - (seen[0] ?? 0) >= 990, 'it did not wait');
  });

  it('count what was sent today over restarts', async (t) => {
    const world = await UploadWorld.create(t, { segmentBytes: 1500 });
    await world.fill(20);
    const before = sealedIn(world.spool).length;
    const { waiting } = await world.upload({ dailyBytes: 4000 }, (counts) =>
      counts.waiting.includes('daily'),
    );
    assert.match(waiting, /daily limit/);
    const sent = before - sealedIn(world.spool).length;
    assert.ok(sent >= 1 && sent < before);
    // Another life of the daemon; the same day.
    await world.upload({ dailyBytes: 4000 }, (counts) => counts.waiting.includes('daily'));
    assert.equal(before - sealedIn(world.spool).length, sent);
    // A day later.
    const clock = world.jumpingClock();
    clock.pass(86_400_000);
    await world.upload(
      { dailyBytes: 4000, clock: clock.clock },
      () => before - sealedIn(world.spool).length > sent,
    );
  });

  it('refuse a receiver whose certificate nobody here trusts, and keep everything', async (t) => {
    const world = await UploadWorld.create(t, { segmentBytes: 1500 });
    await world.fill(3);
    const { url, ca } = await world.tls(t);
    await using stranger = new PutClient({
      tls: {},
      connectTimeoutMs: 2000,
      idleTimeoutMs: 2000,
      bytesPerSecond: 0,
    });
    const { waiting } = await world.upload({ url, send: (...args) => stranger.send(...args) }, (counts) =>
      /certificate|self-signed/i.test(counts.waiting),
    );
    assert.match(waiting, /certificate|self-signed/i);
    assert.equal(world.requests, 0);
    await using friend = new PutClient({
      tls: { ca },
      connectTimeoutMs: 2000,
      idleTimeoutMs: 2000,
      bytesPerSecond: 0,
    });
    await world.upload({ url, send: (...args) => friend.send(...args) });
    assert.deepEqual(await world.received(), all(3));
  });

  it('present the certificate that the files hold at the moment', async (t) => {
    const world = await UploadWorld.create(t, { segmentBytes: 1500 });
    await world.fill(6);
    const [old, fresh] = [tlsIdentity('vehicle'), tlsIdentity('vehicle')];
    const { url, ca } = await world.tls(t, fresh.pem);
    const [caFile, certificate, key] = ['ca', 'certificate', 'key'].map((name) =>
      join(world.directory, name),
    );
    assert.ok(caFile !== undefined && certificate !== undefined && key !== undefined);
    const store = async ({ pem, key: keyText }: typeof old): Promise<void> => {
      await writeFile(key, keyText);
      await writeFile(certificate, pem);
    };
    await writeFile(caFile, ca);
    await store(old);
    await using client = new CredentialedClient(
      { token: undefined, ca: caFile, certificate, key },
      { connectTimeoutMs: 2000, idleTimeoutMs: 2000, bytesPerSecond: 0 },
    );
    const change = {
      url,
      send: (...args: Parameters<CredentialedClient['send']>) => client.send(...args),
      credentials: () => client.fingerprint(),
    };
    await world.upload(change, ({ failures }) => failures > 2);
    assert.equal(world.requests, 0);
    const before = await client.fingerprint();
    await store(fresh);
    assert.notEqual(await client.fingerprint(), before);
    await world.upload(change);
    assert.deepEqual(await world.received(), all(6));
  });

  it('stop in the middle of a segment when an update needs the link', async (t) => {
    const world = await UploadWorld.create(t, { segmentBytes: 400_000 });
    await world.fill(40, 8000);
    let closed = false;
    let aborted = false;
    world.front = (pass, request, response) => {
      if (closed) return pass();
      request.resume();
      response.on('close', () => {
        aborted = true;
      });
      closed = true;
    };
    await world.upload({ gate: () => (closed ? 'an update needs the link' : undefined) }, () => aborted);
    assert.equal(world.requests, 1);
    const { failures } = await world.upload();
    assert.equal(failures, 0);
    assert.deepEqual(await world.received(), all(40));
  });

  it('keep to the limit of bytes per second', async (t) => {
    const world = await UploadWorld.create(t, { segmentBytes: 400_000 });
    await world.fill(10, 8000);
    const bytes = sealedIn(world.spool).reduce((sum, segment) => sum + segment.bytes, 0);
    await using slow = new PutClient({
      tls: {},
      connectTimeoutMs: 2000,
      idleTimeoutMs: 5000,
      bytesPerSecond: bytes,
    });
    const started = performance.now();
    await world.upload({ send: (...args) => slow.send(...args) });
    assert.ok(performance.now() - started > 600, 'faster than allowed');
  });
});
