import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { CatalogLeaf } from '../../src/diagnostics/signals/vss-catalog.ts';
import { Moods } from './moods.ts';
import { type BrokerWorld, valDefinition, valService } from './service.ts';
import { SignalTable } from './signal-table.ts';
import type { Subscription } from './subscription.ts';

export interface BrokerOptions {
  readonly leaves: readonly CatalogLeaf[];
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
  /** PEM; without it, connections are not encrypted. */
  readonly tls?: { readonly certificate: Buffer; readonly key: Buffer };
}

/** A broker of VSS signals that can be made to misbehave, and started again with nothing but its catalog. */
export class Broker {
  readonly moods = new Moods();
  readonly #options: BrokerOptions;
  #server = new Server();
  #table: SignalTable;
  #subscriptions = new Set<Subscription>();
  #starts = 0;
  #port: number;

  constructor(options: BrokerOptions) {
    this.#options = options;
    this.#port = options.port;
    this.#table = this.#freshTable();
  }

  get table(): SignalTable {
    return this.#table;
  }

  get port(): number {
    return this.#port;
  }

  /** Errors: what binding the port says. */
  async listen(): Promise<void> {
    const world: BrokerWorld = { table: this.#table, moods: this.moods, subscriptions: this.#subscriptions };
    this.#server = new Server();
    this.#server.addService(valDefinition(), valService(world));
    const { tls, host } = this.#options;
    const credentials =
      tls === undefined
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(null, [{ cert_chain: tls.certificate, private_key: tls.key }]);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const authority = host.includes(':') ? `[${host}]` : host;
    this.#server.bindAsync(`${authority}:${this.#port}`, credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
    this.#port = await promise;
  }

  /** Ends every subscription with OK. */
  endSubscriptions(): void {
    for (const subscription of this.#subscriptions) subscription.end();
    this.#subscriptions.clear();
  }

  /** Breaks every connection; nobody can connect until `listen`. */
  stop(): void {
    this.#server.forceShutdown();
    this.#subscriptions.clear();
  }

  /** Starts as if for the first time: no values but those of the catalog, and other ids. */
  async restart(): Promise<void> {
    this.stop();
    this.#table = this.#freshTable();
    await this.listen();
  }

  #freshTable(): SignalTable {
    this.#starts++;
    const leaves = this.#starts % 2 === 1 ? this.#options.leaves : this.#options.leaves.toReversed();
    return new SignalTable(leaves, this.#starts * 1000);
  }
}
