import type { SourceStatus } from '#diagnostics/diagnostics-status.ts';

/** Where values of signals come from. It puts them into the one SignalStore; disposing it ends that. */
export interface SignalSource extends AsyncDisposable {
  state(): SourceStatus;
}

/** A source beyond this ECU. */
export interface OutsideSource extends SignalSource {
  /** These paths are needed from now on, and no others. Called before `start` too. */
  want(paths: ReadonlySet<string>): void;
  /** Called once, when values may come. */
  start(): void;
}
