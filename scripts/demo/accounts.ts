import { setTimeout as delay } from 'node:timers/promises';
import { OtaClient } from '#api/client.ts';
import { askStatus } from '#cli/poll.ts';
import type { UpdateProgress } from '#domain/progress.ts';
import type { DemoEcu } from './fleet.ts';

/** Often enough to see the final counts between the last file and the reboot. */
const intervalMs = 100;

/** Watches every ECU at its own address and keeps the last progress that it told. */
export class Accounts implements AsyncDisposable {
  readonly #last = new Map<string, UpdateProgress>();
  readonly #end = new AbortController();
  readonly #watching: Promise<unknown>;

  constructor(ecus: readonly DemoEcu[]) {
    this.#watching = Promise.allSettled(ecus.map((ecu) => this.#watch(ecu)));
  }

  /** What an ECU's update had done when it was last seen at work. */
  of(ecuId: string): UpdateProgress | undefined {
    return this.#last.get(ecuId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#watching;
  }

  async #watch({ ecuId, host, port }: DemoEcu): Promise<void> {
    using client = new OtaClient({ host, port });
    const { signal } = this.#end;
    while (!signal.aborted) {
      const { report } = await askStatus(client, signal);
      const progress = report?.ecus.find((ecu) => ecu.ecuId === ecuId)?.progress;
      // After the reboot, until the release is confirmed, an ECU is updating still, and counts nothing any more.
      if (progress !== undefined && progress.totalFiles > 0) this.#last.set(ecuId, progress);
      await delay(intervalMs, undefined, { signal });
    }
  }
}
