import { connect } from 'node:net';
import type { ProbeFailure } from '#domain/trial-end.ts';
import { withinTime } from './probe-time.ts';

/**
 * Opens a TCP connection to `address` (`host:port`, IPv6 in brackets) and closes it. Undefined when it opened.
 * Errors: only the signal's reason.
 */
export async function probeTcp(
  address: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeFailure | undefined> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  return withinTime('did not connect', timeoutMs, signal, async (limited) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = connect({ host, port: Number(address.slice(colon + 1)), signal: limited });
    socket.once('connect', resolve).once('error', reject);
    try {
      await promise;
      return undefined;
    } finally {
      socket.destroy();
    }
  });
}
