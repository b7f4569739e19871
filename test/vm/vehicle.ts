import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { OtaClient } from '#api/client.ts';
import type { EcuStatus, OtaStatus } from '#domain/status.ts';
import type { CallContext } from '#ecu/ecu.ts';
import type { Firmware } from './disk.ts';
import type { Fleet } from './fleet.ts';
import type { ImageServer } from './image-server.ts';
import { installCommands } from './install-page.ts';
import { Machine } from './machine.ts';

/** So much patience with a machine that is emulated, beside another one, on a busy host. */
const patienceMs = 900_000;

/** What `ota blackbox show --json` tells, as far as it is looked at here. */
export interface ShownBlackBox {
  readonly cause: string;
  readonly detail: string;
  readonly boots: number | null;
  readonly probe: { readonly name: string; readonly output: string } | null;
  readonly left: { readonly version: string };
  readonly quarantined: boolean;
  readonly evidence: readonly { readonly source: string; readonly text: string }[];
}

/** A machine with one ECU in it, asked from outside as a vehicle's gateway or a fleet would. */
export class Vehicle implements AsyncDisposable {
  readonly machine: Machine;
  readonly #client: OtaClient;
  readonly #server: ImageServer;
  /** Told how long everything took. */
  log: (text: string) => void;
  #lap = performance.now();

  private constructor(machine: Machine, server: ImageServer, log: (text: string) => void) {
    this.machine = machine;
    this.#server = server;
    this.#client = new OtaClient({ host: '127.0.0.1', port: machine.port });
    this.log = log;
  }

  /** Switches it on and waits until release A answers. `stick` is a second disk. */
  static async start(
    fleet: Fleet,
    firmware: Firmware,
    server: ImageServer,
    log: (text: string) => void,
    stick?: string,
  ): Promise<Vehicle> {
    const machine = await Machine.start(fleet.disks[firmware], firmware, String(server.port), stick);
    const vehicle = new Vehicle(machine, server, log);
    try {
      // What the client before ours said: its disk is taken over.
      await vehicle.until('SUCCESS', 'A');
    } catch (error) {
      await vehicle[Symbol.asyncDispose]();
      throw error;
    }
    return vehicle;
  }

