import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { FetchDescription, VerifiedImage } from '#image/image.ts';
import { ImageError, type ImageErrorCode } from '#image/image-error.ts';
import { readLegacyImage } from '#image/legacy/read-image.ts';
import { scratchDirectory } from './scratch-directory.ts';
import {
  fetchFrom,
  type ImageFiles,
  type ImageSpec,
  imageBase,
  regularLine,
  signedImage,
} from './signed-image.ts';
import { installChain, makeChain, type SigningChain, testNow } from './signing-chain.ts';

/** A vehicle that trusts one chain, and reads images. */
export class Reader {
  readonly chain: SigningChain = makeChain();
  /** What was asked of the server, in order. */
  readonly asked: string[] = [];
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  static async create(t: TestContext): Promise<Reader> {
    return new Reader(await scratchDirectory(t));
  }

  image(spec: Partial<ImageSpec>): ImageFiles {
    return signedImage({ signer: this.chain.leaf, ...spec });
  }

  async read(files: ImageFiles, fetch?: FetchDescription, baseUrl = imageBase): Promise<VerifiedImage> {
    const trust = await installChain(this.#directory, this.chain);
    const { signal } = new AbortController();
    const given = fetch ?? fetchFrom(files, this.asked);
    return readLegacyImage({ baseUrl, trust, fetch: given, now: testNow, signal });
  }

  async refuses(files: ImageFiles, code: ImageErrorCode, mention?: RegExp): Promise<void> {
    await assert.rejects(this.read(files), (error) => {
      assert.ok(error instanceof ImageError, String(error));
      assert.equal(error.code, code, error.message);
      if (mention !== undefined) assert.match(error.message, mention);
      return true;
    });
  }
}

/** A small tree with one of everything that is easily got wrong. */
export const sampleTree = {
  directories: ["0755,0,0,'/etc'", "1777,0,0,'/tmp'", "0700,1000,1000,'/home/it'\\''s'", "0755,0,0,'/home'"],
  symlinks: ["0777,0,0,'/etc/link','../usr/it'\\''s'"],
  regulars: [
    regularLine('/etc/hosts', 'hosts'),
    regularLine('/etc/copy', 'hosts'),
    regularLine('/etc/a b,+é', 'odd'),
    regularLine('/etc/big', 'big', ',3,,zst'),
    regularLine('/etc/one', 'linked', ',6,42,'),
    regularLine('/etc/two', 'linked', ',6,42,'),
    regularLine('/etc/unknown', 'size', ''),
  ],
  persistents: ["'/etc/hosts'", "'/etc/netplan/'", "'/etc/hosts'"],
};
