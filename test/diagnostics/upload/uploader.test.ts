import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Spool, type SpoolOptions } from '#diagnostics/spool/spool.ts';
import { UploadState } from '#diagnostics/upload/upload-state.ts';
import { Uploader, type UploaderOptions } from '#diagnostics/upload/uploader.ts';
import { PutClient } from '#net/put-client.ts';
import { createReceiver } from '../../../scripts/diagnostics-receiver/receiver.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { numbersOf, sealedIn, shelfOf } from '../spool/spool-contents.ts';
import { rightClock, spoolOptions } from '../spool/spool-options.ts';

/** A spool, the reference receiver, and in front of it a server that may do worse than answer. */
class World {
  readonly directory: string;
  readonly spool: Spool;
  readonly url: URL;
  /** What the front does with a request; the default passes it on to the receiver. */
  front: (pass: () => void, ...args: Parameters<RequestListener>) => void = (pass) => pass();
  requests = 0;

  private constructor(directory: string, spool: Spool, url: URL) {
    this.directory = directory;
    this.spool = spool;
    this.url = url;
  }

  static async create(t: TestContext, change: Partial<SpoolOptions> = {}, maxBytes = 1e6): Promise<World> {
    const directory = await scratchDirectory(t);
    const spool = await Spool.open(spoolOptions(join(directory, 'spool'), change));
    const receiver = createReceiver({ directory: join(directory, 'received'), maxBytes, token: '' });
    let self: World | undefined;
    const server: Server = createServer((request, response) => {
      const pass = (): void => void receiver.emit('request', request, response);
      if (self === undefined) return;
      self.requests++;
      self.front(pass, request, response);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    self = new World(directory, spool, new URL(`http://127.0.0.1:${port}/in`));
    t.after(() => spool[Symbol.asyncDispose]());
    return self;
  }

  async fill(count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const value = {
        item: { string: `${n}-${createHash('sha512').update(String(n)).digest('hex').repeat(3)}` },
      };
      const record = { signal_identifier: `S${n}`, ts: BigInt(n), value };
      await this.spool.append('normal', [{ item: { SpecifiedTimeStampedRecord: record } }]);
    }
    await this.spool.seal();
  }

  /** Uploads until the spool is empty, or `until` says so. */
  async upload(
    change: Partial<UploaderOptions> = {},
    until = (): boolean => sealedIn(this.spool).length === 0,
  ): Promise<Uploader['counts']> {
    await using client = new PutClient({
      tls: {},
      connectTimeoutMs: 500,
      idleTimeoutMs: 300,
      bytesPerSecond: 0,
    });
    const clock = change.clock ?? rightClock;
    const state = await UploadState.open(join(this.directory, 'upload-state'), this.url.href, clock);
    await using uploader = new Uploader({
      shelves: () => [{ vehicleId: 'vehicle-1', shelf: shelfOf(this.spool) }],
      onSealed: (listener) => this.spool.onSealed(listener),
      url: this.url,
      method: 'PUT',
      contentType: 'application/avro',
      send: (...args) => client.send(...args),
      token: async () => '',
      credentials: async () => '',
      gate: () => undefined,
      gateMs: 10,
      breaker: { baseMs: 2, maxMs: 10, random: Math.random },
      longWaitMs: 20,
      dailyBytes: 0,
      state,
      clock,
      log: { info() {}, warn() {}, error() {} },
      ...change,
    });
    const end = performance.now() + 15_000;
    while (!until() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.ok(performance.now() < end, `not done in time: ${JSON.stringify(uploader.counts)}`);
    return uploader.counts;
  }

  /** Numbers of the messages that arrived, over all files. */
  async received(): Promise<number[]> {
    const folder = join(this.directory, 'received/vehicle-1');
    const numbers: number[] = [];
    for (const name of await readdir(folder)) numbers.push(...numbersOf(await readFile(join(folder, name))));
    return numbers.toSorted((a, b) => a - b);
  }
}

const all = (count: number): number[] => [...Array(count).keys()];

describe('the uploader', () => {
  it('sends every segment once, and forgets it only then', async (t) => {
    const world = await World.create(t, { segmentBytes: 2000 });
    await world.fill(30);
    const segments = sealedIn(world.spool).length;
    assert.ok(segments > 3);
    const { uploadedSegments } = await world.upload();
    assert.equal(uploadedSegments, segments);
    assert.equal(world.requests, segments);
    assert.deepEqual(await world.received(), all(30));
    assert.equal(world.spool.counts.segments, 0);
  });

  it('stores one copy, whatever the way to the receiver does', async (t) => {
    const world = await World.create(t, { segmentBytes: 1500 });
    await world.fill(20);
    let n = 0;
    world.front = (pass, request, response) => {
      n++;
      switch (n % 7) {
        case 0:
          response.writeHead(503, { 'retry-after': '0' }).end();
          return;
        case 1:
          response.writeHead(429).end();
          return;
        case 2:
          request.socket.destroy();
          return;
        case 3:
          // Stored, but the answer is lost.
          response.writeHead = () => response;
          response.end = () => {
            request.socket.destroy();
            return response;
          };
          pass();
          return;
        case 4:
          // Silence.
          return;
        default:
          pass();
      }
    };
    const counts = await world.upload();
    assert.deepEqual(await world.received(), all(20));
    assert.ok(counts.failures > 5);
    assert.equal(counts.quarantined, 0);
  });

  it('splits what is too large for the receiver, and loses nothing', async (t) => {
    const world = await World.create(t, {}, 3000);
    await world.fill(40);
    assert.equal(sealedIn(world.spool).length, 1);
    await world.upload();
    assert.deepEqual(await world.received(), all(40));
    assert.ok((await readdir(join(world.directory, 'received/vehicle-1'))).length > 3);
  });

  it('puts aside what will never be taken, and goes on with the rest', async (t) => {
    const world = await World.create(t, { segmentBytes: 1500 });
    await world.fill(12);
    const [bad] = sealedIn(world.spool);
    world.front = (pass, request, response) => {
      if (request.url?.includes(bad?.id ?? '-') === true) response.writeHead(422).end();
      else pass();
    };
    const { quarantined } = await world.upload();
    assert.equal(quarantined, 1);
    const aside = await readdir(join(world.directory, 'spool/quarantine'));
    assert.deepEqual(aside.length, 2);
    const why = aside.find((name) => name.endsWith('.why')) ?? '';
    assert.match(
      await readFile(join(world.directory, 'spool/quarantine', why), 'utf8'),
      /refuses it for good \(422\)/,
    );
    assert.ok((await world.received()).length > 0);
  });

  it('reads its token anew when it is refused, and never tells it', async (t) => {
    const world = await World.create(t);
    await world.fill(3);
    const file = join(world.directory, 'token');
    await writeFile(file, 'old-secret');
    const told: string[] = [];
    const tell = (fields: object, line: string): void => void told.push(JSON.stringify(fields) + line);
    let refused = 0;
    world.front = (pass, request, response) => {
      if (request.headers.authorization === 'Bearer new-secret') return pass();
      response.writeHead(401).end();
      refused++;
      if (refused === 4) void writeFile(file, 'new-secret');
    };
    await world.upload({
      token: () => readFile(file, 'utf8'),
      credentials: () => readFile(file, 'utf8'),
      log: { info: tell, warn: tell, error: tell },
    });
    assert.deepEqual(await world.received(), all(3));
    assert.ok(told.some((line) => line.includes('credentials')));
    assert.ok(!told.some((line) => line.includes('secret')));
  });

  it('keeps quiet while the gate is closed, and over the daily limit', async (t) => {
    const world = await World.create(t, { segmentBytes: 1500 });
    await world.fill(10);
    let open = false;
    let asked = 0;
    const closed = await world.upload(
      { gate: () => (++asked > 0 && open ? undefined : 'an update needs the link') },
      () => asked > 3,
    );
    assert.equal(closed.waiting, 'an update needs the link');
    assert.equal(world.requests, 0);
    open = true;
    const before = sealedIn(world.spool).length;
    const counts = await world.upload({ dailyBytes: 100 }, () => sealedIn(world.spool).length < before);
    assert.equal(counts.uploadedSegments, 1);
    await world.upload();
    assert.deepEqual(await world.received(), all(10));
  });

  it('waits long for a wrong address, and keeps everything', async (t) => {
    const world = await World.create(t);
    await world.fill(2);
    world.front = (_, __, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    const { waiting } = await world.upload({ longWaitMs: 60_000 }, () => world.requests > 0);
    assert.ok(waiting === '' || waiting.includes('302'));
    assert.equal(sealedIn(world.spool).length, 1);
  });
});
