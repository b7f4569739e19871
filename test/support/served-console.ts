import type { TestContext } from 'node:test';
import type { Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { assembleConsole, type ConsoleParts } from '#api/console/assemble.ts';
import { startConsoleServer } from '#api/console/console-server.ts';
import { VehicleInspection } from '#api/inspection/vehicle-inspection.ts';
import { parseOptions } from '#config/options.ts';
import { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { keepChronicle } from '#ecu/events/chronicle.ts';
import { EventJournal } from '#ecu/events/event-journal.ts';
import { JournaledVehicle } from '#ecu/events/journaled-vehicle.ts';
import { Orchestrator } from '#ecu/orchestrator.ts';
import { StatusStore, type StatusStoreOptions } from '#ecu/status-store.ts';
import { MemoryEcu } from './memory-ecu.ts';
import { MemoryLog } from './memory-log.ts';
import { endBeforeRemoval, scratchDirectory } from './scratch-directory.ts';

export interface ServedConsoleOptions {
  /** Beside the defaults. */
  readonly options?: Partial<ConsoleParts['options']>;
  readonly store?: Partial<StatusStoreOptions>;
  readonly parts?: Partial<ConsoleParts>;
}

/** The token that lets in an operator. */
const operatorToken = 'a-token-of-an-operator-for-tests';

/** A console on a free port of loopback, over a real store of statuses. */
export async function servedConsole(t: TestContext, setting: ServedConsoleOptions = {}) {
  const log = new MemoryLog();
  const local = new MemoryEcu('main');
  const store = new StatusStore({
    ownId: 'main',
    childIds: ['child'],
    availableEcuIds: ['main', 'child'],
    log,
    ...setting.store,
  });
  const options = { ...parseOptions(undefined, '', {}).options.console, port: 0, ...setting.options };
  const journal =
    setting.parts?.journal ??
    (await EventJournal.open({ directory: await scratchDirectory(t), maxBytes: 1_000_000, log }));
  const orchestrator = new Orchestrator({ local, children: [], store, log, childRequestTimeoutMs: 8000 });
  const vehicle = new JournaledVehicle(orchestrator, journal);
  const signals = new SignalStore();
  const plan = () =>
    Promise.resolve({ plan: undefined, durationMs: undefined, refusals: [], unknownReason: 'no slots' });
  const own = { plan, blackBoxes: () => Promise.resolve([]) };
  const inspection = new VehicleInspection({ own, children: [], store });
  const ending = new AbortController();
  const stack = new DisposableStack();
  stack.defer(store.follow(local));
  stack.defer(keepChronicle(store, journal));
  const server = await startConsoleServer({
    options,
    log,
    load: () =>
      Promise.resolve(
        assembleConsole(
          {
            options,
            store,
            vehicle,
            inspection,
            refusal: undefined,
            journal,
            signals,
            diagnostics: () => undefined,
            vehicleId: 'car',
            localToken: operatorToken,
            log,
            ending: ending.signal,
            ...setting.parts,
          },
          stack,
        ),
      ),
  });
  endBeforeRemoval(t, async () => {
    ending.abort();
    await server[Symbol.asyncDispose]();
    stack[Symbol.dispose]();
    await journal[Symbol.asyncDispose]();
  });
  const url = `${server.secure ? 'https' : 'http'}://127.0.0.1:${server.port}`;
  return { server, store, local, log, journal, signals, vehicle, url };
}

/** Sends a token with every call. */
export function withToken(token: string) {
  return { headers: { authorization: `Bearer ${token}` } };
}

export const asOperator = withToken(operatorToken);

export const transports: Readonly<Record<string, (baseUrl: string) => Transport>> = {
  'Connect over HTTP/1.1': (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1' }),
  'Connect over HTTP/2': (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '2' }),
  'gRPC-Web over HTTP/1.1': (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }),
  'gRPC-Web over HTTP/2': (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '2' }),
  gRPC: (baseUrl) => createGrpcTransport({ baseUrl }),
};
