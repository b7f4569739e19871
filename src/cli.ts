import { constants } from 'node:os';
import { isatty } from 'node:tty';
import type { CliIo } from '#cli/command.ts';
import { runCli } from '#cli/dispatch.ts';
import { StopRequest } from '#cli/stop-request.ts';

// The door for people and scripts: gives the process to the command line, and is the only part of it that ends it.

/** Ctrl-C, a termination or a closed terminal stop the command; the second time they end the process at once. */
function stopOnSignals(controller: AbortController): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const exitCode = 128 + constants.signals[name];
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(exitCode);
      controller.abort(new StopRequest(`stopped by ${name}`, exitCode));
    });
  }
}

/**
 * A reader that went away (`ota status --watch | head -1`) stops the command as SIGPIPE would. A terminal that was closed
 * says EIO.
 */
function stopWhenReaderLeaves(controller: AbortController): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
      controller.abort(
        new StopRequest('the reader of the output went away', 128 + constants.signals.SIGPIPE),
      );
    });
  }
}

/** Pipes take output in their own time; what is still on its way would be lost at the exit. */
async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.destroyed) return;
  await new Promise<void>((resolve) => {
    stream.write('', () => resolve());
  });
}

const controller = new AbortController();
stopOnSignals(controller);
stopWhenReaderLeaves(controller);

const io: CliIo = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: controller.signal,
  isTTY: isatty(1),
  // Asked each time: the user may resize the terminal while a command watches.
  get columns() {
    return process.stdout.columns || 80;
  },
  get rows() {
    return process.stdout.rows;
  },
};

const exitCode = await runCli(process.argv.slice(2), io);
await flushed(process.stdout);
await flushed(process.stderr);
process.exit(exitCode);
