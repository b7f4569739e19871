import type { SourceStatus } from '#diagnostics/diagnostics-status.ts';
import type { ChoosySource } from './source.ts';

/** What we say ourselves is asked of nobody else, even where a broker has it from us. */
const ownRoot = 'Vehicle.OTA.';

/** The sources outside of this ECU, shared by all who need signals: campaigns and preconditions. */
export class SignalSources implements AsyncDisposable {
  readonly #sources: readonly ChoosySource[];
  readonly #wanted = new Map<string, readonly string[]>();

  /** Takes over the sources: they end with this. */
  constructor(sources: readonly ChoosySource[]) {
    this.#sources = sources;
  }

  /** What `who` needs from now on, instead of what it needed before. */
  want(who: string, paths: readonly string[]): void {
    this.#wanted.set(who, paths);
    const all = new Set([...this.#wanted.values()].flat().filter((path) => !path.startsWith(ownRoot)));
    for (const source of this.#sources) source.want(all);
  }

  states(): readonly SourceStatus[] {
    return this.#sources.map((source) => source.state());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sources.map(async (source) => source[Symbol.asyncDispose]()));
  }
}
