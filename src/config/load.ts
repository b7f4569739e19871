import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConfigError, type ConfigProblem, configError } from './config-error.ts';
import { type EcuInfo, missingEcuInfo, readEcuInfo } from './ecu-info.ts';
import { type Environment, fileVariables } from './option-environment.ts';
import { type DaemonOptions, readOptions, type SetOption } from './options.ts';

/** Where the two files are named; each is looked for in its usual places otherwise. */
export interface ConfigSources {
  /** Path of `ecu_info.yml`; wins over `OTA_ECU_INFO`. */
  readonly ecuInfoPath?: string | undefined;
  /** Path of `ota.yml`; wins over `OTA_OPTIONS`. */
  readonly optionsPath?: string | undefined;
  readonly env: Environment;
  /** The directory whose files are tried first. */
  readonly cwd: string;
}

/** Everything that the daemon is configured with. Always complete: what is broken has its default. */
export interface LoadedConfig {
  readonly ecuInfo: EcuInfo;
  readonly options: DaemonOptions;
  /** Where the daemon listens, after all sources were weighed. */
  readonly listen: { readonly host: string; readonly port: number };
  /** The files that were read; undefined when there is none. */
  readonly files: { readonly ecuInfo: string | undefined; readonly options: string | undefined };
  /** Set when anything is broken: the daemon then serves Status, says so there and refuses updates. */
  readonly problem: ConfigError | undefined;
  /** Unknown options: ignored, but worth a warning. */
  readonly unknown: readonly ConfigProblem[];
  /** The options that do not have their default. */
  readonly set: readonly SetOption[];
}

const ecuInfoPlaces = ['ecu_info.yml', 'ecu_info.yaml'];
/** Existing vehicles have the long ending. */
const ecuInfoInstalled = ['/boot/ota/ecu_info.yaml', '/boot/ota/ecu_info.yml'];
const optionsInstalled = ['/boot/ota/ota.yml', '/etc/ota/ota.yml'];

/** Finds and reads both files. Never throws for what it finds in them. */
export async function loadConfig({
  ecuInfoPath,
  optionsPath,
  env,
  cwd,
}: ConfigSources): Promise<LoadedConfig> {
  const ecuInfoPlacesHere = [...ecuInfoPlaces.map((name) => join(cwd, name)), ...ecuInfoInstalled];
  const ecuInfoFile = (ecuInfoPath ?? env[fileVariables.ecuInfo]) || (await firstThere(ecuInfoPlacesHere));
  const optionsPlaces = [join(cwd, 'ota.yml'), ...optionsInstalled];
  const optionsFile = (optionsPath ?? env[fileVariables.options]) || (await firstThere(optionsPlaces));

  const ecu = ecuInfoFile ? await readEcuInfo(ecuInfoFile) : missingEcuInfo(nowhere(ecuInfoPlacesHere));
  const { options, problem, unknown, set } = await readOptions(optionsFile, env);
  const problems = [...(ecu.ok ? [] : ecu.problem.problems), ...(problem?.problems ?? [])];
  const portFromEnvironment = set.some(
    ({ name, from }) => name === 'listen.port' && from === 'OTA_LISTEN_PORT',
  );
  return Object.freeze({
    ecuInfo: ecu.ecuInfo,
    options,
    listen: Object.freeze({
      host: options.listen.host ?? ecu.ecuInfo.ipAddr,
      port: (portFromEnvironment ? undefined : ecu.ecuInfo.port) ?? options.listen.port,
    }),
    files: Object.freeze({ ecuInfo: ecuInfoFile, options: optionsFile }),
    problem: configError(problems),
    unknown,
    set,
  });
}

/** The first of `places` where something is, readable or not: one that cannot be read is told, not passed over. */
async function firstThere(places: readonly string[]): Promise<string | undefined> {
  for (const place of places) {
    try {
      await access(place);
      return place;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') return place;
    }
  }
  return undefined;
}

function nowhere(places: readonly string[]): ConfigProblem {
  return {
    code: 'file_missing',
    file: 'ecu_info.yml',
    line: undefined,
    column: undefined,
    key: '',
    what: `is at none of ${places.join(', ')}`,
    mend: `create it there, or name it with ${fileVariables.ecuInfo}`,
  };
}
