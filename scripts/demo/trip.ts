import { OtaClient } from '#api/client.ts';
import type { ConsoleValue } from '#api/console-diagnostics.ts';
import { acceptedIds } from '#cli/answers.ts';
import { DemoError } from './demo-error.ts';
import { mainOf, type Scene } from './scene.ts';
import { updateEntries } from './update-entries.ts';

const speed = 'Vehicle.Speed';
const isMoving = 'Vehicle.IsMoving';
const gear = 'Vehicle.Powertrain.Transmission.SelectedGear';
const brake = 'Vehicle.Chassis.ParkingBrake.IsEngaged';
/** @see VSS, Vehicle.Powertrain.Transmission.SelectedGear */
const park = 126;

/** The vehicle drives, and is asked for an update meanwhile; then it parks. */
export async function showTrip(scene: Scene): Promise<void> {
  const { ecus, releases, surroundings, words, io } = scene;
  const main = mainOf(ecus);
  words.chapter('A trip: an update is refused while the vehicle moves');
  const trip = surroundings.drive();
  const [, count = '', seconds = ''] = await trip.says(/^playing (\d+) values, (\d+) s/, io.signal);
  words.tell(
    `a recorded trip of ${seconds} s is played into the broker, five times as fast: ${count} values`,
  );
  await scene.console.until('the start of the trip', [isMoving], moves, io.signal);
  using client = new OtaClient(main);
  const entries = updateEntries(scene, releases.second);
  const call = { signal: io.signal, budgetMs: 30_000 };
  const answers = await client.update({ entries, requestId: `demo-moving-${process.pid}` }, call);
  const accepted = acceptedIds(answers);
  if (accepted.length > 0) {
    throw new DemoError('not_refused', `a moving vehicle accepted an update: ${accepted.join(', ')}`);
  }
  for (const message of new Set(answers.map((answer) => answer.message))) words.bad(message);
  await isParked(scene);
  words.tell('the vehicle has stopped and is parked');
}

/** Waits until the main ECU knows that the vehicle is parked; after a start it has to be told first. */
export async function isParked({ console, io }: Scene): Promise<void> {
  await console.until('parking', [speed, isMoving, gear, brake], stands, io.signal);
}

type Values = ReadonlyMap<string, ConsoleValue | undefined>;

function moves(values: Values): boolean {
  return values.get(isMoving) === true;
}

function stands(values: Values): boolean {
  return (
    values.get(isMoving) === false &&
    Number(values.get(speed)) < 0.1 &&
    values.get(gear) === park &&
    values.get(brake) === true
  );
}
