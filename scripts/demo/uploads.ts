import { humanBytes, humanCount } from '#cli/render-units.ts';
import type { Sample } from '#diagnostics/messages/samples.ts';
import { ecuNames } from '#diagnostics/signals/ecu-name.ts';
import { eventually } from './eventually.ts';
import { type Received, readReceived } from './received.ts';
import type { Scene } from './scene.ts';

/** What the receiver has to have in the end: the trip, and of every ECU the course of its update. */
export async function showUploads(scene: Scene, rolledBack: string): Promise<void> {
  const { ecus, releases, surroundings, words, io } = scene;
  words.chapter('Diagnostics: what the vehicle recorded has arrived at the receiver');
  let received: Received = { ecus: [], samples: [], bytes: 0 };
  await eventually('the uploads', io.signal, async () => {
    received = await readReceived(surroundings.received);
    const missing = missingFrom(
      received,
      ecus.map(({ ecuId }) => ecuId),
      rolledBack,
    );
    if (missing === undefined) return true;
    throw new Error(`${missing} has not arrived`);
  });
  words.table(
    [{ title: 'ECU' }, { title: 'SEGMENTS', align: 'right' }, { title: 'VALUES', align: 'right' }],
    received.ecus.map((one) =>
      [one.ecuId, humanCount(one.segments), humanCount(one.values)].map((text) => ({ text })),
    ),
  );
  words.line();
  const { samples } = received;
  const speeds = numbersOf(samples, 'Vehicle.Speed');
  const braking = numbersOf(samples, 'Vehicle.Acceleration.Longitudinal');
  words.tell(`${humanCount(samples.length)} values in ${humanBytes(received.bytes)}, decoded:`);
  words.tell(`the trip: ${humanCount(speeds.length)} speeds, up to ${Math.max(...speeds).toFixed(1)} km/h`);
  words.tell(
    `a hard braking, from a ring buffer: ${braking.length} accelerations, down to ${Math.min(...braking).toFixed(1)} m/s²`,
  );
  for (const { ecuId } of ecus) {
    const states = statesOf(samples, ecuId);
    const course = states.filter((state, at) => state !== states[at - 1]).join(', ');
    words.tell(`${ecuId}: ${course}; runs ${textsOf(samples, signalOf(ecuId, 'CurrentVersion')).at(-1)}`);
  }
  words.quiet(`npx ota diagnostics decode ${surroundings.received}`);
  words.quiet(`release ${releases.second.version} was accepted only after the trip`);
}

/** The first thing that is still missing; undefined when everything is there. */
function missingFrom(
  { ecus, samples }: Received,
  ids: readonly string[],
  rolledBack: string,
): string | undefined {
  const speeds = numbersOf(samples, 'Vehicle.Speed');
  if (!speeds.some((speed) => speed > 40) || speeds.at(-1) !== 0) return 'the trip';
  if (numbersOf(samples, 'Vehicle.Acceleration.Longitudinal').length < 5) return 'the hard braking';
  for (const id of ids) {
    if (!ecus.some(({ ecuId }) => ecuId === id)) return `what ${id} recorded`;
    const states = statesOf(samples, id);
    const wanted =
      id === rolledBack ? ['UPDATING', 'SUCCESS', 'ROLLBACKING', 'SUCCESS'] : ['UPDATING', 'SUCCESS'];
    let at = 0;
    for (const state of states) if (state === wanted[at]) at++;
    if (at < wanted.length) return `${wanted.join(', ')} of ${id}`;
  }
  return undefined;
}

function statesOf(samples: readonly Sample[], ecuId: string): readonly string[] {
  return textsOf(samples, signalOf(ecuId, 'State'));
}

function signalOf(ecuId: string, name: string): string {
  return `Vehicle.OTA.ECU.${ecuNames([ecuId]).get(ecuId)}.${name}`;
}

/** In the order of their times. */
function seriesOf(samples: readonly Sample[], signal: string): readonly Sample[] {
  return samples
    .filter((one) => one.signal === signal && one.from === 'TimeSeries')
    .toSorted((a, b) => Number((a.ts ?? 0n) - (b.ts ?? 0n)));
}

function textsOf(samples: readonly Sample[], signal: string): readonly string[] {
  return seriesOf(samples, signal).flatMap(({ value }) => ('string' in value ? [value.string] : []));
}

function numbersOf(samples: readonly Sample[], signal: string): readonly number[] {
  return seriesOf(samples, signal).flatMap(({ value }) =>
    'float' in value ? [value.float] : 'double' in value ? [value.double] : [],
  );
}
