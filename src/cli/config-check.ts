import { type ConfigProblem, formatProblem } from '#config/config-error.ts';
import { type LoadedConfig, loadConfig } from '#config/load.ts';
import type { Environment } from '#config/option-environment.ts';
import { authority } from '#domain/ecu.ts';

interface ConfigCheckOptions {
  readonly ecuInfoPath?: string | undefined;
  readonly optionsPath?: string | undefined;
  /** One JSON object on `stdout` instead of text. */
  readonly json: boolean;
  readonly env: Environment;
  readonly cwd?: string | undefined;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/**
 * `ota config check`: what is configured, from where, and every problem with file, line, key and mend. Ends with 0 when
 * all is good, with 1 when there is any problem or an option that nobody knows (which the daemon only warns of).
 */
export async function runConfigCheck(check: ConfigCheckOptions): Promise<number> {
  const { ecuInfoPath, optionsPath, env, cwd = process.cwd() } = check;
  const config = await loadConfig({ ecuInfoPath, optionsPath, env, cwd });
  const problems = [...(config.problem?.problems ?? []), ...config.unknown];
  if (check.json) {
    check.stdout.write(`${JSON.stringify(asJson(config, problems))}\n`);
  } else {
    check.stdout.write(asText(config));
    for (const problem of problems) check.stderr.write(`${formatProblem(problem)}\n`);
    const many = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    if (problems.length > 0) check.stderr.write(`${many} found\n`);
    else check.stdout.write('no problems found\n');
  }
  return problems.length === 0 ? 0 : 1;
}

function asText(config: LoadedConfig): string {
  const { ecuInfo, files, listen, set } = config;
  const lines = [
    ['ecu_info', files.ecuInfo ?? 'not found'],
    ['  ECU', ecuInfo.ecuId],
    ['  listens on', authority(listen)],
    ['  boot loader', ecuInfo.bootloader],
    ['  campaign', ecuInfo.availableEcuIds.join(', ')],
    ...ecuInfo.secondaries.map((child) => ['  child', `${child.ecuId} at ${authority(child)}`]),
    ['options', files.options ?? 'no file, defaults'],
    ...set.map((option) => [`  ${option.name}`, `${option.value} from ${option.from}`]),
  ];
  const width = Math.max(...lines.map(([name = '']) => name.length));
  return lines.map(([name = '', value = '']) => `${name.padEnd(width)}  ${value}\n`).join('');
}

/** Names as in the files. Fields are only ever added to it. */
function asJson({ ecuInfo, files, listen, set }: LoadedConfig, problems: readonly ConfigProblem[]) {
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
    problems: problems.map(({ line = null, column = null, ...problem }) => ({ ...problem, line, column })),
  };
}
