import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { VehicleClock } from '#diagnostics/clock/vehicle-clock.ts';
import { readContainer } from '#diagnostics/messages/container.ts';
import { samplesOf } from '#diagnostics/messages/samples.ts';
import type { TimeStampedRecord } from '#diagnostics/messages/types.ts';
import { Spool, type SpoolOptions } from '#diagnostics/spool/spool.ts';
import { UploadState } from '#diagnostics/upload/upload-state.ts';
import { type UploadCounts, Uploader, type UploaderOptions } from '#diagnostics/upload/uploader.ts';
import { PutClient } from '#net/put-client.ts';
import { createReceiver } from '../../../scripts/diagnostics-receiver/receiver.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { makeRoot } from '../../support/signing-chain.ts';
import { message, noise, numbersOf, sealedIn, shelfOf } from '../spool/spool-contents.ts';
import { rightClock, spoolOptions } from '../spool/spool-options.ts';

/** A certificate that signs itself, and its key: PEM. */
export function tlsIdentity(name: string): { readonly pem: string; readonly key: string } {
  const { pem, key } = makeRoot(name, { keyUsage: ['digitalSignature', 'keyCertSign'] });
  return { pem, key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }) };
}

/** A spool, the reference receiver, and in front of it a server that may do worse than answer. */
export class UploadWorld {
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

  static async create(
    t: TestContext,
    change: Partial<SpoolOptions> = {},
    maxBytes = 1e6,
  ): Promise<UploadWorld> {
    const directory = await scratchDirectory(t);
    const spool = await Spool.open(spoolOptions(join(directory, 'spool'), change));
    const receiver = createReceiver({ directory: join(directory, 'received'), maxBytes, token: '' });
    let self: UploadWorld | undefined;
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
    self = new UploadWorld(directory, spool, new URL(`http://127.0.0.1:${port}/in`));
    t.after(() => spool[Symbol.asyncDispose]());
    return self;
  }

  /** Where the receiver puts what it gets. */
  get folder(): string {
    return join(this.directory, 'received/vehicle-1');
  }

  /** Messages with numbers from 0 on, of a few hundred bytes or so many, in sealed segments. */
  async fill(count: number, bytes = 0): Promise<void> {
    for (let n = 0; n < count; n++) {
      const text = createHash('sha512').update(String(n)).digest('hex').repeat(3);
      await this.spool.append('normal', [message(n, bytes === 0 ? `${n}-${text}` : noise(bytes))]);
    }
    await this.spool.seal();
  }

  /** One message: a series of values. */
  async append(items: readonly TimeStampedRecord[]): Promise<void> {
    const series = { signal_identifier: 'S', count: items.length, items };
    await this.spool.append('normal', [{ item: { TimeSeries: series } }]);
    await this.spool.seal();
  }

  /** Uploads until the spool is empty, or `until` says so. */
  async upload(
    change: Partial<UploaderOptions> = {},
    until: (counts: UploadCounts) => boolean = () => sealedIn(this.spool).length === 0,
  ): Promise<UploadCounts> {
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
    const end = performance.now() + 60_000;
    while (!until(uploader.counts) && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 5));
    assert.ok(performance.now() < end, `not done in time: ${JSON.stringify(uploader.counts)}`);
    return uploader.counts;
  }

  /** Numbers of the messages that arrived, over all files. */
  async received(): Promise<number[]> {
    const numbers: number[] = [];
    for (const name of await readdir(this.folder))
      numbers.push(...numbersOf(await readFile(join(this.folder, name))));
    return numbers.toSorted((a, b) => a - b);
  }

  /** Times of the values that arrived in series, in microseconds. */
  async series(): Promise<number[]> {
    const times: number[] = [];
    for (const name of await readdir(this.folder)) {
      const { header, messages } = readContainer(await readFile(join(this.folder, name)));
      for (const one of messages) for (const { ts } of samplesOf(header.name, one)) times.push(Number(ts));
    }
    return times;
  }

  /** The same receiver by HTTPS, with a certificate of its own; with `clientCa`, only for clients that have one of its. */
  async tls(t: TestContext, clientCa?: string): Promise<{ readonly url: URL; readonly ca: string }> {
    const { pem, key } = tlsIdentity('localhost');
    const clients =
      clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
    const options = { cert: pem, key, ...clients };
    const receiver = createReceiver({
      directory: join(this.directory, 'received'),
      maxBytes: 1e6,
      token: '',
    });
    const server = createTlsServer(options, (request, response) => {
      this.requests++;
      receiver.emit('request', request, response);
    }).listen(0, 'localhost');
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return { url: new URL(`https://localhost:${(server.address() as AddressInfo).port}`), ca: pem };
  }

  /** A right clock whose wall can be set, and that can be told that time has passed. */
  jumpingClock() {
    let [wallMs, passedMs] = [0, 0];
    const clock: VehicleClock = {
      ...rightClock,
      now: () => rightClock.now() + passedMs,
      wallMs: () => rightClock.wallMs() + wallMs + passedMs,
    };
    return {
      clock,
      jump(ms: number): void {
        wallMs += ms;
      },
      pass(ms: number): void {
        passedMs += ms;
      },
    };
  }
}
