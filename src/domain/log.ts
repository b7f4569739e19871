/** Where a part tells what happened: fields for machines, one line for people. A pino logger is one. */
export interface Log {
  info(fields: object, line: string): void;
  warn(fields: object, line: string): void;
  error(fields: object, line: string): void;
}
