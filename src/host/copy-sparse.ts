import { type FileHandle, open } from 'node:fs/promises';

/** Holes are kept in units of this many bytes, the block of most file systems. */
const blockBytes = 4096;
const readBytes = 1024 * 1024;

/**
 * Copies a file with holes to a name that is free, and leaves the holes: written out, a `lastlog` of some kilobytes would
 * take gigabytes. Node cannot ask where holes are, so that blocks of zeros are taken for them.
 * Errors: those of the file system; the signal's reason.
 */
export async function copySparse(
  from: string | Buffer,
  to: string | Buffer,
  signal: AbortSignal,
): Promise<void> {
  await using source = await open(from, 'r');
  await using target = await open(to, 'wx', 0o600);
  const buffer = Buffer.allocUnsafe(readBytes);
  let at = 0;
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await source.read(buffer, 0, readBytes, at);
    if (bytesRead === 0) break;
    for (const [start, end] of written(buffer.subarray(0, bytesRead))) {
      await writeAll(target, buffer.subarray(start, end), at + start);
    }
    at += bytesRead;
  }
  await target.truncate(at);
}

const zeros = Buffer.alloc(blockBytes);

/** Where there is something else than blocks of zeros, as start and end. */
function* written(bytes: Buffer): Generator<readonly [number, number]> {
  let start = -1;
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const block = bytes.subarray(at, at + blockBytes);
    const isHole = block.equals(zeros.subarray(0, block.length));
    if (isHole && start >= 0) {
      yield [start, at];
      start = -1;
    } else if (!isHole && start < 0) start = at;
  }
  if (start >= 0) yield [start, bytes.length];
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}
