import { isIP } from 'node:net';
import type { VehicleInspection } from '#api/inspection/vehicle-inspection.ts';
import type { DaemonOptions } from '#config/options.ts';
import type { DiagnosticsStatus } from '#diagnostics/diagnostics-status.ts';
import type { SignalStore } from '#diagnostics/signals/signal-store.ts';
import type { OtaFailure } from '#domain/failure.ts';
import type { Log } from '#domain/log.ts';
import type { Vehicle } from '#ecu/ecu.ts';
import type { EventJournal } from '#ecu/events/event-journal.ts';
import { RequestRate } from '#ecu/request-rate.ts';
import type { StatusStore } from '#ecu/status-store.ts';
import { Access } from './access.ts';
import { actionMethods } from './action-methods.ts';
import { consoleApp, type PageHandler } from './console-app.ts';
import { eventMethods } from './event-methods.ts';
import type { ConsoleHandler } from './exchange.ts';
import { inspectionMethods } from './inspection-methods.ts';
import { plainRoutes } from './plain-routes.ts';
import { RequestCounts } from './request-counts.ts';
import { RpcRoutes } from './rpc-routes.ts';
import { signalMethods } from './signal-methods.ts';
import { TokenBook } from './token-book.ts';
import { VehicleFeed } from './vehicle-feed.ts';
import { vehicleMethods } from './vehicle-methods.ts';
import { WatchGate } from './watch-gate.ts';

export interface ConsoleParts {
  readonly options: DaemonOptions['console'];
  readonly store: StatusStore;
  /** What takes requests. */
  readonly vehicle: Vehicle;
  readonly inspection: VehicleInspection;
  /** Why this ECU takes no requests at all. */
  readonly refusal: OtaFailure | undefined;
  readonly journal: EventJournal;
  readonly signals: SignalStore;
  /** Undefined when diagnostics are off. */
  readonly diagnostics: () => DiagnosticsStatus | undefined;
  /** Name of the vehicle. */
  readonly vehicleId: string;
  /** The token of this machine; undefined when it could not be written. */
  readonly localToken: string | undefined;
  readonly log: Log;
  /** Ends streams. */
  readonly ending: AbortSignal;
  /** The dashboard. */
  readonly page?: PageHandler;
}

/** Who is turned away more often is not written down each time. */
const deniedPerSecond = 1;

/** Everything that answers people; `stack` lets go of it. */
export function assembleConsole(parts: ConsoleParts, stack: DisposableStack): ConsoleHandler {
  const { options, store, vehicle, journal, vehicleId, localToken, log, ending, page } = parts;
  const { signals, diagnostics, inspection, refusal } = parts;
  const { heartbeatMs } = options;
  const denied = new RequestRate(deniedPerSecond);
  const deny = (caller: string, text: string, details: Readonly<Record<string, string>>): void => {
    log.warn({ caller, ...details }, text);
    if (denied.take('')) journal.note({ kind: 'denied', caller, text, details });
  };
  const feed = stack.use(new VehicleFeed({ store, vehicleId }));
  const gate = new WatchGate(options.watchers, options.watchersPerCaller);
  const rate = new RequestRate(options.requestsPerSecond);
  const requests = new RequestCounts();
  const access = new Access({
    book: new TokenBook({ file: options.tokensFile, localToken, log }),
    roles: options,
    onRefused: (address, why) => deny(address, `was turned away from the console: ${why}`, { why }),
  });
  const rpc = new RpcRoutes({
    service: {
      ...vehicleMethods({ feed, gate, heartbeatMs }),
      ...actionMethods(vehicle),
      ...inspectionMethods({ inspection, refusal, ownId: store.ownId }),
      ...eventMethods({ journal, gate, heartbeatMs }),
      ...signalMethods({ signals, diagnostics, gate, heartbeatMs }),
    },
    rate,
    maxRequestBytes: options.requestBytes,
    log,
    ending,
    onForbidden: ({ name, role }, method) => deny(`${role}:${name}`, `may not ${method}`, { method, role }),
    onEnd: (method, result) => requests.add(method, result),
  });
  return consoleApp({
    access,
    rules: { origins: options.origins, hosts: options.hosts, listensOnLoopback: isLoopback(options.host) },
    rpc,
    plain: plainRoutes({
      store,
      access,
      rate,
      vehicle: () => feed.vehicle(),
      diagnostics,
      requests,
      watchers: () => gate.watchers,
    }),
    page,
    log,
  });
}

function isLoopback(host: string): boolean {
  return host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
