import { type ConfigProblem, formatProblem } from '#config/config-error.ts';
import { type LoadedConfig, loadConfig } from '#config/load.ts';
import type { Environment } from '#config/option-environment.ts';
import { doubtfulSignals } from '#diagnostics/preconditions/doubtful-signals.ts';
import { authority } from '#domain/ecu.ts';
import type { BootCheck } from './boot-check.ts';
import { checkBoot } from './boot-check.ts';
import { consoleProblems } from './check-console.ts';
import { checkSources, type SourceCheck } from './check-sources.ts';

interface ConfigCheckOptions {
  readonly ecuInfoPath?: string | undefined;
  readonly optionsPath?: string | undefined;
  /** Only the files, not the machine: they may be those of another ECU. */
  readonly filesOnly?: boolean;
  /** One JSON object on `stdout` instead of text. */
  readonly json: boolean;
  readonly env: Environment;
  readonly cwd?: string | undefined;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** A problem of the configuration, or of the machine that it is for. */
type Problem = Omit<ConfigProblem, 'code'> & {
  readonly code:
    | ConfigProblem['code']
    | 'boot_unusable'
    | 'console_unusable'
    | 'signal_unknown'
    | 'source_unusable';
};

/**
 * `ota config check`: what is configured, from where, which boot control that means on this machine, and every problem
 * with file, line, key and mend. Ends with 0 when all is good, with 1 when there is any problem or an option that nobody
 * knows (which the daemon only warns of).
 */
export async function runConfigCheck(check: ConfigCheckOptions): Promise<number> {
  const { ecuInfoPath, optionsPath, env, cwd = process.cwd() } = check;
  const config = await loadConfig({ ecuInfoPath, optionsPath, env, cwd });
  // With a broken file there are only defaults, which say nothing about this ECU.
  const isOfMachine = check.filesOnly !== true && config.problem === undefined;
  const boot = isOfMachine ? await checkBoot(config) : undefined;
  const sources = isOfMachine ? await checkSources(config) : undefined;
  const problems: Problem[] = [
    ...(config.problem?.problems ?? []),
    ...config.unknown,
    ...bootProblems(config, boot),
    ...signalProblems(config),
    ...sourceProblems(config, sources),
    ...(isOfMachine ? await consoleProblems(config) : []),
  ];
  if (check.json) {
    check.stdout.write(`${JSON.stringify(asJson(config, boot, problems))}\n`);
  } else {
    check.stdout.write(asText(config, boot, sources));
    for (const problem of problems) check.stderr.write(`${formatProblem(problem)}\n`);
    const many = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    if (problems.length > 0) check.stderr.write(`${many} found\n`);
    else check.stdout.write('no problems found\n');
  }
  return problems.length === 0 ? 0 : 1;
}

function bootProblems({ ecuInfo, files }: LoadedConfig, boot: BootCheck | undefined): readonly Problem[] {
  if (boot?.problem === undefined) return [];
  const asRoot = process.geteuid?.() === 0 ? '' : '; run it as root, if it is for want of permission';
  const mend = `see "Boot loaders" in docs/operations.md${asRoot}`;
  const what = `${boot.control ?? ecuInfo.bootloader} cannot be used on this machine: ${boot.problem}`;
  const file = files.ecuInfo ?? 'ecu_info.yml';
  return [{ code: 'boot_unusable', file, line: undefined, column: undefined, key: 'bootloader', what, mend }];
}

/** The daemon only warns of them: until the signals come, what asks for them is not fulfilled. */
function signalProblems(config: LoadedConfig): readonly Problem[] {
  const file = config.files.options ?? 'environment';
  return doubtfulSignals(config).map(({ key, what, mend }) => ({
    code: 'signal_unknown',
    file,
    line: undefined,
    column: undefined,
    key,
    what,
    mend,
  }));
}

/** The daemon goes on without such a source, and its status says so. */
function sourceProblems(config: LoadedConfig, sources: SourceCheck | undefined): readonly Problem[] {
  const file = config.files.options ?? 'environment';
  return (sources?.problems ?? []).map((problem) => ({
    code: 'source_unusable',
    file,
    line: undefined,
    column: undefined,
    ...problem,
  }));
}

function asText(config: LoadedConfig, boot: BootCheck | undefined, sources: SourceCheck | undefined): string {
  const { ecuInfo, files, listen, set } = config;
  const lines = [
    ['ecu_info', files.ecuInfo ?? 'not found'],
    ['  ECU', ecuInfo.ecuId],
    ['  listens on', authority(listen)],
    ['  boot loader', ecuInfo.bootloader],
    ['  campaign', ecuInfo.availableEcuIds.join(', ')],
    ...ecuInfo.secondaries.map((child) => ['  child', `${child.ecuId} at ${authority(child)}`]),
    ...(boot === undefined ? [] : bootLines(boot)),
    ...(sources === undefined || sources.lines.length === 0 ? [] : [['sources of signals', '']]),
    ...(sources?.lines ?? []).map(([name, text]) => [`  ${name}`, text]),
    ['options', files.options ?? 'no file, defaults'],
    ...set.map((option) => [`  ${option.name}`, `${option.value} from ${option.from}`]),
  ];
  const width = Math.max(...lines.map(([name = '']) => name.length));
  return lines.map(([name = '', value = '']) => `${name.padEnd(width)}  ${value}\n`).join('');
}

function bootLines({ control, reason, slots, booted }: BootCheck): string[][] {
  return [
    ['boot control', control === undefined ? 'none' : `${control}: ${reason ?? ''}`],
    ...slots.flatMap(({ slot, place, is, status }) => [
      [`  ${slot}`, `${place}${is === '' ? '' : ` (${is})`}${slot === booted ? ', runs' : ''}`],
      ['    status', status],
    ]),
  ];
}

/** Names as in the files. Fields are only ever added to it. */
function asJson(
  { ecuInfo, files, listen, set }: LoadedConfig,
  boot: BootCheck | undefined,
  problems: readonly Problem[],
) {
  return {
    ok: problems.length === 0,
    ecu_info: {
      file: files.ecuInfo ?? null,
      ecu_id: ecuInfo.ecuId,
      bootloader: ecuInfo.bootloader,
      available_ecu_ids: ecuInfo.availableEcuIds,
      secondaries: ecuInfo.secondaries.map(({ ecuId, host, port }) => ({
        ecu_id: ecuId,
        ip_addr: host,
        port,
      })),
    },
    listen,
    options: { file: files.options ?? null, set },
    boot:
      boot === undefined
        ? null
        : {
            control: boot.control ?? null,
            reason: boot.reason ?? null,
            booted: boot.booted ?? null,
            slots: Object.fromEntries(boot.slots.map(({ slot, ...rest }) => [slot, rest])),
          },
    problems: problems.map(({ line = null, column = null, ...problem }) => ({ ...problem, line, column })),
  };
}
