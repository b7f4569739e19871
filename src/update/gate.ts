import { OtaFailure } from '#domain/failure.ts';

/** Where a job asks whether the vehicle is in a state for it. The last two are the last moments that can be taken back. */
export const gatePoints = ['start', 'activation', 'reboot'] as const;
export type GatePoint = (typeof gatePoints)[number];

/** Whether the vehicle is in a state for going on. The engine knows no signals: it is given this. */
export interface Gate {
  /** What is not fulfilled now, one line for people each; empty: go on. Cheap: it is asked again and again. */
  unfulfilled(point: GatePoint): readonly string[];
  /** How long a job waits there, in milliseconds; 0: not at all. */
  readonly waitMs: Readonly<Record<GatePoint, number>>;
  /** Whether a rollback has to pass `start` and `reboot`. */
  readonly holdsRollbacks: boolean;
  /** Calls `listener` when what is unfulfilled may have changed; returns how to stop that. */
  subscribe(listener: () => void): () => void;
}

/** Always open: for an ECU whose updates depend on nothing. */
export const openGate: Gate = {
  unfulfilled: () => [],
  waitMs: { start: 0, activation: 0, reboot: 0 },
  holdsRollbacks: false,
  subscribe: () => () => {},
};

const acts: Readonly<Record<GatePoint, string>> = {
  start: 'nothing was begun',
  activation: 'the boot choice was not switched',
  reboot: 'no reboot was made',
};

/** Conditions speak against going on; undefined when none do. `after` says how long they were waited for. */
export function refusalAt(gate: Gate, point: GatePoint, after = ''): OtaFailure | undefined {
  const reasons = gate.unfulfilled(point);
  if (reasons.length === 0) return undefined;
  return new OtaFailure('vehicle_state', `${reasons.join('; ')}${after}; ${acts[point]}`);
}

/** Whether an error is the gate's word. */
export function isHeldBack(error: unknown): boolean {
  return error instanceof OtaFailure && error.code === 'vehicle_state';
}

/** Passing the gate in one job: at each point it is waited for once, however often the point is come back to. */
export class GateWait {
  readonly #gate: Gate;
  readonly #deadlines = new Map<GatePoint, number>();

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  /** A new job begins: nothing was waited for yet. */
  begin(): void {
    this.#deadlines.clear();
  }

  /** Right before the act. Errors: OtaFailure `vehicle_state`. */
  look(point: GatePoint): void {
    const refusal = refusalAt(this.#gate, point);
    if (refusal !== undefined) throw refusal;
  }

  /**
   * Resolves when nothing speaks against going on. Errors: OtaFailure `vehicle_state` when that takes longer than is to
   * be waited there; the signal's reason.
   */
  async pass(point: GatePoint, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const isOpen = (): boolean => this.#gate.unfulfilled(point).length === 0;
    if (isOpen()) return;
    const limitMs = this.#gate.waitMs[point];
    const deadline = this.#deadlines.get(point) ?? performance.now() + limitMs;
    this.#deadlines.set(point, deadline);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (isOpen()) resolve();
    };
    const giveUp = (): void => {
      const after = limitMs === 0 ? '' : `; it was waited for ${Math.round(limitMs / 1000)} s`;
      const refusal = refusalAt(this.#gate, point, after);
      if (refusal === undefined) resolve();
      else reject(refusal);
    };
    const stop = (): void => reject(signal.reason);
    const unsubscribe = this.#gate.subscribe(look);
    const timer = setTimeout(giveUp, Math.max(0, deadline - performance.now()));
    signal.addEventListener('abort', stop, { once: true });
    try {
      await promise;
    } finally {
      unsubscribe();
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }
}
