import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { stringify } from 'yaml';
import { type EcuInfo, readEcuInfo } from '#config/ecu-info.ts';
import type { DemoConsole } from './console.ts';
import { DemoError } from './demo-error.ts';
import { writeTree } from './factory.ts';
import type { Release } from './releases.ts';
import type { DaemonSpec } from './supervisor.ts';
import type { Surroundings } from './surroundings.ts';

/** One ECU of the demo's vehicle, and where everything of it lies. */
export interface DemoEcu {
  readonly ecuId: string;
  readonly host: string;
  readonly port: number;
  /** 0 for the main ECU, 1 for its children ... */
  readonly depth: number;
  readonly slots: string;
  readonly daemon: DaemonSpec;
  /** Persistent files that the factory made for this ECU alone: path -> content. */
  readonly own: ReadonlyMap<string, string>;
}

/** An ECU and what lies below it, as the files of the vehicle say. */
interface Place {
  readonly ecuId: string;
  readonly host: string;
  readonly depth: number;
  readonly children: readonly Place[];
}

/** What `ecu_info.yml` of the main ECU cannot tell: only the parent of an ECU lists it. */
const listedByChildren: Readonly<
  Record<string, readonly { readonly ecuId: string; readonly host: string }[]>
> = {
  adas: [{ ecuId: 'camera', host: '127.0.0.4' }],
};

/** Exit code by which the daemons ask to be started again. */
export const rebootExitCode = 10;

export interface FleetOptions {
  readonly project: string;
  /** Directory of this run. */
  readonly directory: string;
  readonly port: number;
  /** Of the main ECU, which serves people; the others serve nobody. */
  readonly console: DemoConsole;
  /** What the ECUs leave the factory with. */
  readonly release: Release;
  readonly trustDirectory: string;
  /** Where the main ECU takes the diagnostics of the others. */
  readonly collectPort: number;
  readonly surroundings: Surroundings;
  readonly signal: AbortSignal;
}

/** Addresses of the vehicle that `ecu_info.yml` describes. Errors: DemoError not_installed when the file is broken. */
export async function vehicleHosts(project: string): Promise<string[]> {
  return flat(await readVehicle(project)).map(({ host }) => host);
}

/**
 * Makes the ECUs of the vehicle as they leave the factory: configuration, installed certificates, the release in the
 * active slot, and files of each ECU's own that an update has to keep.
 */
export async function makeFleet(options: FleetOptions): Promise<DemoEcu[]> {
  const vehicle = await readVehicle(options.project);
  const ids = flat(vehicle).map(({ ecuId }) => ecuId);
  const ecus: DemoEcu[] = [];
  for (const place of flat(vehicle)) ecus.push(await makeEcu(place, ids, options));
  return ecus;
}

async function readVehicle(project: string): Promise<Place> {
  const file = join(project, 'ecu_info.yml');
  const read = await readEcuInfo(file);
  if (!read.ok) throw new DemoError('not_installed', read.problem.message, { cause: read.problem });
  return placeOf(read.ecuInfo);
}

function placeOf({ ecuId, ipAddr, secondaries }: EcuInfo): Place {
  const below = (child: { readonly ecuId: string; readonly host: string }, depth: number): Place => ({
    ...child,
    depth,
    children: (listedByChildren[child.ecuId] ?? []).map((grandchild) => below(grandchild, depth + 1)),
  });
  return { ecuId, host: ipAddr, depth: 0, children: secondaries.map((child) => below(child, 1)) };
}

/** Each ECU before those below it. */
function flat(place: Place): Place[] {
  return [place, ...place.children.flatMap(flat)];
}

