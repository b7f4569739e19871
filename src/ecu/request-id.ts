import { randomBytes } from 'node:crypto';

/** As existing daemons make them: `<unix time in seconds>-<8 hex digits>`. */
export function newRequestId(): string {
  return `${Math.floor(Date.now() / 1000)}-${randomBytes(4).toString('hex')}`;
}
