import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

/** Connects to a socket that another process is about to make. */
export async function connectSoon(path: string, limitMs = 20_000): Promise<Socket> {
  const end = performance.now() + limitMs;
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (performance.now() > end) throw new Error(`nobody listens at ${path}`, { cause: error });
      await delay(50);
    }
  }
}

interface Answer {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
}

/** QEMU's machine protocol. @see https://www.qemu.org/docs/master/interop/qmp-spec.html */
export class Qmp implements Disposable {
  readonly #socket: Socket;
  readonly #waiting: ((answer: Answer) => void)[] = [];
  /** Names of the events so far, such as RESET and SHUTDOWN. */
  readonly events: string[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const answer of this.#waiting.splice(0)) answer({ error: { desc: 'it has ended' } });
    });
    createInterface({ input: socket }).on('line', (line) => {
      const answer = JSON.parse(line) as Answer;
      if (answer.event !== undefined) this.events.push(answer.event);
      else if ('return' in answer || answer.error !== undefined) this.#waiting.shift()?.(answer);
    });
  }

  static async open(path: string): Promise<Qmp> {
    const qmp = new Qmp(await connectSoon(path));
    await qmp.ask('qmp_capabilities');
    return qmp;
  }

  async ask(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const answered = new Promise<Answer>((resolve) => this.#waiting.push(resolve));
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    const answer = await answered;
    if (answer.error !== undefined) throw new Error(`QEMU refuses ${command}: ${answer.error.desc}`);
    return answer.return;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
