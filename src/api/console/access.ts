import type { PeerCertificate } from 'node:tls';
import { callerName } from '#config/console-tokens.ts';
import type { DaemonOptions } from '#config/options.ts';
import type { Identity } from '#domain/role.ts';
import { Attempts } from './attempts.ts';
import type { TokenBook } from './token-book.ts';

/** What somebody shows at the door. */
export interface Credentials {
  /** The address that the connection comes from. */
  readonly address: string;
  /** Of the header `authorization`. */
  readonly authorization: string | undefined;
  /** Of a client certificate that an accepted authority has signed. */
  readonly certificate: PeerCertificate | undefined;
}

export type Admission =
  | { readonly kind: 'admitted'; readonly identity: Identity }
  /** Shows nothing. */
  | { readonly kind: 'stranger' }
  /** Shows what opens nothing. */
  | { readonly kind: 'refused'; readonly why: string }
  /** Has shown that too often. */
  | { readonly kind: 'blocked'; readonly waitMs: number };

export interface AccessOptions {
  readonly book: TokenBook;
  readonly roles: Pick<DaemonOptions['console'], 'clientViewers' | 'clientOperators'>;
  /** Somebody was turned away who showed something; told no more often than attempts are allowed. */
  readonly onRefused: (address: string, why: string) => void;
}

/** Decides who comes in, and as what. Nobody does without a role. */
export class Access {
  readonly #options: AccessOptions;
  readonly #attempts = new Attempts();

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  async admit(credentials: Credentials): Promise<Admission> {
    const { address, authorization, certificate } = credentials;
    if (authorization === undefined) {
      if (certificate === undefined) return { kind: 'stranger' };
      const identity = this.#ofCertificate(certificate);
      if (identity !== undefined) return { kind: 'admitted', identity };
      return this.#refuse(address, 'the client certificate has no role');
    }
    const token = /^bearer +([^\s]+) *$/i.exec(authorization)?.[1];
    if (token === undefined) return this.#refuse(address, 'the header authorization is not `Bearer TOKEN`');
    const local = this.#options.book.local(token);
    if (local !== undefined) return { kind: 'admitted', identity: local };
    // Whoever guesses learns nothing any more, not even that a guess was right.
    const waitMs = this.#attempts.waitMs(address);
    if (waitMs > 0) return { kind: 'blocked', waitMs };
    const identity = await this.#options.book.named(token);
    return identity === undefined
      ? this.#refuse(address, 'the token is unknown')
      : { kind: 'admitted', identity };
  }

  #refuse(address: string, why: string): Admission {
    const waitMs = this.#attempts.waitMs(address);
    if (waitMs > 0) return { kind: 'blocked', waitMs };
    this.#attempts.fail(address);
    this.#options.onRefused(address, why);
    return { kind: 'refused', why };
  }

  #ofCertificate(certificate: PeerCertificate): Identity | undefined {
    const { clientOperators, clientViewers } = this.#options.roles;
    const names = namesOf(certificate);
    const operator = names.find((name) => clientOperators.includes(name));
    const name = operator ?? names.find((one) => clientViewers.includes(one));
    if (name === undefined) return undefined;
    return { name: shown(name), role: operator === undefined ? 'viewer' : 'operator' };
  }
}

/** Common name, and alternative names without their kind: `DNS:a.example` is `a.example`. */
function namesOf({ subject, subjectaltname = '' }: PeerCertificate): string[] {
  const common: unknown = subject?.CN;
  const others = subjectaltname.split(', ').map((name) => name.slice(name.indexOf(':') + 1));
  return [...(typeof common === 'string' ? [common] : []), ...others].filter((name) => name !== '');
}

/** As logs and the journal bear it. */
function shown(name: string): string {
  return callerName.test(name) ? name : name.replace(/[^\w.@-]/g, '_').slice(0, 64);
}
