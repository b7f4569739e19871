import { createHash } from 'node:crypto';

/** SHA-256 of a token, in hexadecimal digits: what the tokens file holds. */
export function digestOfToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
