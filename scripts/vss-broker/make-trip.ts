import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

// node scripts/vss-broker/make-trip.ts [--check]: writes trip.csv, the recorded trip of the sample vehicle. 150 seconds: it
// stands ready, pulls out, drives through town, brakes hard once, drives on, stops, and parks.

const file = join(import.meta.dirname, 'trip.csv');
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });

/** Speed in km/h at seconds; between them it changes evenly. */
const course: readonly (readonly [number, number])[] = [
  [0, 0],
  [6, 0],
  [16, 48],
  [34, 52],
  [37, 14],
  [41, 12],
  [52, 50],
  [66, 54],
  [76, 0],
  [150, 0],
];
/** When the gear selector, brake and doors are moved. */
const moments = { drive: 4, park: 80, driverLeaves: 88 } as const;
const seconds = 150;
const stepsPerSecond = 4;

const lines = ['time,path,value,datatype'];
const shown = new Map<string, string>();

function put(at: number, path: string, value: string | number | boolean, datatype: string): void {
  lines.push(`${at},Vehicle.${path},${value},${datatype}`);
}

/** When it is another value than before, and once a second: who judges by it wants to know that it still holds. */
function putState(at: number, path: string, value: string | number | boolean, datatype: string): void {
  if (shown.get(path) === String(value) && at % 1 !== 0) return;
  shown.set(path, String(value));
  put(at, path, value, datatype);
}

function speedAt(time: number): number {
  const next = course.findIndex(([at]) => at >= time);
  const [to, speed] = course[next] ?? [seconds, 0];
  const [from, before] = course[next - 1] ?? [0, 0];
  return to === from ? speed : before + ((speed - before) * (time - from)) / (to - from);
}

/** A ripple that is the same in every run. */
function ripple(time: number, size: number): number {
  return size * (0.6 * Math.sin(time * 1.7) + 0.4 * Math.sin(time * 4.1 + 1));
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

let metres = 0;
for (let step = 0; step <= seconds * stepsPerSecond; step++) {
  const time = step / stepsPerSecond;
  const plan = speedAt(time);
  const speed = plan === 0 ? 0 : Math.max(0, round(plan + ripple(time, 0.8), 1));
  const acceleration =
    ((speedAt(time + 0.25) - speedAt(Math.max(0, time - 0.25))) / 3.6 / 0.5) * (plan === 0 ? 0 : 1);
  metres += speed / 3.6 / stepsPerSecond;
  const isDriving = time >= moments.drive && time < moments.park;
  put(time, 'Speed', speed, 'float');
  put(time, 'Acceleration.Longitudinal', round(acceleration, 2), 'float');
  putState(time, 'IsMoving', speed > 0, 'boolean');
  putState(time, 'Powertrain.Transmission.SelectedGear', isDriving ? 127 : 126, 'int8');
  putState(time, 'Powertrain.Transmission.CurrentGear', isDriving ? 1 : 0, 'int8');
  putState(time, 'Powertrain.Transmission.IsParkLockEngaged', !isDriving, 'boolean');
  putState(time, 'Chassis.ParkingBrake.IsEngaged', !isDriving, 'boolean');
  putState(time, 'LowVoltageSystemState', time < moments.driverLeaves ? 'ON' : 'ACC', 'string');
  putState(
    time,
    'Cabin.Seat.Row1.DriverSide.OccupancyStatus',
    time < moments.driverLeaves ? 'OCCUPIED' : 'EMPTY',
    'string',
  );
  putState(
    time,
    'Cabin.Door.Row1.DriverSide.IsOpen',
    time >= moments.driverLeaves && time < moments.driverLeaves + 3,
    'boolean',
  );
  if (step % stepsPerSecond !== 0) continue;
  const charge = 71.5 - metres / 2500;
  put(
    time,
    'LowVoltageBattery.CurrentVoltage',
    round((isDriving ? 14.1 : 12.7) + ripple(time, 0.05), 2),
    'float',
  );
  put(time, 'Powertrain.TractionBattery.StateOfCharge.Current', round(charge, 2), 'float');
  put(
    time,
    'Powertrain.TractionBattery.CurrentPower',
    round(-speed * 180 - acceleration * speed * 420, 0),
    'float',
  );
  put(time, 'Powertrain.ElectricMotor.Temperature', round(38 + metres / 90 + ripple(time, 0.4), 1), 'float');
  put(time, 'TraveledDistance', 18_204_310 + Math.round(metres), 'uint32');
  put(time, 'CurrentLocation.Latitude', round(48.137 + metres * 8.99e-6, 6), 'double');
  put(time, 'CurrentLocation.Longitude', round(11.575 + metres * 1.35e-6, 6), 'double');
  if (time % 10 !== 0) continue;
  put(time, 'Exterior.AirTemperature', 9.5, 'float');
  put(time, 'Connectivity.IsConnectivityAvailable', true, 'boolean');
  put(time, 'Diagnostics.DTCCount', 0, 'uint8');
  put(time, 'Diagnostics.DTCList', '[]', 'string[]');
}

const text = `${lines.join('\n')}\n`;
if (!values.check) writeFileSync(file, text);
else if (readFileSync(file, 'utf8') !== text) {
  process.stderr.write(
    `${file} is not what this script makes: run it without --check and commit the result\n`,
  );
  process.exitCode = 1;
}
