import type { ReleaseRequest } from '#domain/release.ts';
import { ProgressMeter } from './progress-meter.ts';
import type { StepContext } from './steps.ts';

/**
 * One update from its request to its end. Knows whether a step of it still works, which outlives the machine's interest
 * in the step: an aborted step may need a moment to let go of the standby slot.
 */
export class UpdateJob {
  readonly request: ReleaseRequest;
  readonly meter: ProgressMeter;
  readonly #before: Promise<void>;
  #running: Promise<void>;

  /** `previous` may still have a late step; this job touches the slots only after it. */
  constructor(request: ReleaseRequest, previous: UpdateJob | undefined) {
    this.request = request;
    this.meter = new ProgressMeter(request.version);
    this.#before = previous?.settled() ?? Promise.resolve();
    this.#running = this.#before;
  }

  /** Resolves when no step of this job, or of one before it, works any more. Never rejects. */
  settled(): Promise<void> {
    return this.#running;
  }

  run<T>(signal: AbortSignal, step: (context: StepContext) => Promise<T>): Promise<T> {
    return this.#track(step({ meter: this.meter, signal }));
  }

  /** Like `run`, for the first step that writes to a slot. */
  runAlone<T>(signal: AbortSignal, step: (context: StepContext) => Promise<T>): Promise<T> {
    const alone = async (): Promise<T> => {
      await this.#before;
      signal.throwIfAborted();
      return step({ meter: this.meter, signal });
    };
    return this.#track(alone());
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const ended = work.then(
      () => {},
      () => {},
    );
    this.#running = Promise.all([this.#before, ended]).then(() => {});
    return work;
  }
}
