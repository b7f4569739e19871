// Measures the HTTP client alone, on loopback: `node scripts/bench/downloads.ts [files] [MiB] [rounds]`.
// The server runs in its own process, so that the CPU time that is printed is the client's.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpSource } from '#net/http-source.ts';
import type { WireRequest } from '#net/wire-request.ts';

const smallBytes = 8 * 1024;
const lanes = 32;
const noMeter = { bytes() {}, failedAttempt() {} };

if (process.send === undefined) await main();
else await serve();

async function main(): Promise<void> {
  const [files = 10_000, mebibytes = 512, rounds = 5] = process.argv.slice(2).map(Number);
  const server = fork(import.meta.filename);
  const [port] = (await once(server, 'message')) as [number];
  const folder = await mkdtemp(join(tmpdir(), 'bench-downloads-'));
  const origin = new URL(`http://127.0.0.1:${port}/`);
  try {
    await using source = new HttpSource({ origin, cookies: new Map(), connections: lanes });
    const large = mebibytes * 1024 * 1024;
    const wanted = (path: string): WireRequest => ({ url: new URL(path, origin), maxBytes: large });
    const small = async (): Promise<number> => (await readSmall(source, files, wanted), files);
    const stream = async (): Promise<number> =>
      (await readLarge(source, wanted(`large/${large}`))) / (1024 * 1024);
    const parted = async (): Promise<number> => {
      const part = join(folder, 'part');
      const bytes = await readLarge(source, { ...wanted(`large/${large}`), part });
      await rm(part);
      return bytes / (1024 * 1024);
    };
    await small();
    await measure(
      `readAll, ${files} files of ${smallBytes} bytes, ${lanes} lanes`,
      'requests/s',
      rounds,
      small,
    );
    await measure(`read, one body of ${mebibytes} MiB`, 'MiB/s', rounds, stream);
    await measure(`read, the same with a part file in ${folder}`, 'MiB/s', rounds, parted);
  } finally {
    server.kill();
    await rm(folder, { recursive: true });
  }
}

async function readSmall(
  source: HttpSource,
  files: number,
  wanted: (path: string) => WireRequest,
): Promise<void> {
  const { signal } = new AbortController();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < files) await source.readAll(wanted(`small/${next++}`), noMeter, signal);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function readLarge(source: HttpSource, request: WireRequest): Promise<number> {
  const { signal } = new AbortController();
  let bytes = 0;
  for await (const chunk of source.read(request, noMeter, signal)) bytes += chunk.length;
  return bytes;
}

async function measure(
  what: string,
  unit: string,
  rounds: number,
  run: () => Promise<number>,
): Promise<void> {
  const rates: number[] = [];
  const cpus: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const cpuBefore = process.cpuUsage();
    const started = performance.now();
    const amount = await run();
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    rates.push(amount / seconds);
    cpus.push((user + system) / amount);
  }
  const rate = median(rates).toFixed(0);
  console.log(
    `${what}: ${rate} ${unit}, ${median(cpus).toFixed(0)} us of CPU for each (median of ${rounds})`,
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Small files, and one large one with ranges. */
async function serve(): Promise<void> {
  const small = Buffer.alloc(smallBytes, 'a');
  const block = Buffer.alloc(1024 * 1024, 'b');
  const server = createServer((request, response) => {
    const [, kind, size] = request.url?.split('/') ?? [];
    if (kind === 'small') {
      response.end(small);
      return;
    }
    const total = Number(size);
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const first = Number(range?.[1] ?? 0);
    const last = Math.min(Number(range?.[2] || total - 1), total - 1);
    const head = { 'content-length': last - first + 1, 'content-range': `bytes ${first}-${last}/${total}` };
    response.writeHead(range === null ? 200 : 206, head);
    let left = last - first + 1;
    const more = (): void => {
      while (left > 0) {
        const piece = block.subarray(0, left);
        left -= piece.length;
        if (!response.write(piece)) {
          response.once('drain', more);
          return;
        }
      }
      response.end();
    };
    more();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send?.((server.address() as AddressInfo).port);
}
