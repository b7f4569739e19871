/** Counts calls under way per client, so that one client cannot take all there is. */
export class CallGate {
  readonly #limit: number;
  readonly #underWay = new Map<string, number>();

  constructor(limitPerClient: number) {
    this.#limit = limitPerClient;
  }

  /** Undefined when the client has too many calls under way; else to be disposed when the call ends. */
  enter(peer: string): Disposable | undefined {
    const client = hostOf(peer);
    const now = (this.#underWay.get(client) ?? 0) + 1;
    if (now > this.#limit) return undefined;
    this.#underWay.set(client, now);
    return { [Symbol.dispose]: () => this.#leave(client) };
  }

  #leave(client: string): void {
    const left = (this.#underWay.get(client) ?? 1) - 1;
    if (left === 0) this.#underWay.delete(client);
    else this.#underWay.set(client, left);
  }
}

/** A client is a host: each of its connections has a port of its own. */
export function hostOf(peer: string): string {
  const port = peer.lastIndexOf(':');
  return port === -1 ? peer : peer.slice(0, port);
}
