import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootErrorCode } from './boot-error.ts';
import { BootError } from './boot-error.ts';
import type { BootTool } from './boot-tool.ts';
import { bootToolOutput, howItEnded, runBootTool } from './boot-tool.ts';

/** Variables to set, in an order in which a power cut after any of them does no harm; '' removes one. */
export type Variables = Readonly<Record<string, string>>;

const install =
  'install libubootenv-tool or u-boot-tools, and describe the environment in /etc/fw_env.config';

/**
 * What both tools say about an environment whose checksum is wrong. One of them then goes on with defaults of its own,
 * which may be those of another board, and would write them back with our variables.
 */
const defaultsInstead = /bad crc|using default|cannot read environment/i;

/** The environment of U-Boot, by `fw_printenv` and `fw_setenv`, of libubootenv or of U-Boot itself. */
export class UBootEnvironment {
  readonly #print: BootTool;
  readonly #set: BootTool;
  readonly #sync: BootTool;

  constructor(timeoutMs: number) {
    this.#print = { program: 'fw_printenv', mend: install, timeoutMs };
    this.#set = { program: 'fw_setenv', mend: install, timeoutMs };
    this.#sync = { program: 'sync', mend: 'install coreutils', timeoutMs };
  }

  /** All variables. Errors: BootError with `code`, when the environment is damaged or cannot be read. */
  async read(code: BootErrorCode): Promise<ReadonlyMap<string, string>> {
    const result = await runBootTool(this.#print, [], code);
    if (defaultsInstead.test(`${result.stderr}\n${result.stdout.split('\n', 1)[0]}`)) {
      throw new BootError(
        code,
        'the U-Boot environment is damaged: its checksum is wrong; save it again from U-Boot (`env default -a; ' +
          `saveenv\`), set ota_slot, and use a redundant environment (fw_printenv ${howItEnded(result)})`,
      );
    }
    if (result.exitCode !== 0) {
      throw new BootError(
        code,
        `the U-Boot environment cannot be read: \`fw_printenv\` ${howItEnded(result)}; check /etc/fw_env.config`,
      );
    }
    return new Map(
      result.stdout.split('\n').flatMap((line): [string, string][] => {
        const at = line.indexOf('=');
        return at <= 0 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
      }),
    );
  }

  /**
   * Sets variables durably and reads them back. All in one write of the environment where the tool takes scripts, and
   * one by one what is left. Errors: BootError `switch_failed`.
   */
  async set(wanted: Variables): Promise<void> {
    const wrong = await this.#differing(wanted);
    if (wrong.length === 0) return;
    const scripted = await this.#runScript(wrong, await this.#isLibubootenv());
    for (const [name, value] of await this.#differing(wanted)) {
      await bootToolOutput(this.#set, value === '' ? [name] : [name, value], 'switch_failed');
    }
    // Neither tool flushes what it wrote to a block device.
    await bootToolOutput(this.#sync, [], 'switch_failed');
    const left = await this.#differing(wanted);
    if (left.length === 0) return;
    const names = left.map(([name]) => name).join(', ');
    throw new BootError(
      'switch_failed',
      `\`fw_setenv\` said it succeeded, but ${names} did not change${scripted}; check that /etc/fw_env.config ` +
        'names the place that U-Boot uses, and that it can be written',
    );
  }

  async #differing(wanted: Variables): Promise<readonly (readonly [string, string])[]> {
    const now = await this.read('switch_failed');
    return Object.entries(wanted).filter(([name, value]) => (now.get(name) ?? '') !== value);
  }

  /**
   * Whether the tools are those of libubootenv, which show their bare version. Scripts differ: libubootenv takes lines
   * `name=value` and ignores others; U-Boot's own tool takes blanks between the two, and a line `name=value` removes the
   * variable, so that after a power cut there would be no slot to boot. @see tools/env/fw_env.c of U-Boot: fw_parse_script, envmatch
   */
  async #isLibubootenv(): Promise<boolean> {
    const { exitCode, stdout } = await runBootTool(this.#print, ['-V'], 'switch_failed');
    return exitCode === 0 && /^\d+(?:\.\d+)+\S*$/.test(stdout.trim());
  }

  /** What the tool said, for people, where it refused; the result is judged by reading back. */
  async #runScript(lines: readonly (readonly [string, string])[], isLibubootenv: boolean): Promise<string> {
    const separator = isLibubootenv ? '=' : ' ';
    const text = lines.map(([name, value]) =>
      value === '' && !isLibubootenv ? `${name}\n` : `${name}${separator}${value}\n`,
    );
    const directory = await mkdtemp(join(tmpdir(), 'ota-u-boot-'));
    try {
      const file = join(directory, 'script');
      await writeFile(file, text.join(''));
      const result = await runBootTool(this.#set, ['-s', file], 'switch_failed');
      return result.exitCode === 0 ? '' : ` (\`fw_setenv -s\` ${howItEnded(result)})`;
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
}
