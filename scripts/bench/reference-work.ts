import { createReadStream } from 'node:fs';
import { access, copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { makeKeys } from '#image/build/keys.ts';
import { loadSigner, signImage } from '#image/build/sign.ts';
import { tarSource } from '#image/build/source-tar.ts';
import { buildImage } from '#image/build/write-image.ts';
import { run } from './shell.ts';

const common =
  'systemd,systemd-sysv,udev,dbus,linux-image-cloud-amd64,gcc,g++,gdb,cmake,git,vim,python3-numpy,python3-scipy,' +
  'python3-pip,openjdk-17-jre-headless,llvm-14,perl,openssh-server,curl,ca-certificates,locales,man-db,manpages-dev,' +
  'libboost1.74-dev';

/** The old and the new state of one root file system: most packages are in both. */
const states = { old: `${common},golang-1.19-go`, next: `${common},emacs-nox,ruby` } as const;

/** Debian root file systems in two states as tar files, and the new one as a signed image. */
export interface ReferenceWork {
  readonly oldTar: string;
  readonly newTar: string;
  readonly image: string;
  readonly trust: string;
}

/** Makes what is not in `cache` yet, from the machine's own apt sources; takes about ten minutes and 6 GB. */
export async function referenceWork(cache: string): Promise<ReferenceWork> {
  await mkdir(cache, { recursive: true });
  const work = {
    oldTar: join(cache, 'old.tar'),
    newTar: join(cache, 'new.tar'),
    image: join(cache, 'image'),
    trust: join(cache, 'trust'),
  };
  await once(work.oldTar, (partial) => debian(states.old, partial));
  await once(work.newTar, (partial) => debian(states.next, partial));
  await once(work.image, async (partial) => {
    console.log('building the image');
    const { trust, signCertificate, signKey } = await makeKeys({
      directory: join(cache, `keys-${process.pid}`),
    });
    await rm(work.trust, { recursive: true, force: true });
    await mkdir(work.trust);
    for (const file of trust) await copyFile(file, join(work.trust, basename(file)));
    const source = tarSource(createReadStream(work.newTar));
    await buildImage({ source, output: partial, drop: ['devices', 'xattrs'] });
    await signImage(partial, await loadSigner({ certificate: signCertificate, key: signKey }));
  });
  return work;
}

async function debian(packages: string, output: string): Promise<void> {
  console.log(`building a Debian root file system: ${packages}`);
  run('mmdebstrap', '--quiet', '--variant=apt', '--format=tar', `--include=${packages}`, 'bookworm', output);
}

/** Makes a file or directory under another name and renames it when it is complete. */
async function once(path: string, make: (partial: string) => Promise<void>): Promise<void> {
  try {
    await access(path);
  } catch {
    const partial = `${path}.partial`;
    await rm(partial, { recursive: true, force: true });
    await make(partial);
    await rename(partial, path);
  }
}
