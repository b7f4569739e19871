import type { LoadedConfig } from '#config/load.ts';
import type { ToldBlackBox } from '#diagnostics/black-box-source.ts';
import { DiagnosticsPipeline } from '#diagnostics/pipeline.ts';
import type { SignalStore } from '#diagnostics/signals/signal-store.ts';
import type { SignalSources } from '#diagnostics/sources/signal-sources.ts';
import type { Log } from '#domain/log.ts';
import type { StatusStore } from '#ecu/status-store.ts';

/** Starts diagnostics and puts them on `stack`. A spool that cannot be opened costs diagnostics, never the daemon. */
export async function openDiagnostics(
  stack: AsyncDisposableStack,
  config: LoadedConfig,
  clientVersion: string,
  store: StatusStore,
  signals: SignalStore,
  sources: SignalSources,
  blackBoxes: () => Promise<readonly ToldBlackBox[]>,
  log: Log,
): Promise<DiagnosticsPipeline | undefined> {
  const { ecuInfo, options } = config;
  if (!options.diagnostics.enabled || config.problem !== undefined) return undefined;
  let pipeline: DiagnosticsPipeline;
  try {
    pipeline = await DiagnosticsPipeline.open({
      options: options.diagnostics,
      stateDirectory: options.state.directory,
      ecuId: ecuInfo.ecuId,
      ecuIds: [...new Set([ecuInfo.ecuId, ...ecuInfo.availableEcuIds])],
      host: config.listen.host,
      otherEcuIds: [...ecuInfo.secondaries.map(({ ecuId }) => ecuId), ...ecuInfo.availableEcuIds].filter(
        (id) => id !== ecuInfo.ecuId,
      ),
      clientVersion,
      store: signals,
      sources,
      needsLink: () => store.overview().needsNetwork,
      blackBoxes,
      log,
    });
  } catch (error) {
    log.error({ err: error }, 'diagnostics are off: their spool cannot be opened');
    return undefined;
  }
  stack.use(pipeline);
  const reload = (): void => void pipeline.reload();
  process.on('SIGHUP', reload);
  stack.defer(() => void process.off('SIGHUP', reload));
  const take = (): void => pipeline.take(store.report()?.ecus ?? []);
  stack.defer(store.subscribe(take));
  take();
  return pipeline;
}
