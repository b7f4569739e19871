import type { X509Certificate } from 'node:crypto';
import { type DerElement, oid, readDer } from '#image/der.ts';
import { ImageError } from '#image/image-error.ts';

/** What a certificate says about its own use, as far as Node does not tell. */
export interface Constraints {
  /** Made before there were extensions: it cannot say whether it is a CA. */
  readonly isVersion1: boolean;
  /** Whether its key may sign data; true when the certificate has no keyUsage at all. */
  readonly signsData: boolean;
  /** How many further CAs may stand between it and a leaf; Infinity when it does not say. */
  readonly pathLength: number;
}

/** Comes first in every certificate but those of version 1, where it is left out (RFC 5280 section 4.1.2.1). */
const versionTag = 0xa0;
const basicConstraints = oid('2.5.29.19');
const keyUsage = oid('2.5.29.15');

/** digitalSignature and contentCommitment, the first two bits of keyUsage (RFC 5280 section 4.2.1.3). */
const dataSigningBits = 0xc0;

/**
 * Reads keyUsage and the path length, which `X509Certificate` does not give.
 *
 * Errors: ImageError certificate_malformed.
 */
export function constraintsOf(certificate: X509Certificate): Constraints {
  try {
    const extensions = extensionsOf(certificate);
    const usage = extensions.find(([id]) => id.equals(keyUsage))?.[1];
    const constraints = extensions.find(([id]) => id.equals(basicConstraints))?.[1];
    return {
      isVersion1: bodyOf(certificate)[0]?.tag !== versionTag,
      signsData: usage === undefined || ((readDer(usage)[0]?.content[1] ?? 0) & dataSigningBits) !== 0,
      pathLength: constraints === undefined ? Number.POSITIVE_INFINITY : readPathLength(constraints),
    };
  } catch (cause) {
    throw new ImageError(
      'certificate_malformed',
      `certificate of ${JSON.stringify(certificate.subject)} has unreadable extensions`,
      { cause },
    );
  }
}

/** Whole object identifier and value of each extension. A version 1 certificate has none. */
function extensionsOf(certificate: X509Certificate): [Buffer, Buffer][] {
  const wrapped = bodyOf(certificate).find((element) => element.tag === 0xa3);
  return children(children(wrapped)[0]).map((extension) => {
    const parts = children(extension);
    const id = parts[0]?.content ?? Buffer.alloc(0);
    return [Buffer.concat([Buffer.from([0x06, id.length]), id]), parts.at(-1)?.content ?? Buffer.alloc(0)];
  });
}

function bodyOf(certificate: X509Certificate): DerElement[] {
  return children(children(readDer(certificate.raw)[0])[0]);
}

function children(element: DerElement | undefined): DerElement[] {
  return element === undefined ? [] : readDer(element.content);
}

function readPathLength(value: Buffer): number {
  const length = children(readDer(value)[0]).find((element) => element.tag === 0x02)?.content;
  return length === undefined || length.length > 4
    ? Number.POSITIVE_INFINITY
    : length.readUIntBE(0, length.length);
}
