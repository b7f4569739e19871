import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { WorkerFault } from './worker-crew.ts';

/** A worker's end of the line to its crew. */
export interface WorkerPort<Job> {
  /** What the crew was started with, and this worker's number. */
  readonly data: unknown;
  /** Answers every job with what `handle` returns or throws. */
  serve(handle: (job: Job) => unknown): void;
  /** Inside a long job: works off the jobs that have come in meanwhile. */
  drain(): void;
}

interface Envelope {
  readonly id: number;
}

/** Opens the line; only inside a worker thread. */
export function openWorkerPort<Job extends object>(): WorkerPort<Job> {
  const port = parentPort;
  if (port === null) throw new Error('not a worker thread');
  let handler: (job: Job) => unknown = () => undefined;
  const answer = (message: Job & Envelope): void => {
    try {
      port.postMessage({ id: message.id, result: handler(message) });
    } catch (error) {
      port.postMessage({ id: message.id, error: faultOf(error) });
    }
  };
  return {
    data: workerData,
    serve(handle) {
      handler = handle;
      port.on('message', answer);
    },
    drain() {
      for (;;) {
        const received = receiveMessageOnPort(port);
        if (received === undefined) return;
        answer(received.message as Job & Envelope);
      }
    },
  };
}

function faultOf(error: unknown): WorkerFault {
  if (!(error instanceof Error)) return { message: String(error), code: undefined, path: undefined };
  const { code, path } = error as { readonly code?: unknown; readonly path?: unknown };
  return {
    message: error.message,
    code: typeof code === 'string' ? code : undefined,
    path: typeof path === 'string' ? path : undefined,
  };
}
