import { X509Certificate } from 'node:crypto';
import type { Agent } from 'node:http';
import https from 'node:https';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { CallOptions, Client, Interceptor } from '@connectrpc/connect';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import type { CallContext } from '#ecu/ecu.ts';
import { ConsoleService } from '#gen/ota/console/v1/console_pb.ts';
import { nodeHttp } from '#host/node-http.ts';
import { consoleErrorFrom } from './console-call-error.ts';
import { ConsoleError } from './console-error.ts';

/** Where a console is, and how its callers show who they are. */
export interface ConsoleAddress {
  /** `http://…` or `https://…`, without a path. */
  readonly url: string;
  /** Bearer token: a secret. */
  readonly token?: string | undefined;
  /** PEM: authorities to trust instead of the system's. */
  readonly ca?: string | undefined;
  /** PEM: the certificate that the console must show, whatever names and authorities it has. */
  readonly pinned?: string | undefined;
  /** PEM: the caller's own certificate and key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

type Methods = typeof ConsoleService.method;
type MethodName = keyof Methods;
type Input<Name extends MethodName> = MessageInitShape<Methods[Name]['input']>;
type UnaryName = {
  [Name in MethodName]: Methods[Name]['methodKind'] extends 'unary' ? Name : never;
}[MethodName];
type StreamName = Exclude<MethodName, UnaryName>;
type Answer<Name extends UnaryName> = Awaited<ReturnType<Client<typeof ConsoleService>[Name]>>;
type Item<Name extends StreamName> =
  ReturnType<Client<typeof ConsoleService>[Name]> extends AsyncIterable<infer T> ? T : never;

/** No message of a console is larger: a vehicle of 512 ECUs with all their failures has a few megabytes. */
const maxMessageBytes = 64 * 1024 * 1024;

/** A console says that it is alive every 15 s at least; one that does not is gone without a word. */
const silenceMs = 45_000;

/**
 * Asks the console of one daemon, for people and scripts. Messages are those of ota.console.v1. Every call ends with a
 * ConsoleError when it does not end well. Dispose it to let go.
 */
export class ConsoleClient {
  readonly url: string;
  readonly #hasToken: boolean;
  readonly #agent: Agent;
  readonly #client: Client<typeof ConsoleService>;

  constructor(address: ConsoleAddress) {
    const { url, token, ca, pinned, cert, key } = address;
    this.url = url;
    this.#hasToken = token !== undefined;
    const tls = {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(pinned === undefined ? {} : pinnedTo(pinned)),
    };
    this.#agent = url.startsWith('https:')
      ? new https.Agent({ keepAlive: true, ...tls })
      : new nodeHttp.Agent({ keepAlive: true });
    this.#client = createClient(
      ConsoleService,
      createConnectTransport({
        baseUrl: url,
        httpVersion: '1.1',
        nodeOptions: { agent: this.#agent },
        interceptors: token === undefined ? [] : [bearer(token)],
        readMaxBytes: maxMessageBytes,
      }),
    );
  }

  /** One question, one answer. */
  async ask<Name extends UnaryName>(
    method: Name,
    request: Input<Name>,
    { signal, budgetMs }: CallContext,
  ): Promise<Answer<Name>> {
    // TypeScript does not see that method and request belong together once they are variables.
    const call = this.#client[method] as unknown as (
      request: Input<Name>,
      options: CallOptions,
    ) => Promise<Answer<Name>>;
    try {
      return await call(request, { signal, timeoutMs: budgetMs });
    } catch (error) {
      throw this.#error(error, method, budgetMs, signal);
    }
  }

  /** What the console sends until `signal` fires, the console ends it, or it has been silent for too long. */
  async *watch<Name extends StreamName>(
    method: Name,
    request: Input<Name>,
    signal: AbortSignal,
  ): AsyncGenerator<Item<Name>, void, void> {
    const call = this.#client[method] as unknown as (
      request: Input<Name>,
      options: CallOptions,
    ) => AsyncIterable<Item<Name>>;
    const silence = new AbortController();
    const wait = (): NodeJS.Timeout => setTimeout(() => silence.abort(), silenceMs);
    let timer = wait();
    const either = AbortSignal.any([signal, silence.signal]);
    try {
      for await (const item of call(request, { signal: either })) {
        clearTimeout(timer);
        yield item;
        timer = wait();
      }
    } catch (error) {
      if (silence.signal.aborted && !signal.aborted) {
        const text = `the console at ${this.url} has said nothing for ${silenceMs / 1000} s`;
        throw new ConsoleError('timeout', text, { cause: error });
      }
      throw this.#error(error, method, silenceMs, signal);
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #error(error: unknown, method: string, budgetMs: number, signal: AbortSignal): ConsoleError {
    return consoleErrorFrom(error, {
      url: this.url,
      method: method.charAt(0).toUpperCase() + method.slice(1),
      hasToken: this.#hasToken,
      budgetMs,
      signal,
    });
  }
}

function bearer(token: string): Interceptor {
  return (next) => async (request) => {
    request.header.set('Authorization', `Bearer ${token}`);
    return await next(request);
  };
}

/** Trusts one certificate, known beforehand, and no other: that of a daemon on this machine, by whatever address. */
function pinnedTo(pem: string): https.AgentOptions {
  const { fingerprint256 } = new X509Certificate(pem);
  return {
    ca: pem,
    allowPartialTrustChain: true,
    checkServerIdentity: (host, shown) =>
      shown.fingerprint256 === fingerprint256
        ? undefined
        : Object.assign(new Error(`${host} shows another certificate`), { code: 'CERT_NOT_PINNED' }),
  };
}
