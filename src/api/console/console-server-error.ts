/** Why the console cannot be served. */
export type ConsoleServerErrorCode =
  | 'address_in_use'
  | 'address_not_local'
  | 'not_permitted'
  | 'tls_incomplete'
  | 'tls_unreadable'
  | 'tls_invalid'
  | 'other';

const mend: Readonly<Record<ConsoleServerErrorCode, string>> = {
  address_in_use: 'is in use: set another console.port',
  address_not_local: 'is not an address of this machine: correct console.host',
  not_permitted: 'may not be listened on by this user: set a console.port above 1023',
  tls_incomplete: 'go together: set both, or neither',
  tls_unreadable: 'cannot be read: check that it is there and may be read',
  tls_invalid: 'is no usable PEM file, or does not belong to the others: check it with `openssl`',
  other: 'cannot be served',
};

/** The console cannot be served; everything else goes on. `message` names what is wrong and says what to do. */
export class ConsoleServerError extends Error {
  override readonly name = 'ConsoleServerError';
  readonly code: ConsoleServerErrorCode;

  constructor(code: ConsoleServerErrorCode, what: string, options?: { readonly cause?: unknown }) {
    super(`${what} ${mend[code]}`, options);
    this.code = code;
  }
}
