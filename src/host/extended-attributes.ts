import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** What `getfattr` told about a tree. */
export interface ExtendedAttributes {
  /** Names of the attributes by absolute path, as raw bytes in latin1. Files without attributes are not in it. */
  readonly byPath: ReadonlyMap<string, readonly string[]>;
  /** Why the answer may be incomplete, in the tool's words; undefined when it is complete. */
  readonly incomplete: string | undefined;
}

/** `getfattr` writes bytes that are not plain as `\ooo` (attr's quote function). */
function unquote(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

/**
 * Lists the extended attributes, ACLs and file capabilities below `root`, symlinks not followed. Node has no call for
 * them, so the tool `getfattr` (Debian package attr) is asked; undefined when this machine does not have it.
 */
export async function listExtendedAttributes(
  root: string,
  signal: AbortSignal,
): Promise<ExtendedAttributes | undefined> {
  const args = ['-R', '-P', '-h', '-m', '-', '--absolute-names', '--', root];
  const child = spawn('getfattr', args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    env: { ...process.env, LC_ALL: 'C' },
  });
  let complaint = '';
  child.stderr.setEncoding('latin1').on('data', (text: string) => {
    if (complaint.length < 1000) complaint += text;
  });
  const closed = once(child, 'close');
  try {
    // Together: a program that cannot be started fails the second while the first still waits.
    const [byPath, [code]] = await Promise.all([readDump(child.stdout), closed as Promise<[number | null]>]);
    const incomplete =
      code === 0 ? undefined : (complaint.split('\n')[0] ?? '') || `getfattr ended with ${code}`;
    return { byPath, incomplete };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Blocks of `# file: path`, one attribute a line, and an empty line. */
async function readDump(output: AsyncIterable<Buffer>): Promise<Map<string, string[]>> {
  const byPath = new Map<string, string[]>();
  let names: string[] = [];
  let rest = '';
  const takeLine = (line: string): void => {
    if (line.startsWith('# file: ')) {
      names = [];
      byPath.set(unquote(line.slice(8)), names);
    } else if (line !== '') {
      names.push(unquote(line));
    }
  };
  for await (const chunk of output) {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(takeLine);
  }
  takeLine(rest);
  return byPath;
}
