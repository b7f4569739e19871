import type { SourceStatus } from '#diagnostics/diagnostics-status.ts';
import type { OutsideSource } from './source.ts';

/** What we say ourselves is asked of nobody else, even where a broker has it from us. */
const ownRoot = 'Vehicle.OTA.';

/** The sources outside of this ECU, shared by all who need signals: campaigns and preconditions. */
export class SignalSources implements AsyncDisposable {
  readonly #sources: readonly OutsideSource[];
  readonly #wanted = new Map<string, readonly string[]>();
  #started = false;

  /** Takes over the sources: they end with this. */
  constructor(sources: readonly OutsideSource[]) {
    this.#sources = sources;
  }

  /** What `who` needs from now on, instead of what it needed before. */
  want(who: string, paths: readonly string[]): void {
    this.#wanted.set(who, paths);
    if (this.#started) this.#pass();
  }

  /** Lets values come. Called when all who judge by them listen: the first values are told once. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#pass();
    for (const source of this.#sources) source.start();
  }

  states(): readonly SourceStatus[] {
    return this.#sources.map((source) => source.state());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sources.map(async (source) => source[Symbol.asyncDispose]()));
  }

  #pass(): void {
    const all = new Set([...this.#wanted.values()].flat().filter((path) => !path.startsWith(ownRoot)));
    for (const source of this.#sources) source.want(all);
  }
}
