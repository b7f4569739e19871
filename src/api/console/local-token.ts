import { randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectoryDurably, writeDurably } from '#host/durable-file.ts';

/** Where the token for programs on this machine lies, within the state directory. */
const localTokenFile = ['console', 'local-token'] as const;

/**
 * Writes a new token for whoever may read the daemon's state: the command line of the same user. It dies with the daemon.
 * Errors: those of the file system.
 */
export async function writeLocalToken(stateDirectory: string): Promise<string> {
  const [directory] = localTokenFile;
  const token = randomBytes(32).toString('base64url');
  await makeDirectoryDurably(join(stateDirectory, directory), 0o700);
  const file = join(stateDirectory, ...localTokenFile);
  await writeDurably(file, `${token}\n`, 0o600);
  await chmod(file, 0o600);
  return token;
}
