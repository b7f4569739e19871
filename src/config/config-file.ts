import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { ConfigProblem } from './config-error.ts';

/** Largest configuration file that is read, in bytes. Real ones have one or two thousand. */
const maxConfigFileBytes = 64 * 1024;

/** What became of reading a file: its text, or the one problem that kept it from being read. */
export type ConfigText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: ConfigProblem };

/** Reads a configuration file as UTF-8. Never throws: whatever is wrong with the file is the problem it returns. */
export async function readConfigFile(file: string, maxBytes = maxConfigFileBytes): Promise<ConfigText> {
  const refuse = (code: ConfigProblem['code'], what: string, mend: string): ConfigText => ({
    ok: false,
    problem: { code, file, line: undefined, column: undefined, key: '', what, mend },
  });
  let bytes: Buffer;
  try {
    // O_NONBLOCK: opening a named pipe in place of the file must not wait for a writer.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await handle.stat()).isFile()) {
      return refuse('file_unreadable', 'is not a regular file', 'put the configuration file there');
    }
    bytes = await readCapped(handle, maxBytes);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return refuse('file_missing', 'does not exist', 'create it, or name another file');
    return refuse('file_unreadable', `cannot be read (${code})`, 'check its permissions and the disk');
  }
  if (bytes.length > maxBytes) {
    const mend = 'check that it is the right file, and take out what does not belong there';
    return refuse('file_too_large', `is larger than ${maxBytes} bytes`, mend);
  }
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return refuse('file_not_utf8', 'is not UTF-8 text', 'save it as UTF-8');
  }
}

/** Reads one byte beyond the cap at most: enough to tell that the file is too large. */
async function readCapped(handle: FileHandle, maxBytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(maxBytes + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}
