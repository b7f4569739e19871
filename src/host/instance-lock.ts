import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';

/** Another process has the lock. */
export class LockTakenError extends Error {
  override readonly name = 'LockTakenError';
  readonly pid: number;

  constructor(path: string, pid: number) {
    super(`${path} is held by process ${pid}, which is running`);
    this.pid = pid;
  }
}

/** A process for certain: a number alone may be given to another process later. */
interface Holder {
  readonly pid: number;
  /** Clock ticks from the boot of the machine to the start of the process. */
  readonly startTicks: string;
  readonly bootId: string;
}

/** Other starters may get in between; not this often. */
const maxTries = 10;

/**
 * Makes sure that only one process works on a directory, by a file with the holder's process id. The file of a killed
 * process does not block. Closing removes it. Errors: LockTakenError; those of the file system.
 */
export async function takeInstanceLock(path: string): Promise<AsyncDisposable> {
  const own = `${JSON.stringify({ pid: process.pid, ...(await startOf(process.pid)) })}\n`;
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    for (let tries = 0; tries < maxTries; tries++) {
      await writeFile(temporary, own);
      // A hard link appears whole or not at all, and never replaces a file.
      if (await linked(temporary, path)) return { [Symbol.asyncDispose]: () => release(path, own) };
      const text = await readIfThere(path);
      const holder = parse(text);
      if (holder !== undefined && (await isRunning(holder))) throw new LockTakenError(path, holder.pid);
      await putAside(path, text, temporary);
    }
  } finally {
    await rm(temporary, { force: true });
  }
  throw new LockTakenError(path, parse(await readIfThere(path))?.pid ?? 0);
}

/** Removes a lock that was found to be stale, and puts back one that somebody else has just taken instead. */
async function putAside(path: string, stale: string, aside: string): Promise<void> {
  try {
    await rename(path, aside);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return;
    throw error;
  }
  if ((await readIfThere(aside)) !== stale) await linked(aside, path);
}

async function release(path: string, own: string): Promise<void> {
  if ((await readIfThere(path)) === own) await rm(path, { force: true });
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function isRunning({ pid, startTicks, bootId }: Holder): Promise<boolean> {
  const start = await startOf(pid);
  return start !== undefined && start.startTicks === startTicks && start.bootId === bootId;
}

/** Undefined when there is no such process. proc(5): field 22 of `stat`; the name in field 2 may hold anything. */
async function startOf(pid: number): Promise<Omit<Holder, 'pid'> | undefined> {
  const stat = await readIfThere(`/proc/${pid}/stat`);
  const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  if (startTicks === undefined) return undefined;
  return { startTicks, bootId: (await readIfThere('/proc/sys/kernel/random/boot_id')).trim() };
}

function parse(text: string): Holder | undefined {
  try {
    const { pid, startTicks, bootId } = JSON.parse(text) as Partial<Record<keyof Holder, unknown>>;
    if (typeof pid !== 'number' || typeof startTicks !== 'string' || typeof bootId !== 'string')
      return undefined;
    return { pid, startTicks, bootId };
  } catch {
    return undefined;
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isCode(error, 'ENOENT') || isCode(error, 'ESRCH')) return '';
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
