import type { TestContext } from 'node:test';
import { type GrpcServerOptions, startGrpcServer } from '#api/grpc-server.ts';
import { RemoteEcu } from '#api/remote-ecu.ts';
import type { EcuAddress } from '#domain/ecu.ts';
import { Orchestrator, type OrchestratorOptions } from '#ecu/orchestrator.ts';
import { pollChildren } from '#ecu/status-poller.ts';
import { StatusStore, type StatusStoreOptions } from '#ecu/status-store.ts';
import { MemoryEcu } from './memory-ecu.ts';
import { MemoryLog } from './memory-log.ts';

export interface LoopbackEcuOptions {
  readonly port?: number;
  readonly children?: readonly EcuAddress[];
  readonly availableEcuIds?: readonly string[];
  readonly local?: MemoryEcu;
  readonly server?: Partial<GrpcServerOptions>;
  readonly store?: Partial<StatusStoreOptions>;
  readonly orchestrator?: Partial<OrchestratorOptions>;
  readonly activeMs?: number;
  readonly idleMs?: number;
  readonly statusBudgetMs?: number;
}

/** One ECU with its real API on loopback, and everything between the API and a local ECU in memory. */
export interface LoopbackEcu extends EcuAddress {
  readonly local: MemoryEcu;
  readonly store: StatusStore;
  readonly log: MemoryLog;
  readonly vehicle: Orchestrator;
  stop(): Promise<void>;
}

export async function loopbackEcu(
  t: TestContext,
  ecuId: string,
  options: LoopbackEcuOptions = {},
): Promise<LoopbackEcu> {
  const { children: addresses = [], local = new MemoryEcu(ecuId) } = options;
  const log = new MemoryLog();
  const ended = new AbortController();
  const children = addresses.map((address) => new RemoteEcu(address, { siblings: addresses.length }));
  const store = new StatusStore({
    ownId: ecuId,
    childIds: addresses.map((address) => address.ecuId),
    availableEcuIds: options.availableEcuIds ?? [ecuId],
    log,
    ...options.store,
  });
  const unfollow = store.follow(local);
  const vehicle = new Orchestrator({
    local,
    children,
    store,
    log,
    childRequestTimeoutMs: 8000,
    ...options.orchestrator,
  });
  const polling = pollChildren(
    {
      children,
      store,
      log,
      activeMs: options.activeMs ?? 50,
      idleMs: options.idleMs ?? 200,
      budgetMs: options.statusBudgetMs ?? 2000,
    },
    ended.signal,
  );
  const server = await startGrpcServer(vehicle, {
    host: '127.0.0.1',
    port: options.port ?? 0,
    ownId: ecuId,
    log,
    stopLimitMs: 200,
    ...options.server,
  });
  const stop = async () => {
    ended.abort();
    unfollow();
    for (const child of children) child[Symbol.dispose]();
    await Promise.all([polling, server[Symbol.asyncDispose]()]);
  };
  t.after(stop);
  return { ecuId, host: '127.0.0.1', port: server.port, local, store, log, vehicle, stop };
}

/** Resolves when `test` holds after a change of what the ECU knows; rejects after `limitMs`. */
export async function whenKnown(
  ecu: Pick<LoopbackEcu, 'store'>,
  test: () => boolean,
  limitMs = 5000,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`not known after ${limitMs} ms`)), limitMs);
  const look = () => {
    if (test()) resolve();
  };
  const stop = ecu.store.subscribe(look);
  look();
  try {
    await promise;
  } finally {
    stop();
    clearTimeout(timer);
  }
}
