import { createHash, type KeyObject, sign } from 'node:crypto';
import type { Sha256 } from '#domain/digest.ts';
import type { FetchDescription } from '#image/image.ts';
import type { Signer } from './signing-chain.ts';

/** The description of a legacy image: what is told here is really signed, however hostile it is. */
export interface ImageSpec {
  readonly signer: Signer;
  readonly directories?: readonly string[];
  readonly symlinks?: readonly string[];
  readonly regulars?: readonly string[];
  readonly persistents?: readonly string[];
  readonly header?: unknown;
  /** Takes the honest claims, and gives those that are signed. */
  readonly claims?: (honest: readonly object[]) => unknown;
  readonly encoding?: 'padded' | 'unpadded';
  readonly signature?: 'der' | 'raw';
  /** Signs in place of the certificate's own key. */
  readonly key?: KeyObject;
}

export const imageBase = new URL('http://image.example/releases/1');

/** Names and bytes of the files below the image's base URL. */
export type ImageFiles = Map<string, Uint8Array>;

export function signedImage(spec: ImageSpec): ImageFiles {
  const files: ImageFiles = new Map();
  const add = (claim: string, name: string, text: string): object => {
    files.set(name, Buffer.from(text));
    return { [claim]: name, hash: sha256(text) };
  };
  const honest = [
    { version: 1 },
    add('directory', 'dirs.txt', (spec.directories ?? []).join('\n')),
    add('symboliclink', 'symlinks.txt', (spec.symlinks ?? []).join('\n')),
    add('regular', 'regulars.txt', (spec.regulars ?? []).join('\n')),
    add('persistent', 'persistents.txt', (spec.persistents ?? []).join('\n')),
    { rootfs_directory: 'rootfs' },
    add('certificate', 'sign.pem', spec.signer.pem),
    { total_regular_size: '12345' },
    { compressed_rootfs_directory: 'rootfs.zst' },
  ];
  files.set('metadata.jwt', Buffer.from(signedJwt(spec.claims?.(honest) ?? honest, spec)));
  return files;
}

export function signedJwt(
  payload: unknown,
  spec: Pick<ImageSpec, 'signer' | 'header' | 'encoding' | 'signature' | 'key'>,
): string {
  const encode = (bytes: Uint8Array): string => base64Url(bytes, spec.encoding ?? 'padded');
  const json = (value: unknown): string => encode(Buffer.from(JSON.stringify(value)));
  const signed = `${json(spec.header ?? { alg: 'ES256' })}.${json(payload)}`;
  const key = spec.key ?? spec.signer.key.privateKey;
  const dsaEncoding = spec.signature === 'raw' ? 'ieee-p1363' : 'der';
  return `${signed}.${encode(sign('sha256', Buffer.from(signed), { key, dsaEncoding }))}`;
}

export function base64Url(bytes: Uint8Array, encoding: 'padded' | 'unpadded'): string {
  const text = Buffer.from(bytes).toString('base64url');
  return encoding === 'padded' ? text.padEnd(Math.ceil(text.length / 4) * 4, '=') : text;
}

export function sha256(content: string | Uint8Array): Sha256 {
  return createHash('sha256').update(content).digest('hex') as Sha256;
}

/** Gives the files in small, oddly cut chunks. `asked` collects the paths that were asked for, below the base URL. */
export function fetchFrom(files: ImageFiles, asked: string[] = [], chunkBytes = 61): FetchDescription {
  return async function* (file, signal) {
    signal.throwIfAborted();
    const name = file.url.href.slice(imageBase.href.length + 1);
    asked.push(name);
    const bytes = files.get(decodeURIComponent(name));
    if (bytes === undefined) throw new Error(`image has no file ${name}`);
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
  };
}

/** One line of regulars.txt. */
export function regularLine(
  path: string,
  content: string,
  tail = `,${Buffer.byteLength(content)},,`,
): string {
  return `0644,0,0,1,${sha256(content)},${quoted(path)}${tail}`;
}

export function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}
