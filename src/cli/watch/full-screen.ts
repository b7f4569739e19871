import type { Readable } from 'node:stream';
import type { ReadStream } from 'node:tty';
import type { CliIo } from '#cli/command.ts';
import type { Key } from './keys.ts';
import { KeyReader } from './keys.ts';
import { Painter } from './painter.ts';

// The other screen keeps what was on the terminal; no wrapping, so that a last column can be written.
const enter = '\u001b[?1049h\u001b[?7l\u001b[?25l\u001b[2J';
const leave = '\u001b[?7h\u001b[?25h\u001b[?1049l';

interface Reactions {
  readonly key: (key: Key) => void;
  /** The size is another one, or the terminal was given back. */
  readonly changed: () => void;
}

/**
 * A terminal that one view has for itself, until it is disposed: the other screen, no cursor, keys as they are pressed.
 * The terminal is given back on every way out: at the end, at an exit by a signal or a crash, and while stopped (Ctrl-Z).
 */
export class FullScreen implements Disposable {
  readonly #io: CliIo;
  readonly #on: Reactions;
  readonly #painter: Painter;
  readonly #keyboard: ReadStream | undefined;
  readonly #keys = new KeyReader();
  #isTaken = false;

  constructor(io: CliIo, on: Reactions) {
    this.#io = io;
    this.#on = on;
    this.#painter = new Painter(io.stdout);
    this.#keyboard = keyboardOf(io.stdin);
    process.on('exit', this.#giveBack);
    process.on('SIGTSTP', this.#stop);
    process.on('SIGCONT', this.#resume);
    io.stdout.on('resize', this.#resized);
    this.#keyboard?.on('data', this.#read);
    this.#take();
  }

  /** Shows `lines` from the top of the terminal on. */
  draw(lines: readonly string[]): void {
    if (this.#isTaken) this.#painter.draw(lines, this.size);
  }

  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: Math.max(1, this.#io.columns), rows: Math.max(1, this.#io.rows ?? 24) };
  }

  [Symbol.dispose](): void {
    this.#giveBack();
    process.off('exit', this.#giveBack);
    process.off('SIGTSTP', this.#stop);
    process.off('SIGCONT', this.#resume);
    this.#io.stdout.off('resize', this.#resized);
    this.#keyboard?.off('data', this.#read);
  }

  #take(): void {
    this.#isTaken = true;
    this.#keyboard?.setRawMode(true).resume();
    this.#painter.forget();
    this.#io.stdout.write(enter);
  }

  readonly #giveBack = (): void => {
    if (!this.#isTaken) return;
    this.#isTaken = false;
    this.#io.stdout.write(leave);
    this.#keyboard?.pause().setRawMode(false);
  };

  readonly #read = (bytes: Buffer): void => {
    for (const key of this.#keys.push(bytes.toString('utf8'))) {
      if (key === 'suspend') this.#suspendGroup();
      else if (key === 'redraw') this.#painter.forget();
      this.#on.key(key);
    }
  };

  readonly #resized = (): void => {
    this.#painter.forget();
    this.#on.changed();
  };

  /** As a terminal does for Ctrl-Z that is not in raw mode: everything that was started with us stops. */
  #suspendGroup(): void {
    process.kill(0, 'SIGTSTP');
  }

  /**
   * Stops as a process that does not care for SIGTSTP: by the signal's own default, which the kernel leaves out where
   * no shell could ever continue us.
   */
  readonly #stop = (): void => {
    this.#giveBack();
    process.off('SIGTSTP', this.#stop);
    process.kill(process.pid, 'SIGTSTP');
    process.on('SIGTSTP', this.#stop);
    this.#take();
    this.#on.changed();
  };

  /** Whoever had the terminal while we were stopped from outside has left it in another state. */
  readonly #resume = (): void => {
    this.#giveBack();
    this.#take();
    this.#on.changed();
  };
}

function keyboardOf(stdin: Readable): ReadStream | undefined {
  return 'isTTY' in stdin && stdin.isTTY === true ? (stdin as ReadStream) : undefined;
}
