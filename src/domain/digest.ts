declare const sha256Brand: unique symbol;

/** A SHA-256 digest as 64 lower-case hex digits. */
export type Sha256 = string & { readonly [sha256Brand]: true };

/** Whether `text` is a SHA-256 digest in lower-case hex. */
export function isSha256(text: string): text is Sha256 {
  return /^[0-9a-f]{64}$/.test(text);
}

/** The digest of zero bytes. */
export const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' as Sha256;
