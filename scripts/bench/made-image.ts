import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { makeKeys } from '#image/build/keys.ts';
import { loadSigner } from '#image/build/sign.ts';
import { directorySource } from '#image/build/source-directory.ts';
import { buildImage } from '#image/build/write-image.ts';

/** An old tree, and an image of a new one that differs in the last `freshPart` of its files. */
export interface MadeImage {
  readonly old: string;
  readonly image: string;
  readonly trust: string;
}

/** A tree of `files` files of `bytes` bytes, all different; those from `fresh` on are other ones in the new tree. */
function makeTree(root: string, files: number, bytes: number, fresh: number, salt: string): void {
  for (let i = 0; i < files; i++) {
    const folder = join(root, `folder-${Math.floor(i / 100)}`);
    if (i % 100 === 0) mkdirSync(folder, { recursive: true });
    const content = Buffer.alloc(bytes, `${i} of ${i >= fresh ? salt : 'both'}. `);
    writeFileSync(join(folder, `file-with-an-ordinary-name-${i}.txt`), content);
  }
}

/** Makes all of it below `directory`, which is empty. */
export async function makeImage(
  directory: string,
  shape: { readonly files: number; readonly bytes: number; readonly freshPart: number },
): Promise<MadeImage> {
  const { files, bytes, freshPart } = shape;
  const fresh = Math.floor(files * (1 - freshPart));
  const old = join(directory, 'old');
  makeTree(old, files, bytes, fresh, 'old');
  makeTree(join(directory, 'new'), files, bytes, fresh, 'new');
  const keys = await makeKeys({ directory: join(directory, 'keys') });
  const trust = join(directory, 'trust');
  mkdirSync(trust);
  for (const file of keys.trust) copyFileSync(file, join(trust, basename(file)));
  const signer = await loadSigner({ certificate: keys.signCertificate, key: keys.signKey });
  const image = join(directory, 'image');
  await buildImage({ source: directorySource(join(directory, 'new')), output: image, signer });
  rmSync(join(directory, 'new'), { recursive: true });
  return { old, image, trust };
}
