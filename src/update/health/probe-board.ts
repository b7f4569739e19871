import type { HealthProbeState } from '#domain/status.ts';
import type { Probe } from './probe.ts';

/** Longer than this nobody reads in a status. */
const maxOutput = 512;

/** What the probes of a first boot said last, for those who look on. */
export class ProbeBoard {
  readonly #listeners = new Set<() => void>();
  #states: readonly HealthProbeState[] = [];

  /** In their order; empty when nothing is being judged. */
  get states(): readonly HealthProbeState[] {
    return this.#states;
  }

  /** Calls `listener` after every change; returns how to stop that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The same probes, whose answers are written down. */
  watched(probes: readonly Probe[]): readonly Probe[] {
    this.#show(probes.map(({ name, kind }) => ({ name, kind, passes: false, output: 'not asked yet' })));
    return probes.map((probe, at) => ({
      ...probe,
      ask: async (signal) => {
        const failure = await probe.ask(signal);
        const said = [failure?.how, failure?.output].filter((text) => text !== undefined && text !== '');
        const output = said.join(': ').slice(0, maxOutput).toWellFormed();
        this.#put(at, { name: probe.name, kind: probe.kind, passes: failure === undefined, output });
        return failure;
      },
    }));
  }

  /** It is decided. */
  clear(): void {
    this.#show([]);
  }

  #put(at: number, state: HealthProbeState): void {
    const before = this.#states[at];
    if (before?.passes === state.passes && before.output === state.output) return;
    this.#show(this.#states.with(at, state));
  }

  #show(states: readonly HealthProbeState[]): void {
    this.#states = states;
    for (const listener of this.#listeners) listener();
  }
}
