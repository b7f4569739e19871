import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import {
  type Answer,
  headAnswer,
  type ReceivedSegment,
  receiveSegment,
  type SegmentTarget,
  storedAnswer,
  targetOf,
} from './segment-request.ts';

/** Where segments are put that come in over HTTP. */
export interface SegmentStore {
  /** Why a request is refused before its body is read; undefined when it is not. */
  refuse(target: SegmentTarget, request: IncomingMessage): Answer | undefined | Promise<Answer | undefined>;
  /**
   * Stores a segment, durably, unless there is one with its id: the SHA-256 of what is stored under it then. Calls for one id
   * may overlap. Errors: those of the file system.
   */
  store(
    segment: ReceivedSegment,
    request: IncomingMessage,
  ): Promise<{ readonly sha256: string; readonly isNew: boolean } | Answer>;
  /** SHA-256 of what was ever stored under an id, as far as that is remembered. */
  digestOf(target: SegmentTarget): Promise<string | undefined>;
}

export interface ListenerOptions {
  readonly maxBytes: number;
  readonly needsDigest: boolean;
  /** Bodies that are held in memory at the same time. */
  readonly maxBodies: number;
  /** Told of what went wrong on our side. */
  readonly onError: (error: unknown) => void;
}

/** Answers requests that bring segments. */
export function segmentListener(store: SegmentStore, options: ListenerOptions): RequestListener {
  let bodies = 0;

  async function answerTo(request: IncomingMessage): Promise<Answer> {
    const target = targetOf(request);
    if ('status' in target) return target;
    const refusal = await store.refuse(target, request);
    if (refusal !== undefined) return refusal;
    if (target.method === 'HEAD') return headAnswer(await store.digestOf(target));
    if (bodies >= options.maxBodies) {
      return { status: 503, text: 'too many at the same time', headers: { 'retry-after': '1' } };
    }
    bodies++;
    try {
      const segment = await receiveSegment(request, target, options);
      if ('status' in segment) return segment;
      const stored = await store.store(segment, request);
      return 'status' in stored ? stored : storedAnswer(segment, stored.sha256, stored.isNew);
    } finally {
      bodies--;
    }
  }

  return (request, response) => {
    answerTo(request)
      .then((answer) => send(response, answer))
      .catch((error: unknown) => {
        // Who went away wants no answer.
        if (request.destroyed && !request.complete) return void response.destroy();
        options.onError(error);
        send(response, { status: 500, text: 'it could not be stored', headers: { 'retry-after': '30' } });
      });
  };
}

function send(response: ServerResponse, { status, text, headers }: Answer): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { 'content-type': 'text/plain', ...headers });
  response.end(text === '' ? '' : `${text}\n`);
}
