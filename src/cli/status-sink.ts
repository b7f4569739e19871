import type { CliIo } from './command.ts';
import { renderFrame } from './render-frame.ts';
import { plainKey, plainLine } from './render-plain.ts';
import { styleOf } from './render-style.ts';
import { harmless } from './render-text.ts';
import { Screen } from './screen.ts';
import { statusJson } from './status-json.ts';
import type { VehicleState } from './vehicle-view.ts';

/** Where a command that watches shows what it sees: a terminal, a pipe, or a program that reads JSON. */
export interface StatusSink {
  /** Shows the vehicle as it is at `now` (Unix time in milliseconds). */
  show(state: VehicleState, now: number): void;
  /** Leaves the output in order. May be called more than once. */
  close(): void;
}

/** One JSON object per change. Only the time of the answer is no change. */
class JsonSink implements StatusSink {
  readonly #io: CliIo;
  readonly #host: string;
  #last = '';

  constructor(io: CliIo, host: string) {
    this.#io = io;
    this.#host = host;
  }

  show(state: VehicleState, now: number): void {
    const object = statusJson(state, this.#host, now);
    const content = JSON.stringify({ ...object, time: '' });
    if (content === this.#last) return;
    this.#last = content;
    this.#io.stdout.write(`${JSON.stringify(object)}\n`);
  }

  close(): void {}
}

/** One line per ECU and change worth telling. */
class PlainSink implements StatusSink {
  readonly #io: CliIo;
  readonly #keys = new Map<string, string>();
  #lost: string | undefined;

  constructor(io: CliIo) {
    this.#io = io;
  }

  show(state: VehicleState, now: number): void {
    const lines: string[] = [];
    if (state.lost !== undefined && this.#lost === undefined)
      lines.push(`reconnecting ... ${harmless(state.lost)}`);
    this.#lost = state.lost;
    // While the daemon itself is away nothing new is known of the ECUs.
    for (const row of state.lost === undefined ? state.rows : []) {
      const key = plainKey(row);
      if (this.#keys.get(row.ecuId) === key) continue;
      this.#keys.set(row.ecuId, key);
      lines.push(plainLine(row, now));
    }
    this.#io.stdout.write(lines.map((line) => `${line}\n`).join(''));
  }

  close(): void {}
}

/** The whole vehicle, drawn again in place. */
class TerminalSink implements StatusSink {
  readonly #io: CliIo;
  readonly #host: string;
  readonly #screen: Screen;

  constructor(io: CliIo, host: string) {
    this.#io = io;
    this.#host = host;
    this.#screen = new Screen(io.stdout, () => ({ columns: io.columns, rows: io.rows ?? 24 }));
  }

  show(state: VehicleState, now: number): void {
    const style = styleOf(this.#io, this.#io.env);
    this.#screen.draw(renderFrame(state, { host: this.#host, now }, style));
  }

  close(): void {
    this.#screen.close();
  }
}

/** Whether the output of this call can be drawn in place. */
export function canDrawScreen(io: CliIo): boolean {
  return io.isTTY && io.env['TERM'] !== 'dumb';
}

/** The sink that suits the output of this call. */
export function statusSink(io: CliIo, host: string, json: boolean): StatusSink {
  if (json) return new JsonSink(io, host);
  return canDrawScreen(io) ? new TerminalSink(io, host) : new PlainSink(io);
}
