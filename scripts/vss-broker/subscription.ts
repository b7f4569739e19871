import type { ServerWritableStream } from '@grpc/grpc-js';
import type { Datapoint } from '../../src/gen/kuksa/val/v2/types_pb.ts';
import type { Moods } from './moods.ts';
import type { BrokerEntry, SignalTable } from './signal-table.ts';

export type Update = readonly (readonly [BrokerEntry, Datapoint])[];

/** One subscriber: what it asked for, and what waits for it. The oldest is lost, silently, when it reads too slowly. */
export class Subscription {
  readonly #call: ServerWritableStream<Buffer, Buffer>;
  readonly #encode: (update: Update) => Buffer;
  readonly #capacity: number;
  readonly #waiting: Update[] = [];
  readonly #stop: () => void;
  #pumping = false;
  #over = false;

  constructor(
    call: ServerWritableStream<Buffer, Buffer>,
    entries: readonly BrokerEntry[],
    bufferSize: number,
    world: { readonly table: SignalTable; readonly moods: Moods },
    encode: (update: Update) => Buffer,
  ) {
    this.#call = call;
    this.#encode = encode;
    this.#capacity = bufferSize + 1;
    const { table, moods } = world;
    const asked = new Set(entries);
    const shown = (some: readonly BrokerEntry[]): Update =>
      some
        .filter((entry) => asked.has(entry) && !moods.hidden.has(entry.leaf.path))
        .map((entry) => [entry, moods.lies.get(entry.leaf.path) ?? entry.point]);
    this.#push(shown(entries));
    this.#stop = table.listen((changed) => {
      const update = shown(changed);
      if (update.length > 0) this.#push(update);
    });
    call.on('cancelled', () => this.#close());
  }

  /** Ends it with OK, as brokers do when they end or a token has expired. */
  end(): void {
    if (this.#over) return;
    this.#close();
    this.#call.end();
  }

  #push(update: Update): void {
    this.#waiting.push(update);
    if (this.#waiting.length > this.#capacity) this.#waiting.shift();
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => this.#pump());
  }

  #pump(): void {
    for (let update = this.#waiting.shift(); update !== undefined; update = this.#waiting.shift()) {
      if (this.#over) return;
      if (this.#call.write(this.#encode(update))) continue;
      this.#call.once('drain', () => this.#pump());
      return;
    }
    this.#pumping = false;
  }

  #close(): void {
    this.#over = true;
    this.#stop();
  }
}
