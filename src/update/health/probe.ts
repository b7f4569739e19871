import type { DaemonOptions } from '#config/options.ts';
import type { ProbeFailure } from '#domain/trial-end.ts';
import { probeHttp } from '#net/http-probe.ts';
import { probeTcp } from '#net/tcp-probe.ts';
import { probeCommand, UnitProbe } from './command-probe.ts';

/** One entry of `health_checks`: what must pass before a newly booted release is kept. Exactly one kind is set. */
export type HealthCheck = DaemonOptions['healthChecks'][number];

/** Asks a gRPC health service; given to the engine, which knows no gRPC. */
export type GrpcProbe = (
  target: { readonly address: string; readonly service: string },
  timeoutMs: number,
  signal: AbortSignal,
) => Promise<ProbeFailure | undefined>;

/** Judges a condition over the vehicle's signals; given to the engine, which knows none. */
export type SignalProbe = (condition: {
  readonly when: string;
  /** Milliseconds. */
  readonly maxAgeMs: number;
}) => ProbeFailure | undefined;

/** Whom probes ask that the engine does not know itself. */
export interface Askable {
  readonly probeGrpc: GrpcProbe;
  readonly probeSignals: SignalProbe;
}

/** Where a check does not say how old values may be, in milliseconds. */
const usualMaxAgeMs = 10_000;

/** One question to the system; asked again and again. */
export interface Probe {
  readonly name: string;
  readonly kind: string;
  readonly target: string;
  /** Undefined when it passes. Ends within the probe's time. Errors: only the signal's reason. */
  readonly ask: (signal: AbortSignal) => Promise<ProbeFailure | undefined>;
}

/** What probes are told of the release that they judge. */
export interface ProbedRelease {
  readonly root: string;
  readonly version: string;
}

/** The probe that an entry of `health_checks` describes. */
export function makeProbe(
  check: HealthCheck,
  release: ProbedRelease,
  { probeGrpc, probeSignals }: Askable,
): Probe {
  const { name, timeoutMs, command, unit, tcp, http, grpc, service = '', signal: when } = check;
  if (when !== undefined) {
    const maxAgeMs = check.maxAgeMs ?? usualMaxAgeMs;
    return { name, kind: 'signal', target: when, ask: async () => probeSignals({ when, maxAgeMs }) };
  }
  if (command !== undefined) {
    const env = { OTA_SLOT_ROOT: release.root, OTA_VERSION: release.version };
    const ask = (signal: AbortSignal) => probeCommand(command, env, timeoutMs, signal);
    return { name, kind: 'command', target: command.join(' '), ask };
  }
  if (unit !== undefined) {
    const probe = new UnitProbe(unit, timeoutMs);
    return { name, kind: 'unit', target: unit, ask: (signal) => probe.ask(signal) };
  }
  if (tcp !== undefined) {
    return { name, kind: 'tcp', target: tcp, ask: (signal) => probeTcp(tcp, timeoutMs, signal) };
  }
  if (http !== undefined) {
    const url = new URL(http);
    return { name, kind: 'http', target: http, ask: (signal) => probeHttp(url, timeoutMs, signal) };
  }
  const target = { address: grpc ?? '', service };
  return {
    name,
    kind: 'grpc',
    target: service === '' ? target.address : `${service} at ${target.address}`,
    ask: (signal) => probeGrpc(target, timeoutMs, signal),
  };
}
