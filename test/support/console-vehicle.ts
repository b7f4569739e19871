import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { DaemonProcess } from './daemon-process.ts';
import { freePort } from './free-port.ts';
import { makeTree, UpdateWorld } from './update-world.ts';

/** A child of the main ECU. */
export interface ConsoleChild {
  readonly ecuId: string;
  readonly port: number;
}

export const tokens = { operator: 'an-operator-of-this-test', viewer: 'a-viewer-of-this-test' } as const;

/** A main ECU that serves people: a real daemon, an image server, tokens for both roles. */
export interface ConsoleVehicle {
  readonly world: UpdateWorld;
  readonly daemon: DaemonProcess;
  /** Address of the console, with a slash at its end. */
  readonly url: string;
  readonly localToken: () => Promise<string>;
}

/** Starts it; it is supervised, so that it starts again when it is killed or wants to boot. */
export async function startConsoleVehicle(
  t: TestContext,
  children: readonly ConsoleChild[] = [],
  options = '',
): Promise<ConsoleVehicle> {
  const world = await UpdateWorld.create(t);
  const { directory } = world;
  // As it leaves the factory: an empty slot cannot be gone back to.
  await makeTree(world.tree.activeRoot, { 'etc/os-release': 'ID=test\n' });
  const status = join(directory, 'slots/status/slot_a');
  await mkdir(status, { recursive: true });
  await writeFile(join(status, 'version'), '1');
  const port = await freePort();
  const tokensFile = join(directory, 'tokens.yml');
  const lines = Object.entries(tokens).map(
    ([role, token]) =>
      `  - { name: ${role}, role: ${role}, sha256: ${createHash('sha256').update(token).digest('hex')} }\n`,
  );
  await writeFile(tokensFile, `tokens:\n${lines.join('')}`);
  const secondaries = children.map(
    ({ ecuId, port: childPort }) => `  - { ecu_id: ${ecuId}, ip_addr: 127.0.0.1, port: ${childPort} }\n`,
  );
  const daemon = await DaemonProcess.create(t, {
    directory,
    ecuInfo: `ecu_id: main\nbootloader: directory\nip_addr: 127.0.0.1\n${
      secondaries.length === 0 ? '' : `secondaries:\n${secondaries.join('')}`
    }`,
    options: `console: { port: ${port}, tokens_file: ${tokensFile}, heartbeat_ms: 1000 }
children: { poll_active_ms: 200, poll_idle_ms: 200, status_timeout_ms: 2000 }
${options}`,
  });
  void daemon.supervise();
  await daemon.untilLogged(/the console is served/);
  return {
    world,
    daemon,
    url: `http://127.0.0.1:${port}/`,
    localToken: async () => (await readFile(join(directory, 'state/console/local-token'), 'utf8')).trim(),
  };
}
