import type { LoadedConfig } from '#config/load.ts';
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
  log: Log,
): Promise<void> {
  const { ecuInfo, options } = config;
  if (!options.diagnostics.enabled || config.problem !== undefined) return;
  let pipeline: DiagnosticsPipeline;
  try {
    pipeline = await DiagnosticsPipeline.open({
      options: options.diagnostics,
      stateDirectory: options.state.directory,
      ecuId: ecuInfo.ecuId,
      ecuIds: [...new Set([ecuInfo.ecuId, ...ecuInfo.availableEcuIds])],
      clientVersion,
      store: signals,
      sources,
      needsLink: () => store.overview().needsNetwork,
      log,
    });
  } catch (error) {
    log.error({ err: error }, 'diagnostics are off: their spool cannot be opened');
    return;
  }
  stack.use(pipeline);
  const take = (): void => pipeline.take(store.report()?.ecus ?? []);
  stack.defer(store.subscribe(take));
  take();
}
