import { open, readFile, unlink } from 'node:fs/promises';
import {
  type ContainerHeader,
  readContainerBlock,
  readContainerHeader,
} from '#diagnostics/messages/container.ts';
import { MessageError } from '#diagnostics/messages/message-error.ts';
import { renameDurably } from '#host/durable-file.ts';

/** What was found in a segment that a power cut or a crash had left open. */
export interface Recovery {
  /** Whole blocks that were kept. */
  readonly blocks: number;
  /** Bytes that were cut off behind them. */
  readonly cut: number;
}

/**
 * Brings a segment that was being written into the state of a sealed one: everything from the first byte that is no whole
 * block is cut off, and a segment without a block is removed. May itself be cut off at any moment and run again.
 * `path` ends in `.open`. Errors: those of the file system.
 */
export async function recoverSegment(path: string): Promise<Recovery> {
  const bytes = await readFile(path);
  const { blocks, end } = wholeBlocks(bytes);
  if (blocks === 0) {
    await unlink(path);
    return { blocks, cut: bytes.length };
  }
  const file = await open(path, 'r+');
  try {
    if (end < bytes.length) await file.truncate(end);
    await file.sync();
  } finally {
    await file.close();
  }
  await renameDurably(path, path.slice(0, -'.open'.length));
  return { blocks, cut: bytes.length - end };
}

function wholeBlocks(bytes: Buffer): { readonly blocks: number; readonly end: number } {
  let header: ContainerHeader & { readonly end: number };
  try {
    header = readContainerHeader(bytes);
  } catch (error) {
    if (error instanceof MessageError) return { blocks: 0, end: 0 };
    throw error;
  }
  let { end } = header;
  let blocks = 0;
  try {
    for (;;) {
      const block = readContainerBlock(bytes, end, header);
      if (block === undefined) break;
      end = block.end;
      blocks++;
    }
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
  }
  return { blocks, end };
}
