import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { isatty } from 'node:tty';
import { parseArgs } from 'node:util';
import type { CliIo } from '#cli/command.ts';
import { DemoError } from './demo/demo-error.ts';
import { type DemoOptions, tellStory } from './demo/story.ts';

// `npm start`, or `npm start -- --once`: a vehicle of four ECUs on this machine drives, is updated when it is parked, verified
// and rolled back, and its diagnostics arrive at a receiver.

const usage = `Usage: npm start [-- options]

Starts a vehicle of four daemons on loopback addresses, with a broker of its signals and a receiver of its diagnostics.
It drives a recorded trip and refuses an update meanwhile; parked, it is updated from release 1.0 to 2.0 with one request.
Every slot is compared with the release, one ECU is rolled back, and what was recorded is decoded at the receiver.
Needs no root. Then the vehicle keeps running.

Options:
  --once        End by itself: exit code 0 when everything is as it should be
  --port PORT   Where the daemons listen (default 50051; the next free one when it is taken)
  --dir DIR     Where releases and slots are put (default .vehicle; about 2 GB)
  --small       Hundreds of files instead of thousands
  --keep        With --once: leave slots and logs for a look at them
  -h, --help    Show this help

Exit codes: 0 done, 1 something is not as it should be, 2 called wrongly, 130 stopped by Ctrl-C.
`;

const project = join(import.meta.dirname, '..');
const controller = new AbortController();

/** The exit code, once a signal has come. */
let stopped: number | undefined;

function stop(exitCode: number): void {
  // Daemons end with their supervisor, however that one ends.
  if (stopped !== undefined) process.exit(exitCode);
  stopped = exitCode;
  controller.abort(new Error('stopped'));
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => stop(128 + constants.signals[name]));
}
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    stop(128 + constants.signals.SIGPIPE);
  });
}

const io: CliIo = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: controller.signal,
  isTTY: isatty(1),
  get columns() {
    return process.stdout.columns || 80;
  },
  get rows() {
    return process.stdout.rows;
  },
};

process.exit(await main());

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'number') return options;
  try {
    await tellStory(options, io);
    return 0;
  } catch (error) {
    if (stopped !== undefined) return stopped;
    const told = error instanceof DemoError ? error.message : error instanceof Error ? error.stack : error;
    process.stderr.write(`\ndemo: ${String(told)}\n`);
    return 1;
  }
}

/** The options, or the exit code when there is nothing to do. */
function readOptions(): DemoOptions | number {
  try {
    const { values } = parseArgs({
      options: {
        once: { type: 'boolean', default: false },
        port: { type: 'string', default: '50051' },
        dir: { type: 'string', default: join(project, '.vehicle') },
        small: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(usage);
      return 0;
    }
    const port = Number(values.port);
    if (!/^\d+$/.test(values.port) || port < 1 || port > 65_535) {
      throw new TypeError(`--port "${values.port}" is not a number from 1 to 65535`);
    }
    const { once, small, keep } = values;
    return { project, directory: resolve(values.dir), port, once, small, keep };
  } catch (error) {
    process.stderr.write(`demo: ${(error as Error).message}\n\n${usage}`);
    return 2;
  }
}
