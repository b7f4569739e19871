/** Why a command was told to stop: the reason of its signal. `name` is that of any abort, as readers of signals expect. */
export class StopRequest extends Error {
  override readonly name = 'AbortError';
  /** Exit code of a command that this cut short: 128 plus the number of the signal, as shells have it. */
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}
