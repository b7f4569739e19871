import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Program } from './program.ts';

/** Played at this speed, the trip is driven in a quarter of a minute, and the vehicle is parked after it. */
const tripSpeed = 5;

/** What a vehicle has around its ECUs: a broker of its signals, and somebody who receives its diagnostics. */
export interface Surroundings extends AsyncDisposable {
  /** `host:port` of the broker. */
  readonly broker: string;
  readonly receiver: URL;
  /** Where the receiver keeps what it got. */
  readonly received: string;
  readonly programs: readonly Program[];
  /** The sample vehicle drives its recorded trip; its sensors go on telling when it is parked. */
  drive(): Program;
}

export async function openSurroundings(
  project: string,
  directory: string,
  signal: AbortSignal,
): Promise<Surroundings> {
  await using stack = new AsyncDisposableStack();
  const compileCache = join(project, '.cache/compiled');
  const scripts = join(project, 'scripts');
  const start = (name: string, script: string, args: readonly string[]): Program => {
    const logFile = join(directory, `${name}.log`);
    return stack.use(new Program(name, join(scripts, script), args, { logFile, compileCache }));
  };
  const received = join(directory, 'received');
  await mkdir(received, { recursive: true });
  const broker = start('broker', 'vss-broker/main.ts', ['--port', '0']);
  const receiver = start('receiver', 'diagnostics-receiver/main.ts', [
    '--port',
    '0',
    '--directory',
    received,
  ]);
  const [, address = ''] = await broker.says(/"listening":"([^"]+)"/, signal);
  const [, url = ''] = await receiver.says(/^receiving at (\S+) /, signal);
  const rest = stack.move();
  return {
    broker: address,
    receiver: new URL(url),
    received,
    programs: [broker, receiver],
    drive: () => {
      const args = ['--address', address, '--speed', String(tripSpeed), '--after', 'hold'];
      const logFile = join(directory, 'trip.log');
      return rest.use(
        new Program('trip', join(scripts, 'vss-broker/play.ts'), args, { logFile, compileCache }),
      );
    },
    [Symbol.asyncDispose]: async () => rest.disposeAsync(),
  };
}
