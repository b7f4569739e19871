import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../support/free-port.ts';
import { Agent, agentPort } from './agent.ts';
import { copyEfiVariables, type Firmware } from './disk.ts';
import { Qmp } from './qmp.ts';
import { run } from './tools.ts';

/** Port of the daemon inside the machine. */
const daemonPort = 50051;

/** A virtual machine with a disk of its own that lies over a shared one, which stays as it is. */
export class Machine implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly qmp: Qmp;
  readonly agent: Agent;
  /** Where the daemon's port can be reached from here. */
  readonly port: number;

  private constructor(child: ChildProcess, directory: string, qmp: Qmp, agent: Agent, port: number) {
    this.#child = child;
    this.#directory = directory;
    this.qmp = qmp;
    this.agent = agent;
    this.port = port;
  }

  /**
   * Starts it; returns before anything in it runs. The agent's `setting` is there for whatever runs inside, and so is
   * `stick`, a file, as its second disk.
   */
  static async start(disk: string, firmware: Firmware, setting = 'none', stick?: string): Promise<Machine> {
    const directory = await mkdtemp(join(tmpdir(), 'ota-vm-'));
    const file = (name: string): string => join(directory, name);
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', disk, file('disk.qcow2')]);
    if (firmware === 'efi') await copyEfiVariables(file('variables'));
    const port = await freePort();
    // However this process ends, the machine ends with it.
    const command = [
      '--pdeathsig',
      'KILL',
      'qemu-system-x86_64',
      ...argumentsOf(firmware, file, { port, setting, stick }),
    ];
    const child = spawn('setpriv', command, { stdio: ['ignore', 'inherit', 'inherit'] });
    try {
      const qmp = await Qmp.open(file('qmp'));
      return new Machine(child, directory, qmp, await Agent.open(file('agent')), port);
    } catch (error) {
      await end(child);
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** What the machine wrote to its console since it was switched on. */
  async console(): Promise<string> {
    return readFile(join(this.#directory, 'console'), 'utf8').catch(() => '');
  }

  /** As if its power had been cut: nothing inside is told. */
  async powerCycle(): Promise<void> {
    await this.qmp.ask('system_reset');
  }

  /** Waits until the agent of the next boot is up. */
  async untilBoot(number: number, limitMs = 900_000): Promise<void> {
    const end = performance.now() + limitMs;
    while (this.agent.boots < number) {
      if (performance.now() > end || this.#child.exitCode !== null) {
        throw new Error(`boot ${number} does not come up:\n${(await this.console()).slice(-3000)}`);
      }
      await delay(100);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.agent[Symbol.dispose]();
    this.qmp[Symbol.dispose]();
    await end(this.#child);
    await rm(this.#directory, { recursive: true, force: true });
  }
}

function argumentsOf(
  firmware: Firmware,
  file: (name: string) => string,
  {
    port,
    setting,
    stick,
  }: { readonly port: number; readonly setting: string; readonly stick: string | undefined },
): string[] {
  const given: Record<string, readonly string[]> = {
    machine: ['q35'],
    // A boot translates half a gigabyte; when there is no room, all of it is thrown away.
    accel: ['tcg,thread=multi,tb-size=1024'],
    // Wide vector instructions are slower to emulate than what libraries do without them: SHA-256 by three, zstd by four.
    cpu: ['max,-avx,-avx2,-la57'],
    // One: kernels patch their own code, and emulated cores do not see each other's patches in time, now and then.
    smp: ['1'],
    m: ['1024'],
    display: ['none'],
    drive: [
      `if=none,id=disk,format=qcow2,cache=unsafe,file=${file('disk.qcow2')}`,
      ...(stick === undefined ? [] : [`if=none,id=stick,format=raw,readonly=on,file=${stick}`]),
      ...(firmware === 'bios'
        ? []
        : [
            'if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd',
            `if=pflash,unit=1,format=raw,file=${file('variables')}`,
          ]),
    ],
    netdev: [`user,id=net,hostfwd=tcp:127.0.0.1:${port}-:${daemonPort}`],
    chardev: [`socket,id=agent,path=${file('agent')},server=on,wait=off`],
    device: [
      'virtio-blk-pci,drive=disk,bootindex=0',
      ...(stick === undefined ? [] : ['virtio-blk-pci,drive=stick']),
      'virtio-net-pci,netdev=net,romfile=',
      'virtio-rng-pci',
      'virtio-serial-pci',
      `virtserialport,chardev=agent,name=${agentPort}`,
    ],
    fw_cfg: [`name=opt/${agentPort}/setting,string=${setting}`],
    serial: [`file:${file('console')}`],
    qmp: [`unix:${file('qmp')},server=on,wait=off`],
  };
  const options = Object.entries(given).flatMap(([name, values]) =>
    values.flatMap((value) => [`-${name}`, value]),
  );
  return ['-nodefaults', '-no-user-config', ...options];
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
