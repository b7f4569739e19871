/** Why the demo did not end as it should. */
export type DemoErrorCode =
  | 'not_installed'
  | 'directory_unusable'
  | 'no_space'
  | 'no_port'
  | 'daemon_failed'
  | 'program_failed'
  | 'not_refused'
  | 'not_ready'
  | 'request_refused'
  | 'job_failed'
  | 'timed_out'
  | 'differs';

/** The demo cannot go on, or something is not as it should be; the message says what, why and what to do. */
export class DemoError extends Error {
  override readonly name = 'DemoError';
  readonly code: DemoErrorCode;

  constructor(code: DemoErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
