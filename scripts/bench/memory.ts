// Peak memory of the engine for trees of different numbers of files and different sizes of files.
// Usage: node scripts/bench/memory.ts [DIRECTORY]   (about 6 GB and ten minutes; DIRECTORY is made and removed)
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { makeKeys } from '#image/build/keys.ts';
import { loadSigner } from '#image/build/sign.ts';
import { directorySource } from '#image/build/source-directory.ts';
import { buildImage } from '#image/build/write-image.ts';
import { startImageServer } from '../demo/image-server.ts';

const directory = resolve(process.argv[2] ?? join(tmpdir(), `ota-memory-${process.pid}`));
const updateOnce = join(import.meta.dirname, 'update-once.ts');

/** A tree of `files` files of `bytes` bytes, all different; those from `fresh` on are other ones in the new tree. */
function makeTree(root: string, files: number, bytes: number, fresh: number, salt: string): void {
  for (let i = 0; i < files; i++) {
    const folder = join(root, `folder-${Math.floor(i / 100)}`);
    if (i % 100 === 0) mkdirSync(folder, { recursive: true });
    const content = Buffer.alloc(bytes, `${i} of ${i >= fresh ? salt : 'both'}. `);
    writeFileSync(join(folder, `file-with-an-ordinary-name-${i}.txt`), content);
  }
}

async function measure(files: number, bytes: number): Promise<string> {
  rmSync(directory, { recursive: true, force: true });
  const fresh = Math.floor(files * 0.98);
  makeTree(join(directory, 'old'), files, bytes, fresh, 'old');
  makeTree(join(directory, 'new'), files, bytes, fresh, 'new');
  const keys = await makeKeys({ directory: join(directory, 'keys') });
  const trust = join(directory, 'trust');
  mkdirSync(trust);
  for (const file of keys.trust) copyFileSync(file, join(trust, basename(file)));
  const signer = await loadSigner({ certificate: keys.signCertificate, key: keys.signKey });
  const image = join(directory, 'image');
  await buildImage({ source: directorySource(join(directory, 'new')), output: image, signer });
  rmSync(join(directory, 'new'), { recursive: true });
  await using server = await startImageServer({
    folders: new Map([['image', image]]),
    host: '127.0.0.1',
    port: 0,
  });
  const url = new URL('image/', server.url).href;
  const slot = join(directory, 'slot_b');
  const args = [
    updateOnce,
    join(directory, 'old'),
    slot,
    `${slot}.work`,
    url,
    trust,
    join(directory, 'state'),
  ];
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
