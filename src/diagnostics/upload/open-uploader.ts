import { readFile } from 'node:fs/promises';
import type { DaemonOptions } from '#config/options.ts';
import type { Log } from '#domain/log.ts';
import { type UploadCounts, Uploader, type UploadSpool } from './uploader.ts';

const gateMs = 5000;
const backoffBaseMs = 1000;
const backoffMaxMs = 15 * 60 * 1000;
const longWaitMs = 3600 * 1000;

/** Uploads that run until they are disposed of. */
export interface RunningUploads extends AsyncDisposable {
  readonly counts: UploadCounts;
}

/**
 * Starts the uploads that the options describe; undefined when they name no receiver. What is wrong with files of
 * credentials is told and keeps the uploads from starting, never the daemon.
 */
export async function openUploader(
  spool: UploadSpool,
  source: {
    readonly options: DaemonOptions['diagnostics'];
    readonly ecuId: string;
    readonly log: Log;
  },
  gate: () => string | undefined,
): Promise<RunningUploads | undefined> {
  const { options, ecuId, log } = source;
  const { upload } = options;
  if (upload.url === undefined) return undefined;
  const file = async (path: string | undefined): Promise<string | undefined> =>
    path === undefined ? undefined : readFile(path, 'utf8');
  let tls: { ca?: string; certificate?: string; key?: string };
  try {
    const [ca, certificate, key] = await Promise.all(
      [upload.caFile, upload.certificateFile, upload.keyFile].map(file),
    );
    tls = {
      ...(ca === undefined ? {} : { ca }),
      ...(certificate === undefined ? {} : { certificate }),
      ...(key === undefined ? {} : { key }),
    };
  } catch (error) {
    log.error({ err: error }, 'nothing is uploaded: a file of diagnostics.upload cannot be read');
    return undefined;
  }
  // Loaded where there is somebody to upload to: a daemon without does without 6 MiB of HTTP client.
  const { PutClient } = await import('#net/put-client.ts');
  const client = new PutClient({
    tls,
    connectTimeoutMs: 10_000,
    idleTimeoutMs: 30_000,
    bytesPerSecond: upload.bytesPerSecond,
  });
  const uploader = new Uploader({
    spool,
    url: new URL(upload.url),
    vehicleId: options.vehicleId ?? ecuId,
    contentType: upload.contentType,
    put: (...args) => client.put(...args),
    // A token that cannot be read is none: the receiver then says so.
    token: async () => ((await file(upload.tokenFile).catch(() => undefined)) ?? '').trim(),
    gate,
    gateMs,
    backoffBaseMs,
    backoffMaxMs,
    longWaitMs,
    dailyBytes: upload.dailyBytes,
    random: Math.random,
    log,
  });
  return {
    get counts() {
      return uploader.counts;
    },
    async [Symbol.asyncDispose]() {
      await uploader[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
    },
  };
}
