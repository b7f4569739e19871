import type { Log } from '#domain/log.ts';

/** Shows people the warnings of what a command does in this process. */
export function warningsTo(stderr: { write(text: string): unknown }): Log {
  const show = (_: object, line: string): void => {
    stderr.write(`${line}\n`);
  };
  return { info: () => {}, warn: show, error: show };
}
