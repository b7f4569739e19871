import { cpus } from 'node:os';
import { Worker } from 'node:worker_threads';

/** A job's answer from a worker: `id` is the number the job was sent with. */
interface WorkerAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: WorkerFault;
}

/** What is left of an error when it crosses a thread: enough to decide and to tell. */
export interface WorkerFault {
  readonly message: string;
  readonly code: string | undefined;
  readonly path: string | undefined;
}

/** A worker's job failed. `code` is the system's errno name where there is one. */
class WorkerError extends Error {
  override readonly name = 'WorkerError';
  readonly code: string | undefined;
  readonly path: string | undefined;

  constructor(fault: WorkerFault) {
    super(fault.message);
    this.code = fault.code;
    this.path = fault.path;
  }
}

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Member {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
}

/** Two threads keep two cores busy with warm data; more of them only wait in the kernel. */
export function defaultWorkerCount(): number {
  return Math.max(2, Math.min(4, cpus().length));
}

/**
 * A few worker threads that all run the same module and work on the same shared memory. Jobs are plain data.
 * Closing it ends the threads at once, whatever they do.
 */
export class WorkerCrew implements AsyncDisposable {
  readonly #members: Member[] = [];
  #nextId = 1;
  #turn = 0;
  #closed = false;

  /** Starts `count` threads of `module`; each is given its number and `data`. */
  constructor(module: URL, count: number, data: Record<string, unknown>) {
    for (let number = 0; number < count; number++) {
      const worker = new Worker(module, {
        workerData: { ...data, number },
        // A worker's heap holds no file contents: buffers live outside it.
        resourceLimits: { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 4 },
      });
      const pending = new Map<number, Pending>();
      worker.on('message', (answer: WorkerAnswer) => {
        const waiting = pending.get(answer.id);
        pending.delete(answer.id);
        if (answer.error === undefined) waiting?.resolve(answer.result);
        else waiting?.reject(new WorkerError(answer.error));
      });
      const lost = (error: unknown): void => {
        const reason = error instanceof Error ? error : new Error(`worker ended with code ${String(error)}`);
        for (const waiting of pending.values()) waiting.reject(reason);
        pending.clear();
      };
      worker.on('error', lost);
      worker.on('exit', lost);
      this.#members.push({ worker, pending });
    }
  }

  get size(): number {
    return this.#members.length;
  }

  /** Gives the same job to every worker; they share it out among themselves. */
  async all<Result>(job: object): Promise<Result[]> {
    return Promise.all(this.#members.map((member) => this.#send<Result>(member, job, [])));
  }

  /** Gives a job to the worker that has least to do. `transfer` moves buffers instead of copying them. */
  async one<Result>(job: object, transfer: ArrayBuffer[] = []): Promise<Result> {
    const from = this.#turn++;
    let member = this.#members[from % this.#members.length];
    for (let i = 1; i < this.#members.length; i++) {
      const other = this.#members[(from + i) % this.#members.length];
      if (other !== undefined && other.pending.size < (member?.pending.size ?? 0)) member = other;
    }
    if (member === undefined) throw new Error('the crew has no workers');
    return this.#send<Result>(member, job, transfer);
  }

  #send<Result>(member: Member, job: object, transfer: ArrayBuffer[]): Promise<Result> {
    if (this.#closed) return Promise.reject(new Error('the workers were closed'));
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    member.pending.set(id, { resolve, reject });
    member.worker.postMessage({ ...job, id }, transfer);
    return promise as Promise<Result>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#members.map((member) => member.worker.terminate()));
  }
}
