import { createReadStream } from 'node:fs';
import type { CliIo } from './command.ts';
import { UsageError } from './command.ts';

/** Nothing that a person hands to a command is larger; a mistaken `/dev/zero` or disk image must not fill the memory. */
const maxBytes = 1024 * 1024;

/** Reads a small text file, or stdin when `file` is `-`. Errors: UsageError naming the file. */
export async function readSource(file: string, io: CliIo): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    const source = file === '-' ? io.stdin : createReadStream(file);
    for await (const chunk of source) {
      io.signal.throwIfAborted();
      const bytes = Buffer.from(chunk as Uint8Array | string);
      length += bytes.length;
      if (length > maxBytes) throw new UsageError(`${file}: larger than ${maxBytes} bytes`);
      chunks.push(bytes);
    }
  } catch (error) {
    if (error instanceof UsageError || io.signal.aborted) throw error;
    throw new UsageError(
      `${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
  return Buffer.concat(chunks).toString('utf8');
}
