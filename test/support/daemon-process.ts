import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { OtaClient } from '#api/client.ts';
import type { UpdateRequestEntry } from '#domain/release.ts';
import type { EcuStatus, OtaStatus } from '#domain/status.ts';
import type { CallContext } from '#ecu/ecu.ts';
import { freePort } from './free-port.ts';
import { endBeforeRemoval } from './scratch-directory.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Exit code by which a daemon asks to be started again, as in the options that `DaemonProcess` writes. */
export const rebootExitCode = 10;

export interface DaemonSetting {
  /** Holds `trust/` and gets `slots/`, `state/`, `ecu_info.yml` and `ota.yml`. */
  readonly directory: string;
  /** Replaces the ECU's file. */
  readonly ecuInfo?: string;
  /** Appended to the options. */
  readonly options?: string;
  /** Replaces the section `boot` of the options: YAML in one line. */
  readonly boot?: string;
  /** Where the trusted certificates are, if not in `trust/`. */
  readonly trust?: string;
  /** Where the daemon keeps its state, if not in `state/`. */
  readonly state?: string;
}

/** How one life of the daemon runs. */
export interface DaemonLife {
  /** Goes before the command of Node: a tracer and its arguments. */
  readonly under?: readonly string[];
  /** Node, and the daemon that it runs, if not the sources here. */
  readonly program?: readonly [node: string, main: string];
  /** Options of Node. */
  readonly node?: readonly string[];
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** One ECU's daemon as a real process, and the client that talks to it. */
export class DaemonProcess {
  readonly client: OtaClient;
  /** `127.0.0.1:port`. */
  readonly address: string;
  readonly #setting: DaemonSetting;
  #child: ReturnType<typeof spawn> | undefined;
  #stopped = false;
  /** What all lives wrote to stderr. */
  log = '';

  private constructor(setting: DaemonSetting, port: number) {
    this.#setting = setting;
    this.address = `127.0.0.1:${port}`;
    this.client = new OtaClient({ host: '127.0.0.1', port });
  }

  /** Writes the configuration; `start` or `supervise` runs it. Everything is ended with the test. */
  static async create(t: TestContext, setting: DaemonSetting): Promise<DaemonProcess> {
    const { directory, options = '' } = setting;
    const boot = setting.boot ?? `{ directory: { path: ${directory}/slots } }`;
    const port = await freePort();
    const daemon = new DaemonProcess(setting, port);
    endBeforeRemoval(t, async () => {
      daemon.#stopped = true;
      await daemon.end('SIGKILL');
      daemon.client[Symbol.dispose]();
      if (!t.passed) process.stderr.write(daemon.log);
    });
    const ecuInfo = `ecu_id: main\nbootloader: directory\nip_addr: 127.0.0.1\n`;
    await writeFile(join(directory, 'ecu_info.yml'), setting.ecuInfo ?? ecuInfo);
    await writeFile(
      join(directory, 'ota.yml'),
      `listen: { host: 127.0.0.1, port: ${port} }
state: { directory: ${setting.state ?? join(directory, 'state')} }
trust: { directory: ${setting.trust ?? join(directory, 'trust')} }
boot: ${boot}
reboot: { exit_code: ${rebootExitCode} }
${options}`,
    );
    return daemon;
  }

  /** Starts one life. */
  start({
    under = [],
    program: [runtime, daemon] = [process.execPath, main],
    node = [],
    env = {},
  }: DaemonLife = {}): void {
    const { directory } = this.#setting;
    const files = [join(directory, 'ecu_info.yml'), join(directory, 'ota.yml')];
    const [program, ...args] = [...under, runtime, ...node, daemon, ...files];
    const child = spawn(program ?? process.execPath, args, {
      cwd: directory,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
    this.#child = child;
  }

  /** Starts it again as long as it asks for a reboot, or is killed. Resolves when it has ended otherwise. */
  async supervise(life: DaemonLife = {}): Promise<number> {
    for (;;) {
      this.start(life);
      const code = await this.exitCode();
      if (this.#stopped || (code !== rebootExitCode && code !== -1)) return code;
    }
  }

  /** Exit code of this life; -1 when a signal ended it. */
  async exitCode(): Promise<number> {
    const child = this.#child;
    if (child === undefined) return 0;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    return child.exitCode ?? -1;
  }

  /** Process id of this life, or of the tracer that it runs under. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number> {
    this.#child?.kill(signal);
    return this.exitCode();
  }

  call(budgetMs = 5000): CallContext {
    return { signal: new AbortController().signal, budgetMs };
  }

  /** Status of the daemon's own ECU; undefined while the daemon cannot be asked. */
  async status(): Promise<EcuStatus | undefined> {
    try {
      return (await this.client.status(this.call(1000))).ecus.find(({ ecuId }) => ecuId === 'main');
    } catch {
      return undefined;
    }
  }

  /** Polls until the ECU shows a status. Fails after `limitMs`. */
  async until(wanted: OtaStatus, version?: string, limitMs = 60_000): Promise<EcuStatus> {
    const end = performance.now() + limitMs;
    let last: EcuStatus | undefined;
    while (performance.now() < end) {
      last = (await this.status()) ?? last;
      if (last?.status === wanted && (version === undefined || last.firmwareVersion === version)) return last;
      await delay(20);
    }
    throw new Error(
      `no ${wanted} ${version ?? ''} within ${limitMs} ms, but ${last?.status} ${last?.firmwareVersion}: ${last?.failure?.reason}`,
    );
  }

  /** Polls until some life has written a line like this. Fails after `limitMs`. */
  async untilLogged(line: RegExp, limitMs = 60_000): Promise<void> {
    const end = performance.now() + limitMs;
    while (!line.test(this.log)) {
      if (performance.now() > end) throw new Error(`nothing like ${line} was logged within ${limitMs} ms`);
      await delay(20);
    }
  }

  async update(change: Pick<UpdateRequestEntry, 'version' | 'url' | 'force'>) {
    const entry = { ecuId: 'main', cookies: '', releaseName: '', releaseId: '', imageId: '', ...change };
    return this.client.update({ entries: [entry], requestId: 'test' }, this.call());
  }
}
