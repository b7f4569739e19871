import { isIP } from 'node:net';
import type { DaemonOptions } from '#config/options.ts';
import type { Log } from '#domain/log.ts';
import type { StatusStore } from '#ecu/status-store.ts';
import { Access } from './access.ts';
import { consoleApp, type PageHandler } from './console-app.ts';
import { vehicleMethods } from './console-service.ts';
import type { ConsoleHandler } from './exchange.ts';
import { RequestRate } from './request-rate.ts';
import { RpcRoutes } from './rpc-routes.ts';
import { TokenBook } from './token-book.ts';
import { VehicleFeed } from './vehicle-feed.ts';
import { WatchGate } from './watch-gate.ts';

export interface ConsoleParts {
  readonly options: DaemonOptions['console'];
  readonly store: StatusStore;
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

/** Everything that answers people; `stack` lets go of it. */
export function assembleConsole(parts: ConsoleParts, stack: DisposableStack): ConsoleHandler {
  const { options, store, vehicleId, localToken, log, ending, page } = parts;
  const feed = stack.use(new VehicleFeed({ store, vehicleId }));
  const gate = new WatchGate(options.watchers, options.watchersPerCaller);
  const access = new Access({
    book: new TokenBook({ file: options.tokensFile, localToken, log }),
    roles: options,
    onRefused: (address, why) => log.warn({ address, why }, 'turned away from the console'),
  });
  const rpc = new RpcRoutes({
    service: vehicleMethods({ feed, gate, heartbeatMs: options.heartbeatMs }),
    rate: new RequestRate(options.requestsPerSecond),
    maxRequestBytes: options.requestBytes,
    log,
    ending,
    onForbidden: ({ name, role }, method) => log.warn({ name, role, method }, 'the role does not allow it'),
    onEnd: () => {},
  });
  return consoleApp({
    access,
    rules: { origins: options.origins, hosts: options.hosts, listensOnLoopback: isLoopback(options.host) },
    rpc,
    plain: new Map(),
    page,
    log,
  });
}

function isLoopback(host: string): boolean {
  return host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
