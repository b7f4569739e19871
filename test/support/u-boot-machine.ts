import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { SlotId } from '#boot/slots.ts';
import { programsOnPath } from './programs.ts';

/**
 * How the tools behave. `cut N`: the power goes right after the Nth variable was written, and with it the tools.
 * `damaged` and `unreadable` are the two ways to say that the checksum is wrong: with defaults and success, or without.
 */
type ToolMood = 'honest' | 'lying' | 'failing' | 'hanging' | 'damaged' | 'unreadable' | `cut ${number}`;

const fwPrintenv = `
if [ "$1" = -V ]; then
  if [ "$(cat tool)" = libubootenv ]; then echo 0.3.2; exit 0; else echo "Unknown option" >&2; exit 1; fi
fi
case "$(cat mood)" in
  damaged) echo "Warning: Bad CRC, using default environment" >&2; echo bootcmd=run distro_bootcmd; exit 0 ;;
  unreadable) echo "Cannot read environment, using default" >&2; exit 243 ;;
  failing) echo "Cannot access MTD device /dev/mtd1: No such file or directory" >&2; exit 1 ;;
  hanging) sleep 60 ;;
esac
cat env
`;

/**
 * A script is one write. Of libubootenv: lines `name=value`, others are ignored. Of U-Boot: blanks between name and value,
 * a name alone is removed, and so is, by a line `name=value`, what has the name before the `=` (tools/env/fw_env.c,
 * envmatch). An old one takes no scripts.
 */
const fwSetenv = `
echo "$*" >> calls
case "$(cat mood)" in
  lying) exit 0 ;;
  failing) echo "Error: can't write fw_env to flash" >&2; exit 1 ;;
  hanging) sleep 60 ;;
esac
to_file() {
  grep -v "^$2=" "$1" > env.new; [ -z "$3" ] || echo "$2=$3" >> env.new; mv env.new "$1"
}
written() {
  left=$(sed -n 's/^cut //p' mood)
  [ -n "$left" ] || return 0
  if [ "$left" -le 1 ]; then echo lying > mood; kill -9 $$; fi
  echo "cut $((left - 1))" > mood
}
if [ "$1" != -s ]; then to_file env "$1" "$2"; written; exit; fi
cp env env.whole
case "$(cat tool)" in
  libubootenv)
    grep = "$2" > script
    while IFS== read -r name value; do to_file env.whole "$name" "$value"; done < script ;;
  u-boot-tools) while read -r name value; do to_file env.whole "\${name%%=*}" "$value"; done < "$2" ;;
  *) echo "invalid option -- 's'" >&2; exit 1 ;;
esac
mv env.whole env
written
`;

type UBootTool = 'libubootenv' | 'u-boot-tools' | 'without scripts';

/** A machine with U-Boot: its environment in a file, the tools on PATH, and what U-Boot does with it at a boot. */
export class UBootMachine {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** `slot_a` is the default, nothing is on trial. */
  static async onPath(t: TestContext, tool: UBootTool = 'libubootenv'): Promise<UBootMachine> {
    const programs = { fw_printenv: fwPrintenv, fw_setenv: fwSetenv };
    const machine = new UBootMachine(await programsOnPath(t, programs));
    await machine.#write('tool', tool);
    await machine.mood('honest');
    await machine.environment({ bootcmd: 'run boot_slot', altbootcmd: 'run end_trial', ota_slot: 'slot_a' });
    return machine;
  }

  async mood(mood: ToolMood): Promise<void> {
    await this.#write('mood', mood);
  }

  async environment(variables: Readonly<Record<string, string>>): Promise<void> {
    await this.#write(
      'env',
      Object.entries(variables)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
  }

  async variables(): Promise<Record<string, string>> {
    const lines = (await readFile(join(this.#directory, 'env'), 'utf8'))
      .split('\n')
      .filter((line) => line !== '');
    return Object.fromEntries(
      lines.map((line) => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)]),
    );
  }

  /** Calls of `fw_setenv`; forgets them. */
  async calls(): Promise<readonly string[]> {
    const path = join(this.#directory, 'calls');
    const text = await readFile(path, 'utf8').catch(() => '');
    await rm(path, { force: true });
    return text.split('\n').filter((line) => line !== '');
  }

  /**
   * One power-on, as U-Boot with CONFIG_BOOTCOUNT_LIMIT and CONFIG_BOOTCOUNT_ENV and the boot script of
   * docs/operations.md does it.
   */
  async boot(): Promise<SlotId> {
    const env = await this.variables();
    if (Number(env['upgrade_available'] ?? 0) !== 0) {
      env['bootcount'] = String(Number(env['bootcount'] ?? 0) + 1);
      const limit = Number(env['bootlimit'] ?? 0);
      if (limit > 0 && Number(env['bootcount']) > limit) {
        env['upgrade_available'] = '0';
        env['bootcount'] = '0';
        delete env['ota_try'];
      }
      await this.environment(env);
    }
    const onTrial = env['upgrade_available'] === '1' ? env['ota_try'] : undefined;
    return (onTrial ?? env['ota_slot'] ?? 'slot_a') === 'slot_b' ? 'slot_b' : 'slot_a';
  }

  async #write(name: string, text: string): Promise<void> {
    await writeFile(join(this.#directory, name), text);
  }
}
