import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { programsOnPath } from './programs.ts';

/** How the fake `nvbootctrl` behaves from now on. */
export type ToolMood = 'honest' | 'lying' | 'failing' | 'hanging';

/** Keeps one file per fact. Prints what the tool of R35, or with `style` r32 that of an early R32, prints. */
const nvbootctrl = `
chain=bootloader
if [ "$1" = -t ]; then chain=$2; shift 2; fi
verb=$1
echo "$chain $*" >> calls
read -r mood < mood; read -r style < style; read -r current < current
case $mood in
  failing) echo "Error: cannot open /dev/mem" >&2; exit 1 ;;
  hanging) sleep 60 ;;
esac
letter() { [ "$1" = 0 ] && letter=A || letter=B; }
status() {
  status=normal
  letter $1
  for variable in efivars/RootfsStatusSlot$letter-*; do
    if [ $chain = rootfs ] && [ -e $variable ]; then
      [ "$(od -An -tu1 -j4 -N1 $variable | tr -d ' ')" = 0 ] || status=unbootable
      return
    fi
  done
  read -r tries < tries-$1
  [ $tries = 0 ] && status=unbootable
}
case $verb in
  get-current-slot) echo $current ;;
  is-unified-enabled) read -r unified < unified; exit $unified ;;
  set-active-boot-slot)
    [ $mood = lying ] && exit 0
    echo $2 > active-$chain; [ -e sticky ] || echo 3 > tries-$2 ;;
  set-slot-as-unbootable) echo 0 > tries-$2 ;;
  mark-boot-successful) [ $# = 1 ] || exit 1; echo 3 > tries-$current ;;
  verify) echo 3 > tries-$current; echo "Info: variable BootChainFwStatus is not found." ;;
  dump-slots-info)
    read -r active < active-$chain
    if [ $style = r32 ]; then
      echo "magic:0x43424e00,             version: 3             features: 3             num_slots: 2"
      for slot in 0 1; do
        priority=14; [ $slot = $active ] && priority=15
        read -r tries < tries-$slot
        echo "slot: $slot,             priority: $priority,             suffix: _a,             retry_count: $tries,             boot_successful: 1"
      done
    else
      if [ $chain = bootloader ]; then read -r version < version; echo "Current version: $version"; fi
      letter $current; echo "Current $chain slot: $letter"
      letter $active; echo "Active $chain slot: $letter"
      echo "num_slots: 2"
      for slot in 0 1; do status $slot; echo "slot: $slot,             status: $status"; done
    fi ;;
  *) exit 1 ;;
esac
`;

/** A Jetson's firmware in a directory: it boots the active slot, counts attempts, and goes to the other after the last. */
export class JetsonFirmware {
  readonly #directory: string;
  /** Where the firmware's variables are, when there are any. */
  readonly efivars: string;

  private constructor(directory: string) {
    this.#directory = directory;
    this.efivars = join(directory, 'efivars');
  }

  static async onPath(t: TestContext): Promise<JetsonFirmware> {
    const firmware = new JetsonFirmware(
      await programsOnPath(t, { nvbootctrl, chattr: 'echo "chattr $*" >> calls' }),
    );
    const start = {
      current: '0',
      'active-bootloader': '0',
      'active-rootfs': '0',
      unified: '0',
      'tries-0': '3',
      'tries-1': '3',
      mood: 'honest',
      style: 'r35',
      version: '35.4.1',
      calls: '',
    };
    for (const [name, value] of Object.entries(start)) await firmware.set(name, value);
    return firmware;
  }

  async set(name: string, value: string): Promise<void> {
    await writeFile(join(this.#directory, name), value === '' ? '' : `${value}\n`);
  }

  async get(name: string): Promise<string> {
    return (await readFile(join(this.#directory, name), 'utf8')).trim();
  }

  async beIn(mood: ToolMood): Promise<void> {
    await this.set('mood', mood);
  }

  /** Power on. A slot that `starts` rejects uses up its attempts, after which the other one is active and booted. */
  async boot(chain: 'bootloader' | 'rootfs', starts: (slot: string) => boolean): Promise<string> {
    for (;;) {
      const active = await this.get(`active-${chain}`);
      const tries = Number(await this.get(`tries-${active}`));
      if (tries > 0 && starts(active)) {
        await this.set('current', active);
        return active;
      }
      if (tries > 0) await this.set(`tries-${active}`, String(tries - 1));
      else await this.set(`active-${chain}`, active === '0' ? '1' : '0');
    }
  }
}
