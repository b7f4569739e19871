import type { Writable } from 'node:stream';

const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';
const clearToEnd = '\u001b[J';
const clearLineRest = '\u001b[K';
// Terminals that know it show a frame only when it is whole; the others ignore it.
const beginFrame = '\u001b[?2026h';
const endFrame = '\u001b[?2026l';

interface Size {
  readonly columns: number;
  readonly rows: number;
}

/**
 * A block of lines at the bottom of a terminal that is drawn again in place. Nothing above it is touched, so that what
 * was on the screen before stays in the scroll-back.
 */
export class Screen {
  readonly #out: Writable;
  readonly #size: () => Size;
  #drawn = 0;
  #columns = 0;

  constructor(out: Writable, size: () => Size) {
    this.#out = out;
    this.#size = size;
  }

  /** Draws `lines` over what was drawn before. They must not be wider than the terminal. */
  draw(lines: readonly string[]): void {
    const { columns, rows } = this.#size();
    const room = Math.max(1, rows - 1);
    const shown =
      lines.length <= room
        ? lines
        : [...lines.slice(0, room - 1), `... ${lines.length - room + 1} more lines: make the window higher`];
    // After a resize the terminal has wrapped the old lines anew and counting them back is wrong: start afresh below.
    const resized = this.#drawn > 0 && this.#columns !== columns;
    const back = this.#drawn > 0 && !resized ? `\u001b[${this.#drawn}A\r` : '';
    const clear = resized ? '\u001b[2J\u001b[H' : '';
    const body = shown.map((line) => `${line}${clearLineRest}\n`).join('');
    this.#out.write(beginFrame + hideCursor + clear + back + body + clearToEnd + endFrame);
    this.#drawn = shown.length;
    this.#columns = columns;
  }

  /** Leaves the last frame on the screen and gives the cursor back. */
  close(): void {
    if (this.#drawn > 0) this.#out.write(showCursor);
    this.#drawn = 0;
  }
}
