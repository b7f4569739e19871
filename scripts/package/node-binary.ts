import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import type { Architecture } from './contents.ts';

const run = promisify(execFile);

/**
 * The pinned Node for an architecture: a path to its binary. The package is the one that the lock file names, fetched by
 * npm and checked against the digest there; it is kept in `cache` by that digest.
 */
export async function fetchNode(root: string, arch: Architecture, cache: string): Promise<string> {
  const name = `node-linux-${arch}`;
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly version: string; readonly integrity: string }>>;
  };
  const locked = lock.packages[`node_modules/${name}`];
  if (locked === undefined) throw new Error(`the lock file does not name ${name}`);
  const [algorithm = '', digest = ''] = locked.integrity.split(/-(.*)/s);
  const binary = join(cache, `${name}-${Buffer.from(digest, 'base64').toString('hex').slice(0, 32)}`);
  if (
    await access(binary).then(
      () => true,
      () => false,
    )
  )
    return binary;
  await mkdir(cache, { recursive: true });
  const scratch = await mkdtemp(join(cache, 'fetch-'));
  try {
    await run('npm', ['pack', `${name}@${locked.version}`, '--pack-destination', scratch], { cwd: root });
    const archive = await readFile(join(scratch, `${name}-${locked.version}.tgz`));
    if (createHash(algorithm).update(archive).digest('base64') !== digest) {
      throw new Error(`${name}@${locked.version} from npm is not the one that the lock file names`);
    }
    const unpacked = join(scratch, 'node');
    await writeFile(unpacked, await fileIn(gunzipSync(archive), 'package/bin/node'), { mode: 0o755 });
    await rename(unpacked, binary);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return binary;
}

async function fileIn(archive: Buffer, wanted: string): Promise<Buffer> {
  const reader = extract();
  reader.end(archive);
  let found: Buffer | undefined;
  for await (const entry of reader) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    if (entry.header.name === wanted) found = Buffer.concat(chunks);
  }
  if (found === undefined) throw new Error(`${wanted} is not in the package`);
  return found;
}
