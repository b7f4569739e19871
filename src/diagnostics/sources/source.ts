import type { SourceStatus } from '#diagnostics/diagnostics-status.ts';

/** Where values of signals come from. It puts them into the one SignalStore; disposing it ends that. */
export interface SignalSource extends AsyncDisposable {
  state(): SourceStatus;
}

/** A source that has more signals than anybody needs, and brings those that are asked for. */
export interface ChoosySource extends SignalSource {
  /** From now on these paths, and no others. */
  want(paths: ReadonlySet<string>): void;
}
