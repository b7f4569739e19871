import type { Agent } from 'undici';
import type { ProbeFailure } from '#domain/trial-end.ts';
import { withinTime } from './probe-time.ts';

/** So much of an answer's body is kept to be shown. */
const shownBytes = 4096;

/**
 * Asks `url` once, by GET, past any proxy, following no redirect. Undefined when the answer's status is 2xx.
 * Errors: only the signal's reason.
 */
export async function probeHttp(
  url: URL,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeFailure | undefined> {
  return withinTime('did not answer', timeoutMs, signal, async (limited) => {
    // Loaded when it is needed: an idle daemon does without 6 MiB of HTTP client.
    const { Agent } = await import('undici');
    // Its own connections: whatever is in the environment, no proxy.
    const agent = new Agent({ connect: { timeout: timeoutMs } });
    try {
      return await ask(url, agent, limited);
    } finally {
      await agent.destroy();
    }
  });
}

async function ask(url: URL, dispatcher: Agent, signal: AbortSignal): Promise<ProbeFailure | undefined> {
  const { request } = await import('undici');
  const { statusCode, body } = await request(url, { dispatcher, signal });
  if (statusCode >= 200 && statusCode < 300) {
    // A server that never ends its answer has answered all the same.
    body.on('error', () => {}).destroy();
    return undefined;
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= shownBytes) break;
  }
  const output = Buffer.concat(chunks).subarray(0, shownBytes).toString('utf8');
  return { how: `answered with status ${statusCode}`, output };
}