async function makeEcu(place: Place, ids: readonly string[], options: FleetOptions): Promise<DemoEcu> {
  const { ecuId, host, depth } = place;
  const { port, release, trustDirectory, signal } = options;
  const directory = join(options.directory, ecuId);
  const slots = join(directory, 'slots');
  const trust = join(directory, 'trust');
  const ecuInfoFile = join(directory, 'ecu_info.yml');
  const optionsFile = join(directory, 'ota.yml');
  for (const folder of [slots, trust]) await mkdir(folder, { recursive: true });
  for (const name of await readdir(trustDirectory)) {
    await copyFile(join(trustDirectory, name), join(trust, basename(name)));
  }
  await writeFile(ecuInfoFile, stringify(ecuInfoOf(place, ids, port)));
  await writeFile(
    optionsFile,
    stringify({
      ...daemonOptions({ state: join(directory, 'state'), trust, slots }),
      ...(depth === 0 ? mainOptions(options) : childOptions(options)),
    }),
  );
  const own = new Map([
    ['/etc/hostname', `${ecuId}\n`],
    ['/etc/machine-id', `${createHash('md5').update(ecuId).digest('hex')}\n`],
    ['/var/lib/vehicle/odometer.json', `{"ecu":"${ecuId}","km":${12_000 + ecuId.length}}\n`],
  ]);
  const root = join(slots, 'slot_a');
  await writeTree(root, release.entries, signal);
  for (const [path, text] of own) await writeFile(root + path, text);
  const status = join(slots, 'status/slot_a');
  await mkdir(status, { recursive: true });
  await writeFile(join(status, 'version'), release.version);
  const logFile = join(directory, 'daemon.log');
  const daemon = { ecuId, directory, ecuInfoFile, optionsFile, logFile };
  return { ecuId, host, port, depth, slots, daemon, own };
}

/** The fields of the project's own file, with this run's port. */
function ecuInfoOf({ ecuId, host, depth, children }: Place, ids: readonly string[], port: number): object {
  return {
    format_version: 1,
    ecu_id: ecuId,
    ip_addr: host,
    port,
    bootloader: 'directory',
    ...(depth === 0 ? { available_ecu_ids: ids } : {}),
    ...(children.length === 0
      ? {}
      : { secondaries: children.map((child) => ({ ecu_id: child.ecuId, ip_addr: child.host, port })) }),
  };
}

interface Places {
  readonly state: string;
  readonly trust: string;
  readonly slots: string;
}

function daemonOptions({ state, trust, slots }: Places): object {
  return {
    state: { directory: state },
    trust: { directory: trust },
    boot: { directory: { path: slots } },
    reboot: { exit_code: rebootExitCode },
    // Everything happens in seconds here.
    children: { poll_active_ms: 250, poll_idle_ms: 1000 },
    // Four ECUs share the cores of one machine.
    workers: { count: 1 },
    health_checks: [
      {
        name: 'the slot holds the release',
        command: ['/bin/sh', '-c', 'grep -qx "VERSION_ID=$OTA_VERSION" "$OTA_SLOT_ROOT/etc/os-release"'],
        timeout_ms: 10_000,
      },
    ],
  };
}

/** The main ECU alone serves people, hears the broker, judges by it, and speaks with the receiver. */
function mainOptions({ project, surroundings, console, collectPort }: FleetOptions): object {
  return {
    console: { host: console.host, port: console.port, tokens_file: console.tokensFile },
    diagnostics: {
      ...quickly,
      kuksa: { address: surroundings.broker },
      campaigns: [join(project, 'scripts/demo/trip.yml')],
      upload: { url: surroundings.receiver.href },
      collect: { enabled: true, host: consoleHost, port: collectPort },
    },
    preconditions: {
      // For all that one request names, before any of them gets it.
      scope: 'vehicle',
      start: [
        {
          name: 'standing still',
          when: 'not Vehicle.IsMoving and Vehicle.Speed < 0.1',
          max_age_ms: patienceMs,
        },
        {
          name: 'parked',
          when: 'Vehicle.Powertrain.Transmission.SelectedGear == 126 and Vehicle.Chassis.ParkingBrake.IsEngaged',
          max_age_ms: patienceMs,
        },
        {
          name: '12 V battery',
          when: 'Vehicle.LowVoltageBattery.CurrentVoltage >= 12',
          max_age_ms: patienceMs,
        },
      ],
    },
  };
}

function childOptions({ collectPort }: FleetOptions): object {
  return {
    console: { enabled: false },
    diagnostics: { ...quickly, upload: { url: `http://${consoleHost}:${collectPort}` } },
  };
}

export const consoleHost = '127.0.0.1';
/** Everything happens in seconds here; busy machines are slow. */
const quickly = { segment_age_ms: 1000 } as const;
const patienceMs = 30_000;
