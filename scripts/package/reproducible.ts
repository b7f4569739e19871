import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * The date that everything in a package gets, so that the same sources give the same bytes: SOURCE_DATE_EPOCH if it is
 * set, else the date of the commit. @see https://reproducible-builds.org/specs/source-date-epoch/
 */
export async function sourceDate(root: string): Promise<Date> {
  const set = process.env['SOURCE_DATE_EPOCH'];
  const seconds = set ?? (await run('git', ['log', '-1', '--format=%ct'], { cwd: root })).stdout.trim();
  if (!/^\d{1,11}$/.test(seconds)) throw new Error(`SOURCE_DATE_EPOCH=${seconds} is not a number of seconds`);
  return new Date(Number(seconds) * 1000);
}

/** Lower-case hex. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
