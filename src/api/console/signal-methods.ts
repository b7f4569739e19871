import { setTimeout as delay } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import type { DiagnosticsStatus } from '#diagnostics/diagnostics-status.ts';
import type { SignalStore } from '#diagnostics/signals/signal-store.ts';
import type { SignalValue } from '#diagnostics/signals/signal-value.ts';
import {
  type ConsoleService,
  GetDiagnosticsResponseSchema,
  type ListSignalsRequest,
  type ListSignalsResponse,
  ListSignalsResponseSchema,
  type WatchSignalsRequest,
  type WatchSignalsResponse,
  WatchSignalsResponseSchema,
} from '#gen/ota/console/v1/console_pb.ts';
import { invalid } from './checked-fields.ts';
import { enterWatch, type WatchGate } from './watch-gate.ts';
import { diagnosticsToWire } from './wire-diagnostics.ts';
import { signalToWire } from './wire-signal.ts';

export interface SignalMethodParts {
  readonly signals: SignalStore;
  /** Undefined when diagnostics are switched off, or cannot work. */
  readonly diagnostics: () => DiagnosticsStatus | undefined;
  readonly gate: WatchGate;
  readonly heartbeatMs: number;
}

const defaultPage = 1000;
const maxPage = 5000;
const maxTextLength = 256;
const maxWatched = 500;
const defaultIntervalMs = 200;
const leastIntervalMs = 50;
const mostIntervalMs = 3_600_000;

type Served = 'listSignals' | 'watchSignals' | 'getDiagnostics';

/** Values of signals, and how diagnostics fare. */
export function signalMethods(parts: SignalMethodParts): Pick<ServiceImpl<typeof ConsoleService>, Served> {
  return {
    listSignals: (request) => listSignals(parts, request),
    watchSignals: (request, context) => watchSignals(parts, request, context),
    getDiagnostics: () => {
      return create(GetDiagnosticsResponseSchema, { diagnostics: diagnosticsToWire(parts.diagnostics()) });
    },
  };
}

function listSignals(parts: SignalMethodParts, request: ListSignalsRequest): ListSignalsResponse {
  const { signals } = parts;
  const { query, pageSize, pageToken } = request;
  checkOn(parts);
  if (query.length > maxTextLength) throw invalid('query', `is longer than ${maxTextLength} characters`);
  if (pageToken.length > 1024) throw invalid('page_token', 'is not from an answer of this console');
  const text = query.toLowerCase();
  const limit = pageSize === 0 ? defaultPage : Math.min(pageSize, maxPage);
  // The token is the last path that was told: what comes and goes meanwhile shifts nothing.
  const paths = signals
    .paths()
    .filter((path) => path > pageToken && path.toLowerCase().includes(text))
    .sort();
  const page = paths.slice(0, limit);
  return create(ListSignalsResponseSchema, {
    signals: page.flatMap((path) => signalToWire(signals, path) ?? []),
    nextPageToken: paths.length > limit ? (page.at(-1) ?? '') : '',
  });
}

/** Looks once per interval, so that a signal that changes all the time costs no more than one that does not. */
async function* watchSignals(
  parts: SignalMethodParts,
  request: WatchSignalsRequest,
  context: HandlerContext,
): AsyncGenerator<WatchSignalsResponse> {
  const { signals, gate, heartbeatMs } = parts;
  const { paths, intervalMs } = checkedWatch(request);
  checkOn(parts);
  using _pass = enterWatch(gate, context);
  const told = new Map<string, SignalValue>();
  let spokeAt = Number.NEGATIVE_INFINITY;
  while (!context.signal.aborted) {
    const changed = paths.filter((path) => signals.latest(path) !== told.get(path));
    for (const path of changed) {
      const value = signals.latest(path);
      if (value !== undefined) told.set(path, value);
    }
    const now = performance.now();
    if (changed.length > 0 || now - spokeAt >= heartbeatMs) {
      spokeAt = now;
      yield create(WatchSignalsResponseSchema, {
        signals: changed.flatMap((path) => signalToWire(signals, path) ?? []),
      });
    }
    await delay(intervalMs, undefined, { signal: context.signal }).catch(() => {});
  }
}

function checkedWatch(request: WatchSignalsRequest): {
  readonly paths: readonly string[];
  readonly intervalMs: number;
} {
  const { paths } = request;
  if (paths.length === 0) throw invalid('paths', 'is empty: name at least one signal');
  if (paths.length > maxWatched) throw invalid('paths', `names more than ${maxWatched} signals`);
  const long = paths.findIndex((path) => path === '' || path.length > maxTextLength);
  if (long !== -1) throw invalid(`paths[${long}]`, 'cannot be the path of a signal');
  const intervalMs = request.intervalMs === 0 ? defaultIntervalMs : request.intervalMs;
  if (intervalMs < leastIntervalMs || intervalMs > mostIntervalMs) {
    throw invalid('interval_ms', `is not from ${leastIntervalMs} to ${mostIntervalMs}`);
  }
  return { paths: [...new Set(paths)], intervalMs };
}

function checkOn({ diagnostics }: SignalMethodParts): void {
  if (diagnostics() !== undefined) return;
  const text = 'diagnostics are off: see the option diagnostics.enabled, and the log';
  throw new ConnectError(text, Code.FailedPrecondition);
}
