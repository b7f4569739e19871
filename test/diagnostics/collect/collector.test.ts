import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { AccessList } from '#diagnostics/collect/access-list.ts';
import { Collector, type CollectorOptions } from '#diagnostics/collect/collector.ts';
import { segmentListener } from '#diagnostics/collect/segment-listener.ts';
import { sha256Of } from '#diagnostics/spool/sums.ts';
import { endBeforeRemoval, scratchDirectory } from '../../support/scratch-directory.ts';
import { digestHeader, segmentFile } from './segment-file.ts';

const maxBytes = 100_000;

/** A collector behind a real server. */
class World {
  readonly directory: string;
  readonly collector: Collector;
  readonly port: number;

  private constructor(directory: string, collector: Collector, port: number) {
    this.directory = directory;
    this.collector = collector;
    this.port = port;
  }

  static async create(t: TestContext, change: Partial<CollectorOptions> = {}): Promise<World> {
    const directory = change.directory ?? (await scratchDirectory(t));
    const collector = await Collector.open({
      directory,
      vehicleId: 'main',
      access: new AccessList(['child', 'other'], undefined),
      quotaBytes: 100_000,
      log: { info() {}, warn() {}, error() {} },
      ...change,
    });
    const options = { maxBytes, needsDigest: true, maxBodies: 4, onError: () => {} };
    const server = createServer(segmentListener(collector, options)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    endBeforeRemoval(t, async () => {
      server.close();
      server.closeAllConnections();
      await collector[Symbol.asyncDispose]();
    });
    return new World(directory, collector, (server.address() as AddressInfo).port);
  }

  url(vehicle: string, id: string): string {
    return `http://127.0.0.1:${this.port}/vehicles/${encodeURIComponent(vehicle)}/diagnostics/${id}`;
  }

  async put(
    vehicle: string,
    file: { readonly id: string; readonly body: Buffer; readonly sha256: string },
    headers: Record<string, string> = {},
  ): Promise<Response> {
    return fetch(this.url(vehicle, file.id), {
      method: 'PUT',
      body: file.body,
      headers: { 'content-digest': digestHeader(file.sha256), ...headers },
    });
  }

  /** Segments that wait for their upload. */
  waiting(): readonly string[] {
    return this.collector.shelves().flatMap(({ shelf }) => shelf.segments().map(({ id }) => id));
  }
}

describe('the collector', () => {
  it('acknowledges a segment once it is on disk, and the same one again', async (t) => {
    const world = await World.create(t);
    const file = segmentFile();
    assert.equal((await world.put('child', file)).status, 201);
    assert.equal((await world.put('child', file)).status, 200);
    const folder = join(world.directory, 'child/child/normal');
    const [name = ''] = await readdir(folder);
    assert.deepEqual(await readFile(join(folder, name)), file.body);
    // Another life finds it.
    const again = await World.create(t, { directory: world.directory });
    assert.deepEqual(again.waiting(), [file.id]);
    assert.equal((await again.put('child', file)).status, 200);
  });

  it('knows a segment that was forwarded and is gone, over restarts', async (t) => {
    const world = await World.create(t);
    const file = segmentFile();
    await world.put('child', file);
    const [child] = world.collector.shelves();
    const [segment] = child?.shelf.segments() ?? [];
    assert.ok(child !== undefined && segment !== undefined);
    const read = await child.shelf.read(segment);
    assert.deepEqual(read?.bytes, file.body);
    await child.shelf.finish(segment, file.sha256);
    for (const one of [world, await World.create(t, { directory: world.directory })]) {
      const answer = await one.put('child', file);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('etag'), `"${file.sha256}"`);
      assert.deepEqual(one.waiting(), []);
      const other = segmentFile();
      assert.equal((await one.put('child', { ...other, id: file.id })).status, 409);
      const head = await fetch(one.url('child', file.id), { method: 'HEAD' });
      assert.equal(head.headers.get('etag'), `"${file.sha256}"`);
    }
  });

  it('stores one copy of many that come at the same time, also under a shared vehicle name', async (t) => {
    const world = await World.create(t);
    const file = segmentFile({ vehicle: 'main', ecu: 'child' });
    const answers = await Promise.all([1, 2, 3, 4].map(() => world.put('main', file)));
    const statuses = answers.map(({ status }) => status).filter((status) => status !== 503);
    assert.equal(statuses.filter((status) => status === 201).length, 1);
    assert.ok(statuses.every((status) => status === 201 || status === 200));
    assert.deepEqual(world.waiting(), [file.id]);
  });

  it('refuses what is not right, and says why', async (t) => {
    const world = await World.create(t);
    const file = segmentFile();
    const statusOf = async (answer: Promise<Response>): Promise<string> => {
      const { status } = await answer;
      return `${status} ${(await (await answer).text()).trim()}`;
    };
    assert.match(await statusOf(world.put('stranger', file)), /^403 .*stranger/);
    assert.match(
      await statusOf(world.put('child', segmentFile({ ecu: 'stranger', vehicle: 'child' }))),
      /^403 .*stranger/,
    );
    assert.match(await statusOf(world.put('other', file)), /^422 .*vehicle child/);
    const flipped = Buffer.from(file.body);
    flipped[flipped.length - 20] = (flipped[flipped.length - 20] ?? 0) ^ 1;
    assert.match(await statusOf(world.put('child', { ...file, body: flipped })), /^422 .*Content-Digest/);
    assert.match(
      await statusOf(world.put('child', file, { 'content-digest': 'md5=:aaaa:' })),
      /^400 .*sha-256/,
    );
    const garbage = Buffer.concat([Buffer.from('Obj\x01'), Buffer.alloc(100, 1)]);
    assert.match(
      await statusOf(world.put('child', { id: file.id, body: garbage, sha256: sha256Of(garbage) })),
      /^422/,
    );
    const text = Buffer.from('{}');
    assert.match(
      await statusOf(world.put('child', { id: file.id, body: text, sha256: sha256Of(text) })),
      /^415/,
    );
    assert.match(await statusOf(world.put('child', segmentFile({ bytes: 2 * maxBytes }))), /^413/);
    assert.match(await statusOf(world.put('child', { ...file, id: '../../../etc/passwd' })), /^404/);
    assert.match(await statusOf(fetch(world.url('child', file.id))), /^405/);
    assert.deepEqual(world.waiting(), []);
    assert.equal((await world.put('child', file)).status, 201);
  });

  it('takes POST with the id as the idempotency key', async (t) => {
    const world = await World.create(t);
    const file = segmentFile();
    const post = () =>
      fetch(`http://127.0.0.1:${world.port}/in/vehicles/child/diagnostics`, {
        method: 'POST',
        body: file.body,
        headers: { 'content-digest': digestHeader(file.sha256), 'idempotency-key': file.id },
      });
    assert.equal((await post()).status, 201);
    assert.equal((await post()).status, 200);
    assert.deepEqual(world.waiting(), [file.id]);
  });

  it('keeps a child that babbles from costing others anything, and its own critical segments', async (t) => {
    const world = await World.create(t);
    const first = segmentFile();
    assert.equal((await world.put('child', first)).status, 201);
    let refused: Response | undefined;
    for (let n = 0; n < 20 && refused === undefined; n++) {
      const answer = await world.put('child', segmentFile({ bytes: 15_000 }));
      if (answer.status !== 201) refused = answer;
    }
    assert.equal(refused?.status, 503);
    assert.equal(refused?.headers.get('retry-after'), '60');
    assert.equal((await world.put('child', segmentFile({ priority: 'critical', bytes: 5000 }))).status, 201);
    assert.equal((await world.put('other', segmentFile({ ecu: 'other', bytes: 50_000 }))).status, 201);
    // Nothing that was acknowledged went.
    assert.ok(world.waiting().includes(first.id));
    assert.equal((await world.put('child', first)).status, 200);
  });

  it('with tokens, takes from each only what is its own', async (t) => {
    const tokens = join(await scratchDirectory(t), 'tokens');
    await writeFile(tokens, '# tokens\nsecret-1 child\nsecret-2 other grandchild\n');
    const world = await World.create(t, { access: new AccessList([], tokens) });
    const as = (token: string) => ({ authorization: `Bearer ${token}` });
    assert.equal((await world.put('child', segmentFile())).status, 401);
    assert.equal((await world.put('child', segmentFile(), as('secret-3'))).status, 401);
    assert.equal((await world.put('child', segmentFile(), as('secret-2'))).status, 403);
    assert.equal((await world.put('child', segmentFile(), as('secret-1'))).status, 201);
    assert.equal((await world.put('main', segmentFile({ vehicle: 'main' }), as('secret-1'))).status, 201);
    assert.equal(
      (await world.put('main', segmentFile({ vehicle: 'main', ecu: 'other' }), as('secret-1'))).status,
      403,
    );
    const grandchild = segmentFile({ ecu: 'grandchild' });
    assert.equal((await world.put('grandchild', grandchild, as('secret-2'))).status, 201);
    await writeFile(tokens, 'secret-4 child\n');
    assert.equal((await world.put('child', segmentFile(), as('secret-1'))).status, 401);
    assert.equal((await world.put('child', segmentFile(), as('secret-4'))).status, 201);
  });

  it('stores nothing of a body that ends too early', async (t) => {
    const world = await World.create(t);
    const file = segmentFile();
    const socket = connect(world.port, '127.0.0.1');
    socket.write(
      `PUT /vehicles/child/diagnostics/${file.id} HTTP/1.1\r\nhost: a\r\ncontent-length: ${file.body.length}\r\n` +
        `content-digest: ${digestHeader(file.sha256)}\r\n\r\n`,
    );
    socket.end(file.body.subarray(0, file.body.length - 1));
    socket.resume();
    await once(socket, 'close');
    assert.deepEqual(world.waiting(), []);
    assert.equal((await world.put('child', file)).status, 201);
  });
});
