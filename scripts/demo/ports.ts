import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename } from 'node:path';
import { DemoError } from './demo-error.ts';

/** A port that is in use, and by whom where that can be found out. */
export interface TakenPort {
  readonly host: string;
  readonly port: number;
  /** `process 4711 (node src/main.ts)`, or `another process`. */
  readonly holder: string;
}

/** How many ports are tried, one after the other. */
const attempts = 100;

/**
 * The first port from `wanted` on that is free at every one of the addresses; `taken` tells why it is another one.
 * Errors: DemoError no_port.
 */
export async function freePort(
  hosts: readonly string[],
  wanted: number,
): Promise<{ readonly port: number; readonly taken: TakenPort | undefined }> {
  let taken: TakenPort | undefined;
  for (let port = wanted; port < Math.min(wanted + attempts, 65_536); port++) {
    const busy = await firstBusy(hosts, port);
    if (busy === undefined) return { port, taken };
    taken ??= { host: busy, port, holder: await holderOf(busy, port) };
  }
  throw new DemoError('no_port', `none of the ports from ${wanted} on is free on ${hosts.join(', ')}`);
}

async function firstBusy(hosts: readonly string[], port: number): Promise<string | undefined> {
  for (const host of hosts) {
    const server = createServer();
    try {
      await once(server.listen({ host, port, exclusive: true }), 'listening');
      const closed = once(server, 'close');
      server.close();
      await closed;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EADDRINUSE') return host;
      const message = `${host}:${port} cannot be listened on (${code}); all of 127.0.0.0/8 is needed`;
      throw new DemoError('no_port', message, { cause: error });
    }
  }
  return undefined;
}

/** Who listens on a port, from /proc: proc_net_tcp(5) has the sockets' inodes, /proc/PID/fd the processes'. */
async function holderOf(host: string, port: number): Promise<string> {
  // Addresses are shown as numbers in the byte order of the machine, which is little-endian here.
  const address = Buffer.from(host.split('.').map(Number)).reverse().toString('hex').toUpperCase();
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const lines = (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1);
    for (const line of lines) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      const [at = '', number = ''] = local.split(':');
      const isThere = at.endsWith(address) || /^0+$/.test(at);
      const isListening = state === '0A';
      if (isListening && isThere && Number.parseInt(number, 16) === port) inodes.add(inode);
    }
  }
  const processes = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of processes) {
    // Processes of other users, and those that have just ended, do not show their files.
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const descriptor of descriptors) {
      const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '');
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode === undefined || !inodes.has(inode)) continue;
      const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
      const words = command
        .filter((word) => word !== '' && !word.startsWith('-'))
        .map((word) => basename(word));
      return `process ${pid} (${words.join(' ').slice(0, 60)})`;
    }
  }
  return 'another process';
}
