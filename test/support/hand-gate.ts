import type { Gate, GatePoint } from '#update/gate.ts';

/** A vehicle whose state is what the test says. */
export class HandGate implements Gate {
  readonly waitMs: Record<GatePoint, number> = { start: 0, activation: 60_000, reboot: 60_000 };
  holdsRollbacks = true;
  readonly #reasons = new Map<GatePoint, readonly string[]>();
  readonly #listeners = new Set<() => void>();

  /** From now on this speaks against going on there; nothing: it is open. */
  set(point: GatePoint, ...reasons: readonly string[]): void {
    this.#reasons.set(point, reasons);
    for (const listener of this.#listeners) listener();
  }

  unfulfilled(point: GatePoint): readonly string[] {
    return this.#reasons.get(point) ?? [];
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when a step waits, beside the actor that always listens. */
  async isWaitedAt(): Promise<void> {
    while (this.#listeners.size < 2) await new Promise((resolve) => setImmediate(resolve));
  }

  get listeners(): number {
    return this.#listeners.size;
  }
}
