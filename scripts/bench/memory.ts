// Peak memory of the engine for trees of different numbers of files and different sizes of files.
// Usage: node scripts/bench/memory.ts [DIRECTORY]   (about 6 GB and ten minutes; DIRECTORY is made and removed)
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startImageServer } from '../demo/image-server.ts';
import { makeImage } from './made-image.ts';

const directory = resolve(process.argv[2] ?? join(tmpdir(), `ota-memory-${process.pid}`));
const updateOnce = join(import.meta.dirname, 'update-once.ts');

async function measure(files: number, bytes: number): Promise<string> {
  rmSync(directory, { recursive: true, force: true });
  const { old, image, trust } = await makeImage(directory, { files, bytes, freshPart: 0.02 });
  await using server = await startImageServer({
    folders: new Map([['image', image]]),
    host: '127.0.0.1',
    port: 0,
  });
  const url = new URL('image/', server.url).href;
  const slot = join(directory, 'slot_b');
  const args = [updateOnce, old, slot, `${slot}.work`, url, trust, join(directory, 'state')];
  const child = spawn(process.execPath, ['--optimize-for-size', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await once(child, 'close');
  const { seconds, rssMiB } = JSON.parse(output) as { readonly seconds: number; readonly rssMiB: number };
  return `${files} files of ${bytes} bytes: peak RSS ${rssMiB.toFixed(0)} MiB, ${seconds.toFixed(1)} s`;
}

try {
  for (const [files, bytes] of [
    [50_000, 1000],
    [500_000, 1000],
    [200, 4_000_000],
    [20, 100_000_000],
  ] as const) {
    console.log(await measure(files, bytes));
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
