import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** By then everything that a start does has been done; what comes later comes with a request. */
const afterMs = 1000;

/**
 * Collects, a second after the start, what loading and compiling the modules has left: an idle daemon does little that
 * would make V8 look for it, and it is 4 MiB. Nothing else runs meanwhile, some 0.2 s, once. Disposing lets it be.
 */
export function collectLoadingGarbage(ms = afterMs): Disposable {
  const timer = setTimeout(collect, ms).unref();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** Node gives `gc` to nobody whose command line did not ask for it, but to a context that is made after V8 was asked. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  // As when memory is short: compiled code that was not used again goes too, and pages are given back.
  if (typeof gc === 'function') gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
