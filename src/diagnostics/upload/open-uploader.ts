import { join } from 'node:path';
import type { DaemonOptions } from '#config/options.ts';
import type { VehicleClock } from '#diagnostics/clock/vehicle-clock.ts';
import type { Log } from '#domain/log.ts';
import type { UploadShelf } from './queue.ts';
import { UploadState } from './upload-state.ts';
import { type UploadCounts, Uploader } from './uploader.ts';

const gateMs = 1000;
const backoffBaseMs = 1000;
const backoffMaxMs = 15 * 60 * 1000;
const longWaitMs = 3600 * 1000;

/** Uploads that run until they are disposed of. */
export interface RunningUploads extends AsyncDisposable {
  readonly counts: UploadCounts;
  /** Segments of this size or more are too large for the receiver; undefined when it has refused none. */
  readonly refusedBytes: number | undefined;
}

export interface UploadSource {
  readonly options: DaemonOptions['diagnostics'];
  /** The spool's; what uploads remember lies here too. */
  readonly directory: string;
  readonly shelves: () => readonly UploadShelf[];
  readonly onSealed: (listener: () => void) => () => void;
  /** Why nothing may be sent now, for people; undefined when it may. */
  readonly gate: () => string | undefined;
  readonly clock: VehicleClock;
  readonly log: Log;
}

/** Starts the uploads that the options describe; undefined when they name no receiver. */
export async function openUploader(source: UploadSource): Promise<RunningUploads | undefined> {
  const { directory, clock, log, shelves, onSealed, gate } = source;
  const { upload } = source.options;
  if (upload.url === undefined) return undefined;
  // Loaded where there is somebody to upload to: a daemon without does without 6 MiB of HTTP client.
  const { CredentialedClient } = await import('./credentials.ts');
  const client = new CredentialedClient(
    {
      token: upload.tokenFile,
      ca: upload.caFile,
      certificate: upload.certificateFile,
      key: upload.keyFile,
    },
    { connectTimeoutMs: 10_000, idleTimeoutMs: 30_000, bytesPerSecond: upload.bytesPerSecond },
  );
  const state = await UploadState.open(join(directory, 'upload-state'), upload.url, clock);
  const uploader = new Uploader({
    shelves,
    onSealed,
    url: new URL(upload.url),
    method: upload.method,
    contentType: upload.contentType,
    send: (request, signal) => client.send(request, signal),
    token: () => client.token(),
    credentials: () => client.fingerprint(),
    gate,
    gateMs,
    breaker: { baseMs: backoffBaseMs, maxMs: backoffMaxMs, random: Math.random },
    longWaitMs,
    dailyBytes: upload.dailyBytes,
    state,
    clock,
    log,
  });
  return {
    get counts() {
      return uploader.counts;
    },
    get refusedBytes() {
      return state.refusedBytes;
    },
    async [Symbol.asyncDispose]() {
      await uploader[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
    },
  };
}
