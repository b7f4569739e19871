import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { DiagnosticsStatus } from '#diagnostics/diagnostics-status.ts';
import { otaStatuses } from '#domain/status.ts';
import { type Ecu, OtaState, Reachability, type Vehicle } from '#gen/ota/console/v1/types_pb.ts';
import type { RequestCounts } from './request-counts.ts';

export interface MetricsParts {
  readonly vehicle: () => Vehicle;
  readonly diagnostics: () => DiagnosticsStatus | undefined;
  readonly requests: RequestCounts;
  readonly watchers: () => number;
}

/** What a scrape is answered, in the format of OpenMetrics. Everything is read when it is asked for. */
export class Metrics {
  readonly #registry = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();

  constructor(parts: MetricsParts) {
    this.#registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    collectDefaultMetrics({ register: this.#registry });
    this.#addEcus(parts);
    this.#addProgress(parts);
    this.#addConsole(parts);
    this.#addDiagnostics(parts);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #addEcus({ vehicle }: MetricsParts): void {
    this.#gauge(
      'ota_ecu_info',
      'What runs on an ECU',
      ['ecu', 'parent', 'version', 'client', 'slot', 'bootloader'],
      (set) => {
        for (const ecu of vehicle().ecus) {
          const {
            ecuId,
            parentEcuId: parent,
            firmwareVersion: version,
            otaclientVersion: client,
            slot,
            bootloader,
          } = ecu;
          set({ ecu: ecuId, parent, version, client, slot, bootloader }, 1);
        }
      },
    );
    this.#gauge(
      'ota_ecu_state',
      'State of the OTA client: 1 for the one that it is in',
      ['ecu', 'state'],
      (set) => {
        for (const { ecuId, state } of vehicle().ecus) {
          for (const name of otaStatuses) set({ ecu: ecuId, state: name }, OtaState[name] === state ? 1 : 0);
        }
      },
    );
    this.#gauge('ota_ecu_reachable', 'Whether an ECU answers', ['ecu'], (set) => {
      for (const { ecuId, reachability } of vehicle().ecus) {
        set({ ecu: ecuId }, reachability === Reachability.REACHABLE ? 1 : 0);
      }
    });
  }

  #addProgress({ vehicle }: MetricsParts): void {
    const each = (
      name: string,
      help: string,
      of: (progress: NonNullable<Ecu['progress']>) => number,
    ): void => {
      this.#gauge(name, help, ['ecu'], (set) => {
        for (const { ecuId, progress } of vehicle().ecus)
          if (progress !== undefined) set({ ecu: ecuId }, of(progress));
      });
    };
    each('ota_update_percent', 'Progress of the update; 100 once it is committed', ({ percent }) => percent);
    each('ota_update_size_bytes', 'Bytes of all files of the release', ({ total }) =>
      Number(total?.bytes ?? 0n),
    );
    each('ota_update_wire_bytes', 'Bytes received over the network', ({ wireBytes }) => Number(wireBytes));
    each('ota_update_download_errors', 'Failed attempts of downloads', ({ downloadErrors }) =>
      Number(downloadErrors),
    );
    each('ota_update_bytes_per_second', 'Bytes placed per second', ({ bytesPerSecond }) => bytesPerSecond);
    for (const what of ['bytes', 'files'] as const) {
      this.#gauge(
        `ota_update_placed_${what}`,
        `Placed ${what}, by where they came from`,
        ['ecu', 'source'],
        (set) => {
          for (const { ecuId, progress } of vehicle().ecus) {
            for (const source of ['copy', 'link', 'download'] as const) {
              const work = progress?.[source];
              if (work !== undefined) set({ ecu: ecuId, source }, Number(work[what]));
            }
          }
        },
      );
    }
  }

  #addConsole({ requests, watchers }: MetricsParts): void {
    this.#counter(
      'ota_console_requests',
      'Requests of the console that have ended',
      ['method', 'result'],
      (set) => {
        for (const { method, result, count } of requests.all()) set({ method, result }, count);
      },
    );
    this.#gauge('ota_console_watchers', 'Streams of changes that are open', [], (set) => set({}, watchers()));
  }

  #addDiagnostics({ diagnostics }: MetricsParts): void {
    for (const what of ['bytes', 'segments'] as const) {
      this.#gauge(`ota_spool_${what}`, `Diagnostics that wait on disk: ${what}`, ['priority'], (set) => {
        for (const lane of diagnostics()?.lanes ?? []) set({ priority: lane.priority }, lane[what]);
      });
    }
    const one = (name: string, help: string, of: (status: DiagnosticsStatus) => number): void => {
      this.#counter(name, help, [], (set) => {
        const status = diagnostics();
        if (status !== undefined) set({}, of(status));
      });
    };
    one('ota_diagnostics_dropped_samples', 'Values that the disk did not take', (s) => s.droppedSamples);
    one('ota_spool_evicted_segments', 'Segments that had to go for want of room', (s) => s.evictedSegments);
    one(
      'ota_spool_quarantined_segments',
      'Segments that were damaged or refused',
      (s) => s.quarantinedSegments,
    );
    one('ota_upload_segments', 'Segments that were uploaded', (s) => s.uploadedSegments);
    one('ota_upload_bytes', 'Bytes that were uploaded', (s) => s.uploadedBytes);
    one('ota_upload_failures', 'Uploads that failed', (s) => s.uploadFailures);
  }

  #gauge(name: string, help: string, labelNames: string[], collect: Collect): void {
    const gauge = new Gauge<string>({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect: () => {
        gauge.reset();
        if (labelNames.length > 0) gauge.remove({});
        collect((labels, value) => gauge.set(labels, value));
      },
    });
  }

  #counter(name: string, help: string, labelNames: string[], collect: Collect): void {
    const counter = new Counter<string>({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        collect((labels, value) => counter.inc(labels, value));
      },
    });
  }
}

type Collect = (set: (labels: Record<string, string>, value: number) => void) => void;
