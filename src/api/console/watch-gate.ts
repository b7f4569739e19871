import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import { callerOf } from './rpc-routes.ts';

/** Counts streams of changes, in all and per caller, so that nobody takes all there are. */
export class WatchGate {
  readonly #most: number;
  readonly #mostPerCaller: number;
  readonly #perCaller = new Map<string, number>();
  #all = 0;

  constructor(most: number, mostPerCaller: number) {
    this.#most = most;
    this.#mostPerCaller = mostPerCaller;
  }

  get watchers(): number {
    return this.#all;
  }

  /** Undefined when there are too many; else to be disposed when the stream ends. */
  enter(caller: string): Disposable | undefined {
    const mine = this.#perCaller.get(caller) ?? 0;
    if (this.#all >= this.#most || mine >= this.#mostPerCaller) return undefined;
    this.#all += 1;
    this.#perCaller.set(caller, mine + 1);
    return { [Symbol.dispose]: () => this.#leave(caller) };
  }

  #leave(caller: string): void {
    this.#all -= 1;
    const left = (this.#perCaller.get(caller) ?? 1) - 1;
    if (left === 0) this.#perCaller.delete(caller);
    else this.#perCaller.set(caller, left);
  }
}

/** Errors: ConnectError RESOURCE_EXHAUSTED. */
export function enterWatch(gate: WatchGate, context: HandlerContext): Disposable {
  const pass = gate.enter(callerOf(context).name);
  if (pass !== undefined) return pass;
  const text = 'too many watch already; see console.watchers and console.watchers_per_caller';
  throw new ConnectError(text, Code.ResourceExhausted);
}
