import { open, readFile, unlink } from 'node:fs/promises';
import {
  type ContainerHeader,
  readContainerBlock,
  readContainerHeader,
} from '#diagnostics/messages/container.ts';
import { MessageError } from '#diagnostics/messages/message-error.ts';
import { removeDurably, renameDurably, writeDurably } from '#host/durable-file.ts';
import { sealedPath, sumsPath } from './segment-name.ts';
import { matches, readSums, type Sums, sumsOf } from './sums.ts';

/** What is left of a segment. */
export interface Remains {
  /** Header and whole blocks; undefined when the header is lost, and everything with it. */
  readonly bytes: Buffer | undefined;
  readonly header: (ContainerHeader & { readonly end: number }) | undefined;
  readonly blocks: number;
  /** Blocks that are known to have been there and are not whole any more. */
  readonly lost: number;
  /** Whether `bytes` are the first bytes of what was examined, so that cutting brings them about. */
  readonly isPrefix: boolean;
}

/**
 * Finds the whole blocks of a segment that a power cut, a torn write or flipped bits may have damaged: by the check sums as
 * far as there are any, by the structure beyond them.
 */
export function examine(bytes: Buffer, { pieces }: Sums): Remains {
  const header = headerOf(bytes);
  const [head, ...known] = pieces;
  const headerIsRight = head === undefined || (head.end === header?.end && matches(head, 0, bytes));
  if (header === undefined || !headerIsRight) {
    return { bytes: undefined, header: undefined, blocks: 0, lost: known.length, isPrefix: false };
  }
  const kept = [bytes.subarray(0, header.end)];
  let at = header.end;
  let end = at;
  let lost = 0;
  const keep = (to: number): void => {
    kept.push(bytes.subarray(at, to));
    end = to;
  };
  for (const piece of known) {
    if (piece.end > bytes.length) lost++;
    else {
      if (matches(piece, at, bytes) && blockEnd(bytes, at, header) === piece.end) keep(piece.end);
      else lost++;
      at = piece.end;
    }
  }
  // Lines for blocks that the file does not have: nothing can follow them.
  for (let next = blockEnd(bytes, at, header); next !== undefined; next = blockEnd(bytes, at, header)) {
    keep(next);
    at = next;
  }
  const whole = Buffer.concat(kept);
  return { bytes: whole, header, blocks: kept.length - 1, lost, isPrefix: whole.length === end };
}

function headerOf(bytes: Buffer): (ContainerHeader & { readonly end: number }) | undefined {
  try {
    return readContainerHeader(bytes);
  } catch (error) {
    if (error instanceof MessageError) return undefined;
    throw error;
  }
}

/** Undefined when there is no whole block. */
function blockEnd(bytes: Buffer, at: number, header: ContainerHeader): number | undefined {
  try {
    return readContainerBlock(bytes, at, header)?.end;
  } catch (error) {
    if (error instanceof MessageError) return undefined;
    throw error;
  }
}

/** A full disk has no room for check sums; a segment does without, and is looked through when it is read. */
export async function renewSums(path: string, bytes: Buffer): Promise<void> {
  await writeDurably(sumsPath(path), sumsOf(bytes), 0o600).catch(() => {});
}

/** What was found in a segment that a power cut or a crash had left open. */
export interface Recovery {
  /** Whole blocks that were kept. */
  readonly blocks: number;
  /** Bytes that were cut off. */
  readonly cut: number;
  /** Blocks that were whole once; then the damaged file should be kept for people. */
  readonly lost: number;
}

/**
 * Brings a segment that was being written into the state of a sealed one: everything that is no whole block goes, and with
 * `keepDamaged`, first a copy of the file to there if it lost blocks that it once had. A segment without a block is
 * removed. May itself be cut off at any moment and run again. `path` ends in `.open`. Errors: those of the file system.
 */
export async function recoverSegment(
  path: string,
  keepDamaged: (bytes: Buffer) => Promise<void>,
): Promise<Recovery> {
  const found = await readFile(path);
  const { bytes, blocks, lost, isPrefix } = examine(found, await readSums(path));
  if (lost > 0) await keepDamaged(found);
  if (bytes === undefined || blocks === 0) {
    await unlink(path);
    await removeDurably(sumsPath(path));
    return { blocks: 0, cut: found.length, lost };
  }
  const cut = found.length - bytes.length;
  if (isPrefix) {
    const file = await open(path, 'r+');
    try {
      if (cut > 0) await file.truncate(bytes.length);
      await file.sync();
    } finally {
      await file.close();
    }
  } else {
    // The check sums would not fit what is written now.
    await removeDurably(sumsPath(path));
    await writeDurably(path, bytes, 0o600);
  }
  await renewSums(path, bytes);
  await renameDurably(path, sealedPath(path));
  return { blocks, cut, lost };
}
