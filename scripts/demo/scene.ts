import type { CliIo } from '#cli/command.ts';
import type { DemoConsole } from './console.ts';
import type { DemoEcu } from './fleet.ts';
import type { ImageServer } from './image-server.ts';
import type { Releases } from './releases.ts';
import type { Supervisor } from './supervisor.ts';
import type { Surroundings } from './surroundings.ts';
import type { Words } from './words.ts';

/** Everything that a chapter of the demo plays with. */
export interface Scene {
  /** Of this run: has a directory for each ECU. */
  readonly directory: string;
  readonly ecus: readonly DemoEcu[];
  readonly releases: Releases;
  readonly server: ImageServer;
  readonly supervisor: Supervisor;
  readonly surroundings: Surroundings;
  /** Of the main ECU. */
  readonly console: DemoConsole;
  readonly words: Words;
  /** Its signal also fires when a daemon cannot be kept running. */
  readonly io: CliIo;
}

export function mainOf(ecus: readonly DemoEcu[]): DemoEcu {
  const main = ecus.find(({ depth }) => depth === 0);
  if (main === undefined) throw new Error('the vehicle has no main ECU');
  return main;
}
