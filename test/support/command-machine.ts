import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { SlotId } from '#boot/slots.ts';
import { scratchDirectory } from './scratch-directory.ts';

/** How the integrator's executable behaves from now on. */
type CommandMood = 'honest' | 'lying' | 'failing' | 'hanging' | 'babbling' | 'killed';

/** As the documentation says; keeps one file per fact. */
const script = `
echo "$*" >> calls
case "$(cat mood)" in
  failing) echo "no access to the boot flash" >&2; exit 3 ;;
  hanging) sleep 60 ;;
  babbling) echo "slot a, I think"; exit 0 ;;
  killed) kill -9 $$ ;;
esac
case "$1" in
  booted) cat booted ;;
  state) echo "default=$(cat default)"; echo "try=$(cat try)"; echo "comment=anything" ;;
  install) [ -d "$3" ] || exit 2; echo "$OTA_SLOT_B_DEVICE" > "$3/installed" ;;
  try) [ "$(cat mood)" = lying ] || echo "$2" > try ;;
  default) [ "$(cat mood)" = lying ] && exit 0; echo "$2" > default; : > try ;;
  *) exit 64 ;;
esac
`;

/** An integrator's executable for a boot loader of their own, and that boot loader. */
export class CommandMachine {
  /** The executable. */
  readonly path: string;
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
    this.path = join(directory, 'boot-command');
  }

  static async create(t: TestContext): Promise<CommandMachine> {
    const directory = await scratchDirectory(t);
    const machine = new CommandMachine(directory);
    await writeFile(machine.path, `#!/bin/sh\ncd ${directory}\n${script}`);
    await chmod(machine.path, 0o755);
    await machine.set({ mood: 'honest', booted: 'slot_a', default: 'slot_a', try: '' });
    return machine;
  }

  async mood(mood: CommandMood): Promise<void> {
    await this.set({ mood });
  }

  async set(facts: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, value] of Object.entries(facts))
      await writeFile(join(this.#directory, name), `${value}\n`);
  }

  /** What it was called with; forgets it. */
  async calls(): Promise<readonly string[]> {
    const path = join(this.#directory, 'calls');
    const text = await readFile(path, 'utf8').catch(() => '');
    await rm(path, { force: true });
    return text.split('\n').filter((line) => line !== '');
  }

  /** One power-on: what is to be tried is taken away before it is booted. */
  async boot(): Promise<SlotId> {
    const [onTry, usual] = [await this.#fact('try'), await this.#fact('default')];
    const slot = (onTry === '' ? usual : onTry) === 'slot_b' ? 'slot_b' : 'slot_a';
    await this.set({ try: '', booted: slot });
    return slot;
  }

  async #fact(name: string): Promise<string> {
    return (await readFile(join(this.#directory, name), 'utf8')).trim();
  }
}
