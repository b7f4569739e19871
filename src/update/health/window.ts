import { setTimeout as pause } from 'node:timers/promises';
import type { DaemonOptions } from '#config/options.ts';
import type { Probe } from './probe.ts';
import { probeFailed } from './trial-failure.ts';

export interface HealthWindow {
  readonly probes: readonly Probe[];
  readonly options: Pick<DaemonOptions['health'], 'holdMs' | 'intervalMs' | 'startTimeoutMs'>;
  /** Called once, when all probes have passed for the first time; only when they have to hold. */
  readonly onPassed: () => Promise<void>;
  /** What goes on, for people. */
  readonly tell: (line: string) => void;
}

/** While services come up they are asked more often, so that a good release is not kept waiting. */
const startIntervalMs = 1000;

/**
 * Resolves when all probes passed, and kept passing for the time that they have to. Until the start timeout is over a
 * failing probe is asked again. Errors: TrialFailure of the probe that failed for good; the signal's reason.
 */
export async function watchHealth(window: HealthWindow, signal: AbortSignal): Promise<void> {
  const { probes, options, onPassed, tell } = window;
  await passOnce(window, signal);
  if (options.holdMs === 0) return;
  const passedAt = performance.now();
  await onPassed();
  tell(`all ${probes.length} health checks passed; they must hold for ${seconds(options.holdMs)}`);
  for (;;) {
    const left = passedAt + options.holdMs - performance.now();
    if (left <= 0) return;
    await pause(Math.min(options.intervalMs, left), undefined, { signal });
    const failed = await firstFailing(probes, signal);
    if (failed !== undefined) {
      throw probeFailed(failed, `; it had passed for ${seconds(performance.now() - passedAt)}`);
    }
  }
}

/** Rounds until one passes whole. */
async function passOnce({ probes, options, tell }: HealthWindow, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + options.startTimeoutMs;
  for (;;) {
    const failed = await firstFailing(probes, signal);
    if (failed === undefined) return;
    const left = deadline - performance.now();
    if (left <= 0) throw probeFailed(failed);
    tell(`check ${failed.name} ${failed.how}; it may for another ${seconds(left)}`);
    await pause(Math.min(startIntervalMs, options.intervalMs, left), undefined, { signal });
  }
}

/** Asks them in order; the first that fails ends the round. */
async function firstFailing(probes: readonly Probe[], signal: AbortSignal) {
  for (const { name, kind, target, ask } of probes) {
    signal.throwIfAborted();
    const failure = await ask(signal);
    if (failure !== undefined) return { name, kind, target, ...failure };
  }
  return undefined;
}

function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}
