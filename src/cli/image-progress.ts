import type { CliIo } from './command.ts';
import { humanBytes, humanCount } from './render-units.ts';

/** Shortest time between two redraws. */
const redrawMs = 100;

/** A line that counts files and bytes on a terminal, and is gone when it is done; nothing elsewhere. */
export class ProgressLine implements Disposable {
  readonly #io: CliIo;
  readonly #verb: string;
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(verb: string, io: CliIo) {
    this.#verb = verb;
    this.#io = io;
  }

  readonly show = (files: number, bytes: number): void => {
    const now = performance.now();
    if (!this.#io.isTTY || now - this.#drawnAt < redrawMs) return;
    this.#drawnAt = now;
    this.#io.stdout.write(`\r\x1b[K${this.#verb} ${humanCount(files)} files, ${humanBytes(bytes)}`);
  };

  [Symbol.dispose](): void {
    if (this.#drawnAt !== Number.NEGATIVE_INFINITY) this.#io.stdout.write('\r\x1b[K');
  }
}
