import type { DaemonOptions } from '#config/options.ts';
import { systemClock } from '#diagnostics/signals/clock.ts';
import type { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { CatalogError, readCatalogs } from '#diagnostics/signals/vss-catalog.ts';
import { usualPatience } from '#diagnostics/sources/keep-connected.ts';
import { SignalSources } from '#diagnostics/sources/signal-sources.ts';
import type { OutsideSource } from '#diagnostics/sources/source.ts';
import type { Log } from '#domain/log.ts';

/** The sources of signals that the options name. What they need is loaded only where they are named. */
export async function openSources(
  { kuksa, replay }: DaemonOptions['diagnostics'],
  store: SignalStore,
  log: Log,
): Promise<SignalSources> {
  const sources: OutsideSource[] = [];
  if (kuksa.address !== undefined) {
    const { brokerAccess } = await import('#api/kuksa/broker-access.ts');
    const { KuksaSource } = await import('#diagnostics/sources/kuksa-source.ts');
    const link = {
      access: brokerAccess({ ...kuksa, address: kuksa.address }),
      store,
      clock: systemClock,
      patience: usualPatience,
      random: Math.random,
      log,
    };
    sources.push(new KuksaSource(link));
    if (kuksa.publish) {
      const { OverlayPublisher } = await import('#diagnostics/sources/overlay-publisher.ts');
      // Its own access: each remembers the credentials that it used.
      const access = brokerAccess({ ...kuksa, address: kuksa.address });
      sources.push(new OverlayPublisher({ ...link, access }));
    }
  }
  if (replay.file !== undefined) {
    const { ReplaySource } = await import('#diagnostics/sources/replay/replay-source.ts');
    const catalog = catalogOf(replay.catalog, log);
    sources.push(
      new ReplaySource({
        file: replay.file,
        speed: replay.speed,
        loop: replay.loop,
        datatypeOf: (path) => catalog.get(path)?.datatype ?? store.datatypeOf(path),
        store,
        clock: systemClock,
        log,
      }),
    );
  }
  return new SignalSources(sources);
}

function catalogOf(file: string | undefined, log: Log): ReturnType<typeof readCatalogs> {
  try {
    return readCatalogs(file === undefined ? [] : [file]);
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error;
    log.error({ err: error }, 'diagnostics.replay.catalog is not used');
    return new Map();
  }
}
