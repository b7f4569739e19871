import type { CliIo } from './command.ts';
import { UsageError } from './command.ts';
import { readSource } from './read-source.ts';

/** Environment variable that may hold the cookies, for callers that have no file. */
export const cookiesVariable = 'OTA_COOKIES';

/** Whether `text` is what the wire wants: a JSON object of text values. */
export function isCookies(text: string): boolean {
  try {
    const parsed: unknown = JSON.parse(text);
    return (
      typeof parsed === 'object' &&
      parsed !== null &&
      !Array.isArray(parsed) &&
      Object.values(parsed).every((value) => typeof value === 'string')
    );
  } catch {
    // The error of JSON.parse quotes its input, which is a secret.
    return false;
  }
}

/**
 * The cookies for the image server, from a file, stdin (`-`) or the environment; empty when none are given. Never from
 * the command line, which every user of the machine can read. No message quotes them.
 */
export async function readCookies(file: string | undefined, io: CliIo): Promise<string> {
  const text = (file === undefined ? (io.env[cookiesVariable] ?? '') : await readSource(file, io)).trim();
  if (text === '' || isCookies(text)) return text;
  const where = file === undefined ? `$${cookiesVariable}` : file === '-' ? 'stdin' : file;
  throw new UsageError(
    `cookies in ${where}: expected a JSON object of text values, such as {"name": "value"}`,
  );
}
