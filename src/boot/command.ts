import { access, constants } from 'node:fs/promises';
import type { BootErrorCode } from './boot-error.ts';
import { BootError } from './boot-error.ts';
import type { BootLoader, Detection, LoaderKind, LoaderSetting, SlotTree } from './boot-loader.ts';
import type { BootTool } from './boot-tool.ts';
import { bootToolOutput } from './boot-tool.ts';
import type { FstabEntry } from './fstab.ts';
import { installFstab } from './fstab.ts';
import { neededMounts } from './needed-mounts.ts';
import { sharedStatus } from './shared-status.ts';
import { findSlotDevices } from './slot-devices.ts';
import { fstabPlan } from './slot-fstab.ts';
import type { SlotId } from './slots.ts';
import { otherSlot, slotIds } from './slots.ts';

const name = 'command';

/**
 * An executable of the integrator's, so that any boot loader fits. It is called with one of five verbs: `booted`,
 * `state`, `install SLOT ROOT`, `try SLOT`, `default SLOT` (docs/operations.md). What it answers is validated, and what
 * it says it changed is asked for.
 */
export const command: LoaderKind = { name, detect, open };

async function detect({ options }: LoaderSetting): Promise<Detection | undefined> {
  const { path } = options.command;
  return path === undefined ? undefined : { reason: `boot.command.path is ${path}` };
}

async function open(setting: LoaderSetting, role: 'daemon' | 'reader'): Promise<BootLoader> {
  const { options, activeRoot, bootDirectory } = setting;
  const program = options.command.path;
  if (program === undefined) {
    throw new BootError(
      'startup_failed',
      'boot control command has no executable; name one with the option boot.command.path',
    );
  }
  await access(program, constants.X_OK).catch((error: unknown) => {
    throw new BootError(
      'startup_failed',
      `${program} (boot.command.path) is not there or not executable; install it, or correct the option`,
      { cause: error },
    );
  });
  const { signal } = new AbortController();
  const found = await findSlotDevices(setting, signal);
  const status = await sharedStatus(setting, found.devices, role, signal);
  const vehicle = await neededMounts(setting, [status.directory('slot_a')], signal);
  const tool: BootTool = {
    program,
    mend: 'correct boot.command.path, or the executable',
    timeoutMs: options.toolTimeoutMs,
    env: {
      OTA_ACTIVE_ROOT: activeRoot,
      OTA_BOOT_DIRECTORY: bootDirectory,
      OTA_SLOT_A_DEVICE: found.devices.slot_a.path,
      OTA_SLOT_B_DEVICE: found.devices.slot_b.path,
    },
  };
  const loader = new CommandLoader({ ...found, status, vehicle, tool, reboot: () => setting.reboot([]) });
  await loader.check();
  return loader;
}

/** What `state` answers. */
interface State {
  readonly default: SlotId;
  /** The slot that the next boot takes instead, once. */
  readonly try: SlotId | undefined;
}

interface Parts extends Pick<BootLoader, 'booted' | 'devices' | 'status' | 'reboot'> {
  readonly tool: BootTool;
  /** Mounts that every release needs. */
  readonly vehicle: readonly FstabEntry[];
}

export class CommandLoader implements BootLoader {
  readonly name = name;
  readonly booted: SlotId;
  readonly devices: BootLoader['devices'];
  readonly status: BootLoader['status'];
  readonly reboot: () => Promise<void>;
  readonly #tool: BootTool;
  readonly #vehicle: readonly FstabEntry[];

  constructor({ booted, devices, status, reboot, tool, vehicle }: Parts) {
    this.booted = booted;
    this.devices = devices;
    this.status = status;
    this.reboot = reboot;
    this.#tool = tool;
    this.#vehicle = vehicle;
  }

  /** Errors: BootError `startup_failed`, when it contradicts what is mounted, or does not answer as agreed. */
  async check(): Promise<void> {
    const said = this.#slot(
      'booted',
      (await this.#call('startup_failed', 'booted')).trim(),
      'startup_failed',
    );
    if (said !== this.booted) {
      throw this.#wrong(
        'startup_failed',
        `\`booted\` says ${said}, but the running release lies on ${this.devices[this.booted].path}, which is ${this.booted}`,
      );
    }
    await this.#state('startup_failed');
  }

  /** The executable comes last, so that it can change the fstab. */
  async install(tree: SlotTree): Promise<void> {
    await installFstab(tree, fstabPlan(tree, this.#vehicle));
    const { slot, root } = tree;
    const before = await this.#state('switch_failed');
    await this.#call('switch_failed', 'install', slot, root);
    await this.#expect(before, `install ${slot}`);
  }

  async tryOnce(slot: SlotId): Promise<void> {
    const fallBack = otherSlot(slot);
    if ((await this.#state('switch_failed')).default !== fallBack) await this.makeDefault(fallBack);
    await this.#call('switch_failed', 'try', slot);
    await this.#expect({ default: fallBack, try: slot }, `try ${slot}`);
  }

  async makeDefault(slot: SlotId): Promise<void> {
    const wanted: State = { default: slot, try: undefined };
    if (sameState(await this.#state('switch_failed'), wanted)) return;
    await this.#call('switch_failed', 'default', slot);
    await this.#expect(wanted, `default ${slot}`);
  }

  async cancelTry(): Promise<void> {
    await this.makeDefault((await this.#state('switch_failed')).default);
  }

  async #state(code: BootErrorCode): Promise<State> {
    const answer = await this.#call(code, 'state');
    const values = new Map(
      answer.split('\n').flatMap((line): [string, string][] => {
        const at = line.indexOf('=');
        return at < 0 ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()]];
      }),
    );
    const onTry = values.get('try') ?? '';
    return {
      default: this.#slot('state` in the line `default=', values.get('default') ?? '', code),
      try: onTry === '' ? undefined : this.#slot('state` in the line `try=', onTry, code),
    };
  }

  async #expect(wanted: State, call: string): Promise<void> {
    const is = await this.#state('switch_failed');
    if (sameState(is, wanted)) return;
    throw this.#wrong(
      'switch_failed',
      `\`${call}\` succeeded, but then \`state\` says ${told(is)} instead of ${told(wanted)}`,
    );
  }

  #slot(where: string, answer: string, code: BootErrorCode): SlotId {
    const slot = slotIds.find((id) => id === answer);
    if (slot !== undefined) return slot;
    throw this.#wrong(code, `\`${where}\` says ${JSON.stringify(answer.slice(0, 80))}, not slot_a or slot_b`);
  }

  #wrong(code: BootErrorCode, what: string): BootError {
    return new BootError(code, `${this.#tool.program}: ${what}; correct the executable (boot.command.path)`);
  }

  #call(code: BootErrorCode, ...args: readonly string[]): Promise<string> {
    return bootToolOutput(this.#tool, args, code);
  }
}

function sameState(a: State, b: State): boolean {
  return a.default === b.default && a.try === b.try;
}

function told(state: State): string {
  return state.try === undefined ? `default=${state.default}` : `default=${state.default} try=${state.try}`;
}
