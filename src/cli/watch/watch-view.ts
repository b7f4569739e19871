import type { VehicleEvent } from '#api/vehicle-event.ts';
import type { CliIo } from '#cli/command.ts';
import { styleOf } from '#cli/render-style.ts';
import type { VehicleState } from '#cli/vehicle-view.ts';
import { FullScreen } from './full-screen.ts';
import type { Key } from './keys.ts';
import type { WatchFrame, WatchModel } from './watch-frame.ts';
import { watchFrame } from './watch-frame.ts';

/** More than any terminal shows. */
const keptEvents = 100;

const nextDetail = { auto: 'full', full: 'brief', brief: 'rows', rows: 'auto' } as const;

/** The view that one leaves open: what it knows, what its reader chose, and the terminal that shows it. */
export class WatchView implements Disposable {
  readonly #io: CliIo;
  readonly #screen: FullScreen;
  readonly #clock: NodeJS.Timeout;
  readonly #quit: () => void;
  #model: WatchModel;
  #frame: WatchFrame | undefined;

  /** Calls `quit` when its reader wants to leave. */
  constructor(io: CliIo, host: string, quit: () => void) {
    this.#io = io;
    this.#quit = quit;
    this.#model = {
      host,
      now: Date.now(),
      state: undefined,
      lostSince: undefined,
      events: [],
      eventsProblem: '',
      detail: 'auto',
      onlyActive: false,
      showHelp: false,
      anchor: undefined,
    };
    this.#screen = new FullScreen(io, { key: (key) => this.#press(key), changed: () => this.#draw() });
    // Times go on while nothing else happens.
    this.#clock = setInterval(() => this.#draw(), 1000);
    this.#draw();
  }

  showVehicle(state: VehicleState): void {
    const lostSince = state.lost === undefined ? undefined : (this.#model.lostSince ?? Date.now());
    this.#change({ state, lostSince });
  }

  addEvents(events: readonly VehicleEvent[]): void {
    if (events.length === 0) return;
    this.#change({ events: [...this.#model.events, ...events].slice(-keptEvents), eventsProblem: '' });
  }

  /** Why there are no events, for a reader who asked for them. */
  lackEvents(eventsProblem: string): void {
    this.#change({ eventsProblem });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#clock);
    this.#screen[Symbol.dispose]();
  }

  #change(fields: Partial<WatchModel>): void {
    this.#model = { ...this.#model, ...fields };
    this.#draw();
  }

  #draw(): void {
    this.#model = { ...this.#model, now: Date.now() };
    const style = styleOf(this.#io, this.#io.env);
    this.#frame = watchFrame(this.#model, this.#screen.size, style);
    this.#screen.draw(this.#frame.lines);
  }

  #press(key: Key): void {
    // With the terminal in raw mode Ctrl-C is a key like others.
    if (key === 'interrupt') process.kill(process.pid, 'SIGINT');
    else if (key === 'quit') this.#quit();
    else if (this.#model.showHelp) this.#change({ showHelp: false });
    else this.#choose(key);
  }

  #choose(key: Exclude<Key, 'interrupt' | 'quit'>): void {
    const { room = 1, total = 0 } = this.#frame?.scroll ?? {};
    switch (key) {
      case 'up':
        return this.#scroll(-1);
      case 'down':
        return this.#scroll(1);
      case 'page-up':
        return this.#scroll(1 - room);
      case 'page-down':
        return this.#scroll(room - 1);
      case 'home':
        return this.#scroll(-total);
      case 'end':
        return this.#scroll(total);
      case 'help':
        return this.#change({ showHelp: true });
      case 'details':
        return this.#change({ detail: nextDetail[this.#model.detail] });
      case 'filter':
        return this.#change({ onlyActive: !this.#model.onlyActive, anchor: undefined });
      case 'redraw':
      case 'suspend':
      case 'escape':
        return this.#draw();
    }
  }

  #scroll(lines: number): void {
    const frame = this.#frame;
    if (frame === undefined) return;
    const { total, room, first } = frame.scroll;
    this.#change({ anchor: frame.anchorAt(Math.max(0, Math.min(first + lines, total - room))) });
  }
}
