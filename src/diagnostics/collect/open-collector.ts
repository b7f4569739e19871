import type { Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { join } from 'node:path';
import type { DaemonOptions } from '#config/options.ts';
import type { Log } from '#domain/log.ts';
import { FreshTls } from '#host/fresh-tls.ts';
import { nodeHttp } from '#host/node-http.ts';
import { readTlsMaterial, type TlsFiles } from '#host/tls-material.ts';
import { AccessList } from './access-list.ts';
import { Collector } from './collector.ts';
import { segmentListener } from './segment-listener.ts';

export interface CollectSource {
  readonly options: DaemonOptions['diagnostics'];
  /** The spool's; collected segments lie in `collected` below it. */
  readonly directory: string;
  readonly vehicleId: string;
  /** Where this ECU listens, and the other ECUs of the vehicle: what counts unless the options say something else. */
  readonly host: string;
  readonly ecuIds: readonly string[];
  readonly log: Log;
}

const maxBodies = 4;
const maxConnections = 64;
const requestMs = 300_000;
const listenAgainMs = 10_000;

/** Takes segments of children, as the options say; undefined when they do not. What goes wrong is told and tried again. */
export async function openCollector(
  stack: AsyncDisposableStack,
  source: CollectSource,
): Promise<Collector | undefined> {
  const { options, directory, vehicleId, ecuIds, log } = source;
  const { collect } = options;
  if (!collect.enabled) return undefined;
  const names = collect.children.length > 0 ? collect.children : ecuIds;
  const collector = stack.use(
    await Collector.open({
      directory: join(directory, 'collected'),
      vehicleId,
      access: new AccessList(names, collect.tokensFile),
      quotaBytes: collect.quotaBytes,
      log,
    }),
  );
  const listener = segmentListener(collector, {
    maxBytes: collect.maxSegmentBytes,
    needsDigest: true,
    maxBodies,
    onError: (error) => log.error({ err: error }, 'diagnostics of a child could not be stored'),
  });
  const timeouts = { requestTimeout: requestMs, headersTimeout: 30_000, keepAliveTimeout: 30_000 };
  const files = tlsFiles(collect);
  const server: Server | TlsServer =
    files === undefined
      ? nodeHttp.createServer(timeouts, listener)
      : createTlsServer(
          { ...timeouts, requestCert: files.ca !== undefined, rejectUnauthorized: true },
          listener,
        );
  server.maxConnections = maxConnections;
  const keepListening = new ListenAgain(server, {
    host: collect.host ?? source.host,
    port: collect.port,
    log,
  });
  stack.use(keepListening);
  if (files !== undefined) stack.use(await followTls(server as TlsServer, files, log));
  keepListening.start();
  return collector;
}

/** An address that is taken, or does not exist yet, may be free later. */
class ListenAgain implements AsyncDisposable {
  readonly #server: Server | TlsServer;
  readonly #where: { readonly host: string; readonly port: number; readonly log: Log };
  #timer: NodeJS.Timeout | undefined;

  constructor(
    server: Server | TlsServer,
    where: { readonly host: string; readonly port: number; readonly log: Log },
  ) {
    this.#server = server;
    this.#where = where;
  }

  start(): void {
    const { host, port, log } = this.#where;
    this.#server.on('error', (error) => {
      log.error({ err: error, host, port }, 'diagnostics of children cannot be collected now; trying again');
      this.#timer = setTimeout(() => this.#server.listen(port, host), listenAgainMs).unref();
    });
    this.#server.on('listening', () => log.info({ host, port }, 'collecting diagnostics of children'));
    this.#server.listen(port, host);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    if (!this.#server.listening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }
}

/** Undefined when the children are to come without TLS. */
function tlsFiles({
  certificateFile,
  keyFile,
  caFile,
}: DaemonOptions['diagnostics']['collect']): TlsFiles | undefined {
  if (certificateFile === undefined || keyFile === undefined) return undefined;
  return { certificate: certificateFile, key: keyFile, ca: caFile };
}

const names = {
  certificate: 'diagnostics.collect.certificate_file',
  key: 'diagnostics.collect.key_file',
  ca: 'diagnostics.collect.ca_file',
};

/** With authorities, children have to present a certificate of theirs. Until the files are right, nobody gets in. */
async function followTls(server: TlsServer, files: TlsFiles, log: Log): Promise<FreshTls> {
  const fresh = new FreshTls({
    who: 'collecting diagnostics of children',
    read: () => readTlsMaterial(files, names),
    present: ({ cert, key, ca }) =>
      server.setSecureContext({ cert, key, ...(ca === undefined ? {} : { ca }) }),
    log,
  });
  await fresh.look();
  return fresh;
}