  /** Undefined while nobody answers. */
  async status(): Promise<EcuStatus | undefined> {
    try {
      return (await this.#client.status(call(5000))).ecus.find(({ ecuId }) => ecuId === 'main');
    } catch {
      return undefined;
    }
  }

  /** Waits until it has booted so often, unless it says before that there is nothing to boot for. */
  async untilBoot(number: number): Promise<void> {
    const { agent } = this.machine;
    const status = await this.untilStatus(
      `boot ${number}`,
      ({ status }) => agent.boots >= number || status === 'FAILURE',
    );
    if (agent.boots < number) throw new Error(`no boot ${number}: ${JSON.stringify(status.failure)}`);
  }

  async until(wanted: OtaStatus, version?: string, limitMs = patienceMs): Promise<EcuStatus> {
    const is = version === undefined ? wanted : `${wanted} with ${version}`;
    return this.untilStatus(
      is,
      (status) => status.status === wanted && (version === undefined || status.firmwareVersion === version),
      limitMs,
    );
  }

  async untilStatus(
    what: string,
    isWanted: (status: EcuStatus) => boolean,
    limitMs = patienceMs,
  ): Promise<EcuStatus> {
    const end = performance.now() + limitMs;
    let last: EcuStatus | undefined;
    while (performance.now() < end) {
      const status = await this.status();
      if (status !== undefined && isWanted(status)) {
        this.log(`${what} after ${((performance.now() - this.#lap) / 1000).toFixed(0)} s`);
        this.#lap = performance.now();
        return status;
      }
      last = status ?? last;
      await delay(250);
    }
    const seen = {
      status: last?.status,
      version: last?.firmwareVersion,
      failure: last?.failure,
      progress: last?.progress,
    };
    const screen = (await this.machine.console()).slice(-4000);
    throw new Error(`no ${what} within ${limitMs} ms, but ${JSON.stringify(seen)}\n${screen}`);
  }

  /** Asks for an update to an image of the fleet; its name is the version. */
  async update(name: string, force = false): Promise<void> {
    const entry = {
      ecuId: 'main',
      version: name,
      url: this.#server.url(name),
      cookies: '',
      releaseName: '',
      releaseId: '',
      imageId: '',
      force,
    };
    const [answer] = await this.#client.update({ entries: [entry], requestId: '' }, call(20_000));
    assert.equal(answer?.result, 'NO_FAILURE', answer?.message ?? '');
  }

  async rollback(): Promise<void> {
    const [answer] = await this.#client.rollback({ ecuIds: ['main'], requestId: '' }, call(20_000));
    assert.equal(answer?.result, 'NO_FAILURE', answer?.message ?? '');
  }

  async abort(): Promise<void> {
    const [answer] = await this.#client.abort({ ecuIds: ['main'], requestId: '' }, call(20_000));
    assert.equal(answer?.result, 'NO_FAILURE', answer?.message ?? '');
  }

  /** What a shell command in it writes; it must succeed. */
  async shell(command: string, limitMs?: number): Promise<string> {
    const { exitCode, output } = await this.machine.agent.run(command, limitMs);
    assert.equal(exitCode, 0, `${command}: ${output}`);
    return output.trim();
  }

  /** How long a release has to stay healthy from now on. */
  async holdFor(seconds: number): Promise<void> {
    const change = `s/hold_ms: .*/hold_ms: ${seconds * 1000}/`;
    await this.shell(`sed -i '${change}' /etc/ota/ota.yml && systemctl restart ota`);
  }

  /** Puts our package there once more, as one file, by the install page; what was installed before goes. */
  async installAsImage(): Promise<void> {
    await this.shell('systemctl stop ota && cat /dev/vdb >/root/ota-0-linux-x64.squashfs');
    await this.shell(`set -eu\ncd /root\n${await installCommands('image')}`);
    await this.shell(
      'rm -r /opt/ota/bin /opt/ota/dist /opt/ota/src /opt/ota/node_modules /root/ota-0-linux-x64.squashfs',
    );
    await this.shell('systemctl daemon-reload && systemctl start ota');
    const type = 'nsenter --mount --target "$(systemctl show -P MainPID ota)" findmnt -n -o FSTYPE /';
    assert.equal(await this.shell(type), 'squashfs');
    await this.untilStatus('back as an image', ({ status }) => status === 'SUCCESS');
    // Right after its start an emulated daemon may not answer the check in time.
    const check = 'ota config check || ota config check';
    assert.match(await this.shell(check, 600_000), /boot control\W+grub/i);
  }

  /** What really runs there, whatever the daemon says. */
  async running(): Promise<{ readonly release: string; readonly kernel: string; readonly device: string }> {
    const text = await this.shell(
      'cat /etc/vehicle-release; uname -r; findmnt --noheadings --output SOURCE /',
    );
    const [release = '', kernel = '', device = ''] = text.split('\n');
    return { release, kernel, device };
  }

  /** What the daemon logged last, as far as the machine still answers. */
  async account(): Promise<string> {
    const { output } = await this.machine.agent
      .run('journalctl -u ota -o short-monotonic --no-pager | tail -60')
      .catch((error: unknown) => ({ output: String(error) }));
    return output;
  }

  async blackBox(): Promise<ShownBlackBox> {
    return JSON.parse(
      await this.shell('/usr/local/bin/ota blackbox show --json 2>/dev/null'),
    ) as ShownBlackBox;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client[Symbol.dispose]();
    await this.machine[Symbol.asyncDispose]();
  }
}

function call(budgetMs: number): CallContext {
  return { signal: AbortSignal.timeout(budgetMs), budgetMs };
}
