import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { endBeforeRemoval } from './scratch-directory.ts';

const program = fileURLToPath(new URL('../../scripts/vss-broker/main.ts', import.meta.url));

/** Our own broker of VSS signals as a process of its own, which does what it is told. */
export class VssBrokerProcess {
  readonly address: string;
  readonly #signal: (name: NodeJS.Signals) => void;
  readonly #tell: (order: object) => Promise<Record<string, unknown>>;

  private constructor(
    address: string,
    tell: (order: object) => Promise<Record<string, unknown>>,
    signal: (name: NodeJS.Signals) => void,
  ) {
    this.address = address;
    this.#tell = tell;
    this.#signal = signal;
  }

  /** Ends with the test. */
  static async start(t: TestContext, args: readonly string[] = [], token = ''): Promise<VssBrokerProcess> {
    const child = spawn(process.execPath, [program, '--port', '0', ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, VSS_BROKER_TOKEN: token },
    });
    endBeforeRemoval(t, async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const answer = async (): Promise<Record<string, unknown>> => {
      const { value, done } = await lines.next();
      if (done === true) throw new Error('the broker has ended');
      return JSON.parse(value) as Record<string, unknown>;
    };
    const { listening } = await answer();
    let before: Promise<unknown> = Promise.resolve();
    const tell = async (order: object): Promise<Record<string, unknown>> => {
      const asked = before.then(async () => {
        child.stdin.write(`${JSON.stringify(order)}\n`);
        return answer();
      });
      before = asked.catch(() => {});
      return asked;
    };
    return new VssBrokerProcess(String(listening), tell, (name) => child.kill(name));
  }

  /** One of the orders of scripts/vss-broker/orders.ts. */
  async tell(order: object): Promise<Record<string, unknown>> {
    const { ok, problem, ...rest } = await this.#tell(order);
    if (ok !== true) throw new Error(String(problem));
    return rest;
  }

  /** Its connections stand, and nothing comes. */
  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  async set(path: string, value: unknown): Promise<void> {
    await this.tell({ do: 'set', path, value });
  }
}
