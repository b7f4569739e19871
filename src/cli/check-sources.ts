import type { LoadedConfig } from '#config/load.ts';
import { type CatalogLeaf, readCatalogs } from '#diagnostics/signals/vss-catalog.ts';
import { checkDrive } from '#diagnostics/sources/replay/read-drive.ts';

/** What is wrong with a file that a source of signals needs. */
export interface SourceProblem {
  /** The option that names it. */
  readonly key: string;
  readonly what: string;
  readonly mend: string;
}

export interface SourceCheck {
  /** What the sources are, for people. */
  readonly lines: readonly (readonly [string, string])[];
  readonly problems: readonly SourceProblem[];
}

/** Looks at the files of the sources of signals; a drive is read whole. Connects to nobody. */
export async function checkSources({ options }: LoadedConfig): Promise<SourceCheck> {
  const { kuksa, replay } = options.diagnostics;
  const lines: [string, string][] = [];
  const problems: SourceProblem[] = [];
  const look = async (key: string, mend: string, work: () => Promise<string> | string): Promise<void> => {
    try {
      lines.push([key, await work()]);
    } catch (error) {
      problems.push({ key, what: `cannot be used: ${(error as Error).message}`, mend });
    }
  };
  const { address } = kuksa;
  if (address !== undefined) {
    const door = kuksa.tls ? 'encrypted' : 'not encrypted';
    const who = kuksa.tokenFile === undefined ? 'without a token' : 'with a token';
    await look('diagnostics.kuksa', 'see "Sources" in docs/diagnostics.md', async () => {
      // The client of gRPC is loaded where there is somebody to call.
      const { brokerAccess } = await import('#api/kuksa/broker-access.ts');
      using _ = await brokerAccess({ ...kuksa, address }).connect();
      return `${address}, ${door}, ${who}`;
    });
  }
  const { file, catalog } = replay;
  let leaves: ReadonlyMap<string, CatalogLeaf> = new Map();
  if (catalog !== undefined) {
    await look('diagnostics.replay.catalog', 'name a vss.json', () => {
      leaves = readCatalogs([catalog]);
      return `${leaves.size} signals`;
    });
  }
  if (file !== undefined) {
    await look('diagnostics.replay.file', 'see "Sources" in docs/diagnostics.md', async () => {
      const drive = await checkDrive(file, (path) => leaves.get(path)?.datatype);
      return `${drive.values} values of ${drive.signals} signals, ${drive.durationMs / 1000} s`;
    });
  }
  return { lines, problems };
}
