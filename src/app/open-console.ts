import { fileURLToPath } from 'node:url';
import { startConsoleServer } from '#api/console/console-server.ts';
import { ConsoleServerError } from '#api/console/console-server-error.ts';
import { writeLocalToken } from '#api/console/local-token.ts';
import type { VehicleInspection } from '#api/inspection/vehicle-inspection.ts';
import type { LoadedConfig } from '#config/load.ts';

import { pageRoute } from '#dashboard/page-route.ts';

import type { DiagnosticsPipeline } from '#diagnostics/pipeline.ts';
import type { SignalStore } from '#diagnostics/signals/signal-store.ts';

import type { Log } from '#domain/log.ts';
import type { Vehicle } from '#ecu/ecu.ts';
import type { EventJournal } from '#ecu/events/event-journal.ts';
import type { StatusStore } from '#ecu/status-store.ts';

/** What `npm run dashboard` builds; a package has it in the same place. */
const pageDirectory = fileURLToPath(new URL('../../dist/dashboard', import.meta.url));

import { configurationFailure } from './open-local-ecu.ts';

export interface ConsoleWiring {
  readonly config: LoadedConfig;
  readonly store: StatusStore;
  readonly vehicle: Vehicle;
  readonly inspection: () => Promise<VehicleInspection>;
  readonly journal: EventJournal;
  readonly signals: SignalStore;
  readonly diagnostics: DiagnosticsPipeline | undefined;
  readonly log: Log;
}

/** Serves people, and puts that on `stack`. A console that cannot be served costs the console, never an update. */
export async function openConsole(stack: AsyncDisposableStack, wiring: ConsoleWiring): Promise<void> {
  const { config, store, vehicle, inspection, journal, signals, log } = wiring;
  const { ecuInfo, options } = config;
  if (!options.console.enabled) return;
  const localToken = await localTokenIn(options.state.directory, log);
  const ending = new AbortController();
  const parts = new DisposableStack();
  stack.defer(() => parts[Symbol.dispose]());
  try {
    const server = stack.use(
      await startConsoleServer({
        options: options.console,
        log,
        load: async () => {
          const { assembleConsole } = await import('#api/console/assemble.ts');
          const vehicleId = options.diagnostics.vehicleId ?? ecuInfo.ecuId;
          return assembleConsole(
            {
              options: options.console,
              store,
              vehicle,
              inspection: await inspection(),
              refusal:
                config.problem === undefined ? undefined : configurationFailure(config.problem.message),
              journal,
              signals,
              diagnostics: () => wiring.diagnostics?.status(),
              vehicleId,
              localToken,
              log,
              ending: ending.signal,
              page: pageRoute(pageDirectory),
            },
            parts,
          );
        },
      }),
    );
    stack.defer(() => ending.abort());
    const { host } = options.console;
    log.info({ host, port: server.port, tls: server.secure }, 'the console is served');
  } catch (error) {
    const why = error instanceof ConsoleServerError ? `: ${error.message}` : '';
    log.error({ err: error }, `the console is off${why}`);
  }
}

async function localTokenIn(stateDirectory: string, log: Log): Promise<string | undefined> {
  try {
    return await writeLocalToken(stateDirectory);
  } catch (error) {
    log.error({ err: error }, 'the token of the console for this machine could not be written');
    return undefined;
  }
}
