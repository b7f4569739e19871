import type { LoadedConfig } from '#config/load.ts';
import { ecuNames } from '#diagnostics/signals/ecu-name.ts';
import { ecuRoot, overlaySignals } from '#diagnostics/signals/overlay.ts';
import { diagnosticsRoot } from '#diagnostics/signals/overlay-diagnostics.ts';
import { CatalogError, readCatalogs } from '#diagnostics/signals/vss-catalog.ts';
import { parseExpression } from '#domain/expression/parse.ts';
import { signalsIn } from '#domain/expression/syntax.ts';
import { gatePoints } from '#update/gate.ts';

/** A condition of the options. */
interface AskedCondition {
  /** Where it stands: `preconditions.start[0].when`. */
  readonly key: string;
  readonly signals: readonly string[];
}

/** A condition that can hardly be fulfilled, and what to do about it. */
export interface DoubtfulSignal {
  readonly key: string;
  readonly what: string;
  readonly mend: string;
}

/** Every signal that the options make updates and first boots depend on. */
export function neededSignals(options: LoadedConfig['options']): readonly string[] {
  return [...new Set(conditionsOf(options).flatMap(({ signals }) => signals))];
}

/**
 * Conditions over signals that nothing brings, as far as the configuration alone can tell: a broker may know them or not.
 * None of them is fatal: what is missing is not fulfilled, or is declared to be no obstacle.
 */
export function doubtfulSignals({
  options,
  ecuInfo,
}: Pick<LoadedConfig, 'options' | 'ecuInfo'>): readonly DoubtfulSignal[] {
  const own = ownSignals([ecuInfo.ecuId, ...ecuInfo.availableEcuIds]);
  const { enabled, kuksa, replay } = options.diagnostics;
  const catalog = kuksa.address === undefined ? catalogPaths(replay.catalog) : undefined;
  const doubt = (path: string): Omit<DoubtfulSignal, 'key'> | undefined => {
    if (path.startsWith('Vehicle.OTA.')) {
      if (!enabled)
        return { what: `asks for ${path}, which needs diagnostics.enabled`, mend: 'set it to true' };
      if (own(path)) return undefined;
      return {
        what: `asks for ${path}, which is no signal of ours`,
        mend: 'see "Sources" in docs/diagnostics.md',
      };
    }
    if (kuksa.address === undefined && replay.file === undefined) {
      return { what: `asks for ${path}, which no source brings`, mend: 'set diagnostics.kuksa.address' };
    }
    if (catalog === undefined || catalog.has(path)) return undefined;
    return { what: `asks for ${path}, which ${replay.catalog} does not have`, mend: 'correct the path' };
  };
  return conditionsOf(options).flatMap(({ key, signals }) =>
    signals.flatMap((path) => {
      const found = doubt(path);
      return found === undefined ? [] : [{ key, ...found }];
    }),
  );
}

function conditionsOf({ preconditions, healthChecks }: LoadedConfig['options']): readonly AskedCondition[] {
  const signalsOf = (when: string): readonly string[] => signalsIn(parseExpression(when));
  return [
    ...gatePoints.flatMap((point) =>
      preconditions[point].map(({ when }, at) => ({
        key: `preconditions.${point}[${at}].when`,
        signals: signalsOf(when),
      })),
    ),
    ...healthChecks.flatMap(({ signal }, at) =>
      signal === undefined ? [] : [{ key: `health_checks[${at}].signal`, signals: signalsOf(signal) }],
    ),
  ];
}

function ownSignals(ecuIds: readonly string[]): (path: string) => boolean {
  const roots = [...ecuNames([...new Set(ecuIds)]).values()].map((name) => `${ecuRoot}.${name}.`);
  const names = new Set(overlaySignals.map(({ name }) => name));
  return (path) => {
    if (path.startsWith(`${diagnosticsRoot}.`)) return true;
    const root = roots.find((one) => path.startsWith(one));
    const rest = root === undefined ? '' : path.slice(root.length);
    return names.has(rest) || rest.startsWith('Host.');
  };
}

/** Undefined where nothing is known: the source itself tells what is wrong with the file. */
function catalogPaths(file: string | undefined): ReadonlySet<string> | undefined {
  if (file === undefined) return undefined;
  try {
    return new Set(readCatalogs([file]).keys());
  } catch (error) {
    if (error instanceof CatalogError) return undefined;
    throw error;
  }
}
