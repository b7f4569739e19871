import type { OtaClient } from '#api/client.ts';
import { ConsoleError } from '#api/console-error.ts';
import type { CliIo } from '#cli/command.ts';
import { exitCodes } from '#cli/command.ts';
import type { ConsoleDoor } from '#cli/console-options.ts';
import { poll } from '#cli/poll.ts';
import { VehicleView } from '#cli/vehicle-view.ts';
import { WatchView } from './watch-view.ts';

/** The console that tells events. */
export interface EventSource {
  readonly door: ConsoleDoor;
  /** The caller named it: then it is told why there are no events. */
  readonly isWanted: boolean;
}

interface Watched {
  readonly client: OtaClient;
  readonly host: string;
  readonly intervalMs: number;
  readonly source: EventSource | undefined;
}

const allEvents = { ecuIds: [], kinds: [], query: '' };
const shownEvents = 50;

/** Shows the vehicle on the whole terminal until its reader leaves (0), or is told to stop. */
export async function watchStatus({ client, host, intervalMs, source }: Watched, io: CliIo): Promise<number> {
  const left = new AbortController();
  const signal = AbortSignal.any([io.signal, left.signal]);
  const vehicle = new VehicleView();
  using view = new WatchView(io, host, () => left.abort());
  const feed = source === undefined ? undefined : feedEvents(source, view, signal);
  try {
    for await (const { report, lost } of poll(client, intervalMs, signal)) {
      view.showVehicle(report === undefined ? vehicle.lose(lost) : vehicle.observe(report, Date.now()));
    }
    return exitCodes.failed;
  } catch (error) {
    if (left.signal.aborted) return exitCodes.ok;
    // To be stopped is how watching ends; there is nothing to tell.
    if (io.signal.aborted) return exitCodes.failed;
    throw error;
  } finally {
    left.abort();
    await feed;
  }
}

/** Events are an addition: a console that gives none takes nothing else away. */
async function feedEvents(
  { door, isWanted }: EventSource,
  view: WatchView,
  signal: AbortSignal,
): Promise<void> {
  const { followEvents } = await import('#cli/follow-events.ts');
  try {
    for await (const news of followEvents(door, { filter: allEvents, limit: shownEvents }, signal)) {
      if ('events' in news) view.addEvents(news.events);
      else if ('lost' in news && isWanted) view.lackEvents(news.lost);
    }
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof ConsoleError)) throw error;
    if (isWanted) view.lackEvents(error.message);
  }
}
