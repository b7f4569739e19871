import type { BootErrorCode } from '#boot/boot-error.ts';
import { BootError } from '#boot/boot-error.ts';
import type { BootTool } from '#boot/boot-tool.ts';
import { bootToolOutput, howItEnded, runBootTool } from '#boot/boot-tool.ts';
import type { SlotId } from '#boot/slots.ts';
import { slotIds } from '#boot/slots.ts';

/** What is switched: the chain of boot firmware, or only the root file system. */
export type Chain = 'bootloader' | 'rootfs';

/** What the firmware makes of both slots. */
export interface SlotsInfo {
  /** Booted next; undefined where the tool does not tell. */
  readonly active: SlotId | undefined;
  /** Slots that the firmware would not boot. */
  readonly unbootable: readonly SlotId[];
  /** `Current version` of the firmware, such as `35.4.1`; empty where it is not told. */
  readonly firmware: string;
}

/** How existing clients and NVIDIA number the slots. */
export const slotNumbers = { slot_a: '0', slot_b: '1' } as const satisfies Record<SlotId, string>;

/** Exit codes of `is-unified-enabled`, which is there since R32.6.1. */
const unifiedCodes = { both: 0, neither: 69, rootfsOnly: 70 } as const;

/**
 * NVIDIA's tool for the A/B state of Jetson firmware. Without `-t` it speaks of the boot firmware's own chain.
 * @see https://docs.nvidia.com/jetson/archives/r35.4.1/DeveloperGuide/text/SD/Bootloader/UpdateAndRedundancy.html
 */
export class Nvbootctrl {
  readonly #tool: BootTool;

  constructor(timeoutMs: number) {
    const mend = 'install it with the package nvidia-l4t-tools of your Jetson Linux';
    this.#tool = { program: 'nvbootctrl', mend, timeoutMs };
  }

  async currentSlot(chain: Chain): Promise<SlotId> {
    const said = (await this.#ask(chain, ['get-current-slot'], 'startup_failed')).trim();
    const slot = slotIds.find((id) => slotNumbers[id] === said.split('\n').at(-1)?.trim());
    if (slot !== undefined) return slot;
    throw new BootError(
      'startup_failed',
      `nvbootctrl get-current-slot said "${said.slice(0, 200)}" where 0 or 1 was expected; run it by hand`,
    );
  }

  /** Whether firmware and root file system are switched together. Errors: BootError, when neither can be switched. */
  async isUnified(): Promise<boolean> {
    const result = await runBootTool(this.#tool, ['is-unified-enabled'], 'startup_failed');
    if (result.exitCode === unifiedCodes.both) return true;
    if (result.exitCode === unifiedCodes.neither) {
      throw new BootError(
        'startup_failed',
        'this Jetson was flashed without A/B slots (nvbootctrl is-unified-enabled says 69); flash it with ROOTFS_AB=1',
      );
    }
    if (result.exitCode === undefined) {
      throw new BootError('startup_failed', `nvbootctrl is-unified-enabled ${howItEnded(result)}`);
    }
    // 70, or a tool from before R32.6.1, which does not know the question.
    return false;
  }

  async slots(chain: Chain, code: BootErrorCode): Promise<SlotsInfo> {
    return parseSlotsInfo(await this.#ask(chain, ['dump-slots-info'], code));
  }

  /** Slots whose root file system the firmware would not boot; none where the tool does not tell. */
  async heldUnbootable(): Promise<readonly SlotId[]> {
    const args = ['-t', 'rootfs', 'dump-slots-info'];
    const { exitCode, stdout } = await runBootTool(this.#tool, args, 'switch_failed');
    return exitCode === 0 ? parseSlotsInfo(stdout).unbootable : [];
  }

  /** Has the firmware boot `slot` next, and reads back that it will. */
  async activate(chain: Chain, slot: SlotId): Promise<void> {
    await this.#ask(chain, ['set-active-boot-slot', slotNumbers[slot]], 'switch_failed');
    const { active, unbootable } = await this.slots(chain, 'switch_failed');
    const name = `slot ${slotNumbers[slot]} (${slot}) of the ${chain}`;
    if (active !== slot) {
      const now = active === undefined ? 'no active slot' : `slot ${slotNumbers[active]} as active`;
      throw new BootError(
        'switch_failed',
        `nvbootctrl was told to activate ${name} and reported success, but dump-slots-info shows ${now}; ` +
          'check the firmware of this ECU',
      );
    }
    if (!unbootable.includes(slot)) return;
    throw new BootError(
      'switch_failed',
      `the firmware holds ${name} for unbootable, although it was just activated; look at \`nvbootctrl ` +
        'dump-slots-info`, and repair the firmware of that slot with the tools of Jetson Linux',
    );
  }

  /** The running slot; the tool takes no slot here. */
  async markSuccessful(chain: Chain): Promise<void> {
    await this.#ask(chain, ['mark-boot-successful'], 'confirm_failed');
  }

  async setUnbootable(chain: Chain, slot: SlotId): Promise<void> {
    await this.#ask(chain, ['set-slot-as-unbootable', slotNumbers[slot]], 'prepare_failed');
  }

  /** Tells the firmware that this boot went well, which resets its count of attempts. */
  async verify(): Promise<void> {
    await this.#ask('bootloader', ['verify'], 'confirm_failed');
  }

  #ask(chain: Chain, args: readonly string[], code: BootErrorCode): Promise<string> {
    return bootToolOutput(this.#tool, chain === 'rootfs' ? ['-t', 'rootfs', ...args] : args, code);
  }
}

/**
 * Reads `dump-slots-info`. Since R34, and late R32, it names the active slot; before, the one with the highest priority
 * is booted.
 */
function parseSlotsInfo(text: string): SlotsInfo {
  const letter = /^Active (?:bootloader|rootfs) slot:\s*([AB])\b/m.exec(text)?.[1];
  const slots = text.split('\n').flatMap((line) => {
    const number = /^\s*slot:\s*([01])\b/.exec(line)?.[1];
    const id = slotIds.find((slot) => slotNumbers[slot] === number);
    const field = (name: string): number | undefined => {
      const digits = new RegExp(`\\b${name}:\\s*(\\d+)`).exec(line)?.[1];
      return digits === undefined ? undefined : Number(digits);
    };
    if (id === undefined) return [];
    const status = /\bstatus:\s*(\w+)/.exec(line)?.[1];
    const [priority, tries] = [field('priority'), field('retry_count')];
    const unbootable = status === undefined ? priority === 0 || tries === 0 : status !== 'normal';
    return [{ id, priority, unbootable }];
  });
  return {
    active: letter === undefined ? highest(slots) : letter === 'A' ? 'slot_a' : 'slot_b',
    unbootable: slots.filter(({ unbootable }) => unbootable).map(({ id }) => id),
    firmware: /^Current version:\s*(\d+(?:\.\d+)+)/m.exec(text)?.[1] ?? '',
  };
}

function highest(
  slots: readonly { readonly id: SlotId; readonly priority: number | undefined }[],
): SlotId | undefined {
  const [first, second] = slots.toSorted((a, b) => (b.priority ?? 0) - (a.priority ?? 0));
  if (first?.priority === undefined || first.priority === second?.priority) return undefined;
  return first.id;
}
