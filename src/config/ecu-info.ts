import { isIP } from 'node:net';
import * as z from 'zod';
import { type EcuAddress, type EcuId, maxEcuIdLength } from '#domain/ecu.ts';
import { type ConfigError, type ConfigProblem, configError } from './config-error.ts';
import { readConfigFile } from './config-file.ts';
import { schemaProblems } from './schema-problems.ts';
import { parseYaml, type YamlSource } from './yaml-source.ts';

/** Boot controls that `bootloader` may name. The last four are ours; existing vehicles have the others. */
const bootloaders = [
  'auto_detect',
  'grub',
  'jetson-cboot',
  'jetson-uefi',
  'rpi_boot',
  'directory',
  'u-boot',
  'systemd-boot',
  'command',
] as const;
export type Bootloader = (typeof bootloaders)[number];

/** Names that older files use for a boot control. */
const bootloaderAliases: Readonly<Record<string, Bootloader>> = { cboot: 'jetson-cboot', rpi: 'rpi_boot' };

/** Where a child's daemon listens when its entry does not say. */
const defaultEcuPort = 50051;

/** Most ECUs that one file may list. */
const maxEcus = 256;

/** What this ECU is, and what lies below it: the content of `ecu_info.yml`. */
export interface EcuInfo {
  readonly ecuId: EcuId;
  /** IP literal that the daemon listens on. */
  readonly ipAddr: string;
  /** Our own addition: the port to listen on; undefined leaves it to the options. */
  readonly port: number | undefined;
  readonly bootloader: Bootloader;
  /** Every ECU of a campaign in the file's order; this ECU alone when the file lists none. May leave this ECU out. */
  readonly availableEcuIds: readonly EcuId[];
  /** Direct children. */
  readonly secondaries: readonly EcuAddress[];
}

/**
 * A broken file does not stop the daemon: it serves Status, says there what the problem is, and refuses updates. The
 * name and address that could be read in spite of it are kept, so that the parent still finds this ECU.
 */
export type EcuInfoResult =
  | { readonly ok: true; readonly ecuInfo: EcuInfo }
  | { readonly ok: false; readonly ecuInfo: EcuInfo; readonly problem: ConfigError };

const writeId = `write a name of 1 to ${maxEcuIdLength} printable characters, in quotes if it is a number`;
const writeIp = 'write an IP address such as 192.168.10.1; a host name is not accepted';
const writePort = 'write a port number from 1 to 65535';

const ecuId = z
  .string({ error: writeId })
  .max(maxEcuIdLength, { error: writeId })
  .regex(/^[^\p{Cc}\p{Cs}]+$/u, { error: writeId });
const ipAddr = z.string({ error: writeIp }).refine((text) => isIP(text) !== 0, { error: writeIp });
// Existing parsers take a port in quotes as well.
const port = z.preprocess(
  (value) => (typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value),
  z.int({ error: writePort }).min(1, { error: writePort }).max(65535, { error: writePort }),
);
const list = { error: 'write a list, or leave the key out' };
const tooMany = { error: `list at most ${maxEcus} ECUs` };
const bootloader = z.preprocess(
  (value) => (typeof value === 'string' ? (bootloaderAliases[value] ?? value) : value),
  z.enum(bootloaders, { error: `write one of ${bootloaders.join(', ')}` }),
);

/** Fields, defaults and tolerances of existing vehicles; unknown keys are ignored, an explicit null is refused. */
const schema = z.object({
  format_version: z.int({ error: 'write a whole number without quotes, such as 1' }).default(1),
  ecu_id: ecuId,
  ip_addr: ipAddr.default('127.0.0.1'),
  port: port.optional(),
  bootloader: bootloader.default('auto_detect'),
  available_ecu_ids: z.array(ecuId, list).max(maxEcus, tooMany).default([]),
  secondaries: z
    .array(
      z.object(
        { ecu_id: ecuId, ip_addr: ipAddr, port: port.default(defaultEcuPort) },
        { error: 'write ecu_id, ip_addr and, if it is not 50051, port' },
      ),
      list,
    )
    .max(maxEcus, tooMany)
    .default([]),
});

/** What an ECU is called, and where it listens, when no file says: as existing vehicles have it. */
const defaultEcuInfo: EcuInfo = freeze({
  ecuId: 'autoware',
  ipAddr: '127.0.0.1',
  port: undefined,
  bootloader: 'auto_detect',
  availableEcuIds: ['autoware'],
  secondaries: [],
});

