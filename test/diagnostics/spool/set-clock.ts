import type { VehicleClock } from '#diagnostics/clock/vehicle-clock.ts';

/** Clocks that stand still until they are set. Milliseconds. */
export class SetClock implements VehicleClock {
  monotonic: number;
  wall: number;
  synced: boolean;
  bootId: string;

  constructor(start: { readonly wall?: number; readonly synced?: boolean; readonly bootId?: string } = {}) {
    this.monotonic = 100_000;
    this.wall = start.wall ?? Date.UTC(2026, 5, 1);
    this.synced = start.synced ?? true;
    this.bootId = start.bootId ?? 'boot-1';
  }

  readonly now = (): number => this.monotonic;
  readonly wallMs = (): number => this.wall;
  readonly isSynced = (): boolean => this.synced;

  /** Time goes by on both. */
  pass(ms: number): void {
    this.monotonic += ms;
    this.wall += ms;
  }
}
