import { CommandError, runCommand } from '#host/command.ts';
import { readTail } from '#host/read-tail.ts';
import { resolveInRoot } from '#host/root-path.ts';
import type { Evidence } from './record.ts';

/** What could be collected, and what could not and why. */
export interface Findings {
  readonly evidence: Evidence[];
  readonly missing: string[];
}

const lines = 200;
const maxBytes = 64 * 1024;
const toolTimeoutMs = 5000;
/** Where systems without a journal keep the messages of all programs. */
const plainLogs = ['/var/log/syslog', '/var/log/messages'];
/** A record that systemd split into pieces is also there as a whole. */
const maxCrashRecords = 8;

/**
 * The log of the running boot, from `since` (Unix time in milliseconds) on, of the release whose tree is at `root`. Never
 * rejects but when aborted.
 */
export async function logOfThisBoot(root: string, signal: AbortSignal, since?: number): Promise<Findings> {
  const found = await journal('boot', ['-b', ...after(since)], signal);
  return found.evidence.length > 0 ? found : orPlainLogs(found, root, signal);
}

/**
 * The log of the last boot of the release whose tree is at `root`. `since` is a Unix time in milliseconds before which
 * nothing of it can be; entries are older only where the clock was set back. Never rejects but when aborted.
 */
export async function logOfLastBoot(
  root: string,
  since: number | undefined,
  signal: AbortSignal,
): Promise<Findings> {
  const directory = await resolveInRoot(root, '/var/log/journal');
  const own = ['--directory', directory, '-b', '-0'];
  const found = await journal('last boot of the release that was left', [...own, ...after(since)], signal);
  return found.evidence.length > 0 ? found : orPlainLogs(found, root, signal);
}

/** The kernel's last words: the ends of crash records, as `listCrashRecords` names them, in the tree at `root`. */
export async function crashRecords(
  records: readonly string[],
  signal: AbortSignal,
  root = '',
): Promise<Findings> {
  const found: Findings[] = [];
  for (const record of records.slice(-maxCrashRecords)) {
    const path = record.replace(/ \d+ \d+$/, '');
    found.push(await file(`crash record ${path.slice(root.length)}`, path));
  }
  return gathered(found, signal);
}

function after(since: number | undefined): string[] {
  return since === undefined ? [] : [`--since=@${Math.floor(since / 1000)}`];
}

async function orPlainLogs(found: Findings, root: string, signal: AbortSignal): Promise<Findings> {
  const plain: Findings[] = [];
  for (const path of plainLogs) plain.push(await file(path, await resolveInRoot(root, path)));
  const told = plain.filter(({ evidence }) => evidence.length > 0);
  return gathered(told.length > 0 ? told : [found, ...plain], signal);
}

/** Without evidence a black box still tells most. */
export async function searched(search: () => Promise<Findings>): Promise<Findings> {
  try {
    return await search();
  } catch (error) {
    return notFound(error);
  }
}

export const nothing: Findings = { evidence: [], missing: [] };

export function notFound(error: unknown): Findings {
  return { evidence: [], missing: [error instanceof Error ? error.message : String(error)] };
}

async function file(source: string, path: string): Promise<Findings> {
  try {
    const text = await readTail(path, maxBytes);
    if (text === undefined || text.trim() === '')
      return { evidence: [], missing: [`${source}: there is none`] };
    return { evidence: [{ source, text }], missing: [] };
  } catch (error) {
    return missing(source, error);
  }
}

async function journal(what: string, args: readonly string[], signal: AbortSignal): Promise<Findings> {
  const source = `journal of the ${what}`;
  try {
    const options = ['--no-pager', '--quiet', '--output=short-iso', `--lines=${lines}`];
    const { exitCode, stdout, stderr } = await runCommand(
      { argv: ['journalctl', ...options, ...args], timeoutMs: toolTimeoutMs, maxOutputBytes: maxBytes },
      signal,
    );
    const cut = Buffer.byteLength(stdout) >= maxBytes;
    // Of a line without its beginning nobody can tell whether it holds a secret.
    const whole = cut ? stdout.slice(stdout.indexOf('\n') + 1) : stdout;
    const text = whole.replace(/^-- No entries --\n?/m, '');
    if (text.trim() !== '') return { evidence: [{ source, text }], missing: [] };
    const why = exitCode === 0 ? 'it has no entries' : (stderr.trim().split('\n')[0] ?? '');
    return { evidence: [], missing: [`${source}: ${why}`] };
  } catch (error) {
    if (error instanceof CommandError && error.code === 'aborted') signal.throwIfAborted();
    return missing(source, error);
  }
}

function missing(source: string, error: unknown): Findings {
  const why = error instanceof Error ? error.message : String(error);
  return { evidence: [], missing: [`${source}: ${why}`] };
}

function gathered(all: readonly Findings[], signal: AbortSignal): Findings {
  signal.throwIfAborted();
  return {
    evidence: all.flatMap(({ evidence }) => evidence),
    missing: all.flatMap((one) => one.missing),
  };
}