/** Reads `ecu_info.yml`. Never throws for what is in the file or keeps it from being read. */
export async function readEcuInfo(file: string): Promise<EcuInfoResult> {
  const read = await readConfigFile(file);
  return read.ok ? parseEcuInfo(read.text, file) : refused([read.problem], defaultEcuInfo);
}

/** Parses the text of `ecu_info.yml`; `file` is only named in problems. All problems are reported, not only the first. */
export function parseEcuInfo(text: string, file: string): EcuInfoResult {
  const yaml = parseYaml(text, file);
  if (!yaml.ok) return refused(yaml.problems, defaultEcuInfo);
  const parsed = schema.safeParse(yaml.source.value);
  const problems = relationProblems(yaml.source);
  if (parsed.error) {
    const refusals = schemaProblems(parsed.error, yaml.source.value);
    problems.unshift(...refusals.map((p) => yaml.source.problem(p.code, p.path, p.what, p.mend)));
  }
  if (!parsed.success || problems.length > 0) return refused(problems, salvaged(yaml.source.value));
  const info = parsed.data;
  const ids = info.available_ecu_ids.length > 0 ? info.available_ecu_ids : [info.ecu_id];
  return {
    ok: true,
    ecuInfo: freeze({
      ecuId: info.ecu_id,
      ipAddr: info.ip_addr,
      port: info.port,
      bootloader: info.bootloader,
      availableEcuIds: [...new Set(ids)],
      secondaries: info.secondaries.map((s) => ({ ecuId: s.ecu_id, host: s.ip_addr, port: s.port })),
    }),
  };
}

/** The result for a file that is missing everywhere it is looked for. */
export function missingEcuInfo(problem: ConfigProblem): EcuInfoResult {
  return refused([problem], defaultEcuInfo);
}

/** What must hold between entries. Looks at the raw values, so that it is told together with what the schema refuses. */
function relationProblems(source: YamlSource): ConfigProblem[] {
  const { ecu_id: self, secondaries } = source.value;
  if (!Array.isArray(secondaries)) return [];
  const problems: ConfigProblem[] = [];
  const firstWithId = new Map<string, number>();
  const firstAtAddress = new Map<string, number>();
  for (const [at, entry] of secondaries.entries()) {
    const id: unknown = entry?.ecu_id;
    const address = `${entry?.ip_addr} ${entry?.port ?? defaultEcuPort}`;
    const sameId = typeof id === 'string' ? firstWithId.get(id) : undefined;
    const sameAddress = typeof entry?.ip_addr === 'string' ? firstAtAddress.get(address) : undefined;
    if (typeof id === 'string' && id === self) {
      const mend = 'take it out: secondaries are the ECUs below this one';
      problems.push(
        source.problem('self_as_secondary', ['secondaries', at, 'ecu_id'], 'is this ECU itself', mend),
      );
    }
    if (sameId !== undefined) {
      const what = `is the same ECU as secondaries[${sameId}]`;
      problems.push(
        source.problem(
          'duplicate',
          ['secondaries', at, 'ecu_id'],
          what,
          'list each ECU once, with its own ecu_id',
        ),
      );
    } else if (sameAddress !== undefined) {
      const what = `is the same address and port as of secondaries[${sameAddress}]`;
      problems.push(
        source.problem(
          'duplicate',
          ['secondaries', at, 'ip_addr'],
          what,
          'give each ECU its own address or port',
        ),
      );
    }
    if (typeof id === 'string' && sameId === undefined) firstWithId.set(id, at);
    if (sameAddress === undefined) firstAtAddress.set(address, at);
  }
  return problems;
}

function refused(problems: readonly ConfigProblem[], ecuInfo: EcuInfo): EcuInfoResult {
  const problem = configError(problems);
  if (problem === undefined) throw new TypeError('a refusal needs a problem');
  return { ok: false, ecuInfo, problem };
}

/** The default, with the name and address of this ECU where the broken file tells them validly. */
function salvaged(value: Record<string, unknown>): EcuInfo {
  const id = ecuId.safeParse(value['ecu_id']).data ?? defaultEcuInfo.ecuId;
  return freeze({
    ...defaultEcuInfo,
    ecuId: id,
    availableEcuIds: [id],
    ipAddr: ipAddr.safeParse(value['ip_addr']).data ?? defaultEcuInfo.ipAddr,
    port: port.safeParse(value['port']).data,
  });
}

function freeze(info: EcuInfo): EcuInfo {
  Object.freeze(info.availableEcuIds);
  for (const secondary of info.secondaries) Object.freeze(secondary);
  Object.freeze(info.secondaries);
  return Object.freeze(info);
}
