/** Why the API cannot be served. */
export type ServerErrorCode = 'address_in_use' | 'address_not_local' | 'not_permitted' | 'other';

const mend: Record<ServerErrorCode, string> = {
  address_in_use: 'is in use; is another daemon running?',
  address_not_local: 'is not an address of this machine; correct ip_addr in ecu_info.yml',
  not_permitted: 'may not be listened on by this user; choose a port above 1023',
  other: 'cannot be listened on',
};

/** The API's address cannot be listened on. `message` names it and says what to do. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
  readonly code: ServerErrorCode;

  constructor(code: ServerErrorCode, address: string, options?: { readonly cause?: unknown }) {
    super(`${address} ${mend[code]}`, options);
    this.code = code;
  }
}
