import { openWorkerPort } from '#host/worker-port.ts';
import { SharedState, type SharedStateData } from '#update/shared-state.ts';
import { type LinkJob, link } from './links.ts';
import { type ScanJob, Scanner } from './scan.ts';
import { SlotWriter } from './slot-writer.ts';
import {
  type AdoptJob,
  adopt,
  type ClearJob,
  clear,
  type KeepJob,
  keep,
  type SealJob,
  type SkeletonJob,
  seal,
  skeleton,
} from './standby.ts';
import { type StoreFileJob, type StoreJob, store, storeFile } from './store.ts';
import { type MeasureJob, measure, type WalkJob, walkActive } from './walk.ts';

/** What a worker of the update engine is started with. */
export interface PlaceWorkerData {
  readonly number: number;
  readonly state: SharedStateData;
  /** Root of the standby slot. */
  readonly root: string;
  /** Names at its top that are left alone. */
  readonly reserved: readonly string[];
  /** The process's umask; only the main thread may ask for it. */
  readonly umask: number;
}

type Job =
  | WalkJob
  | MeasureJob
  | ClearJob
  | KeepJob
  | SkeletonJob
  | AdoptJob
  | ScanJob
  | StoreJob
  | StoreFileJob
  | LinkJob
  | SealJob;

const port = openWorkerPort<Job>();
const data = port.data as PlaceWorkerData;
const state = new SharedState(data.state, data.number);
const writer = new SlotWriter(data.root, state, data.umask);
const scanner = new Scanner(state, writer, () => port.drain());

port.serve((job) => {
  switch (job.kind) {
    case 'walk':
      return walkActive(state.table, job);
    case 'measure':
      return measure(state.table, data.root, data.reserved, job);
    case 'clear':
      return clear(state, writer, data.reserved);
    case 'keep':
      return keep(state, writer, job);
    case 'skeleton':
      return skeleton(state, writer, job);
    case 'adopt':
      return adopt(state, writer, job);
    case 'scan':
      return scanner.scan(job);
    case 'store':
      return store(state, writer, job);
    case 'store-file':
      return storeFile(state, writer, job);
    case 'link':
      return link(state, writer);
    case 'seal':
      return seal(state, writer);
  }
});
