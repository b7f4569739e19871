import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';
import type { PackagedFile } from './contents.ts';

/** Writes a gzipped tar whose bytes depend on the contents, their order and `date` only. */
export async function writeTarball(
  output: string,
  top: string,
  contents: readonly PackagedFile[],
  date: Date,
): Promise<void> {
  const archive = pack();
  const written = pipeline(archive, createGzip({ level: 9 }), createWriteStream(output));
  const fed = feed(archive, top, contents, date).catch((error: unknown) => {
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  });
  await Promise.all([written, fed]);
}

async function feed(
  archive: Pack,
  top: string,
  contents: readonly PackagedFile[],
  date: Date,
): Promise<void> {
  const made = new Set<string>();
  const makeDirectory = (path: string): void => {
    if (path === '.' || made.has(path)) return;
    makeDirectory(dirname(path));
    made.add(path);
    archive.entry({ name: path, type: 'directory', mode: 0o755, mtime: date, uid: 0, gid: 0 });
  };
  for (const { path, source, executable } of contents) {
    const name = `${top}/${path}`;
    makeDirectory(dirname(name));
    const { size } = await stat(source);
    const mode = executable ? 0o755 : 0o644;
    const entry = archive.entry({ name, size, mode, mtime: date, uid: 0, gid: 0, uname: '', gname: '' });
    await pipeline(createReadStream(source), entry);
  }
  archive.finalize();
}
