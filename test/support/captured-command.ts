import { PassThrough, Readable, Writable } from 'node:stream';
import { type CliIo, type Command, runCommand } from '#cli/command.ts';

export interface CommandRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in this process, with streams of its own. */
export async function captured(
  command: Command,
  args: readonly string[],
  options: Partial<Pick<CliIo, 'signal' | 'isTTY'>> & { readonly stdin?: Iterable<Buffer> } = {},
): Promise<CommandRun> {
  const output = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr'): Writable =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        output[name] += chunk.toString();
        done();
      },
    });
  const code = await runCommand(command, args, {
    stdin: options.stdin === undefined ? new PassThrough().end() : Readable.from(options.stdin),
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env: {},
    signal: options.signal ?? new AbortController().signal,
    isTTY: options.isTTY ?? false,
    columns: 80,
  });
  return { code, ...output };
}
