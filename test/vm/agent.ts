import { mkdir, symlink, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { connectSoon } from './qmp.ts';

/** Name of the serial port by which the machine takes commands; nothing of it passes through the network. */
export const agentPort = 'ota.vm';

const script = `#!/bin/sh
# Takes lines "ID COMMAND" and answers "ID EXITCODE OUTPUT", command and output in base64.
echo "${agentPort}: $(cat /etc/vehicle-release) is up" >/dev/console
exec 3<>/dev/virtio-ports/${agentPort}
echo "up 0 $(cat /proc/sys/kernel/random/boot_id | base64 -w0)" >&3
while read -r id command <&3; do
  printf %s "$command" | base64 -d >/run/agent.command
  timeout 900 sh /run/agent.command >/run/agent.output 2>&1 </dev/null
  echo "$id $? $(base64 -w0 /run/agent.output)" >&3
done
`;
const unit = `[Unit]
Description=Commands from outside this machine
DefaultDependencies=no
After=local-fs.target
Conflicts=shutdown.target
[Service]
ExecStart=/bin/sh /usr/local/sbin/vm-agent
Restart=always
RestartSec=1
StandardOutput=journal
[Install]
WantedBy=sysinit.target
`;

/** Puts the agent into a tree. */
export async function installAgent(root: string): Promise<void> {
  const files: Record<string, string> = {
    'usr/local/sbin/vm-agent': script,
    'etc/systemd/system/vm-agent.service': unit,
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  const wants = join(root, 'etc/systemd/system/sysinit.target.wants');
  await mkdir(wants, { recursive: true });
  await symlink('/etc/systemd/system/vm-agent.service', join(wants, 'vm-agent.service'));
}

export interface AgentAnswer {
  readonly exitCode: number;
  readonly output: string;
}

/** The near end of the agent: outlives reboots of the machine. */
export class Agent implements Disposable {
  readonly #socket: Socket;
  readonly #waiting = new Map<string, (answer: AgentAnswer) => void>();
  #next = 0;
  /** How often an agent has come up: once for every boot that came so far. */
  boots = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    createInterface({ input: socket }).on('line', (line) => {
      const [id = '', exitCode, output = ''] = line.split(' ');
      if (id === 'up') this.boots += 1;
      const answered = this.#waiting.get(id);
      this.#waiting.delete(id);
      answered?.({ exitCode: Number(exitCode), output: Buffer.from(output, 'base64').toString() });
    });
  }

  static async open(path: string): Promise<Agent> {
    return new Agent(await connectSoon(path));
  }

  /** Runs a shell command in the machine. Fails when no answer comes: the machine may have been reset meanwhile. */
  async run(command: string, limitMs = 120_000): Promise<AgentAnswer> {
    const id = `c${this.#next++}`;
    const { promise, resolve, reject } = Promise.withResolvers<AgentAnswer>();
    this.#waiting.set(id, resolve);
    const timer = setTimeout(() => reject(new Error(`the machine does not answer: ${command}`)), limitMs);
    try {
      this.#socket.write(`${id} ${Buffer.from(command).toString('base64')}\n`);
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
