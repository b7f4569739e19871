import type { Log } from '#domain/log.ts';

/** Keeps what is logged, for tests that look at it. */
export class MemoryLog implements Log {
  readonly lines: string[] = [];

  info(fields: object, line: string): void {
    this.#keep('info', fields, line);
  }

  warn(fields: object, line: string): void {
    this.#keep('warn', fields, line);
  }

  error(fields: object, line: string): void {
    this.#keep('error', fields, line);
  }

  #keep(level: string, fields: object, line: string): void {
    this.lines.push(`${level} ${line} ${Object.values(fields).map(String).join(' ')}`);
  }
}
