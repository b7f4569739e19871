import { batch, computed, type Signal, signal } from '@preact/signals';
import type { Category } from '#dashboard/page/words/states.ts';
import type { VehicleChange } from '#gen/ota/console/v1/console_pb.ts';
import type { Ecu, Vehicle } from '#gen/ota/console/v1/types_pb.ts';
import { second, vehicleNow } from './clock.ts';
import { remember, rememberSums } from './history.ts';
import { type EcuView, viewOf } from './job.ts';

/** A line of the tree. */
export interface Branch {
  readonly ecuId: string;
  /** 1 for the answering ECU. */
  readonly level: number;
  readonly parentId: string | undefined;
  readonly hasChildren: boolean;
}

/** Who the vehicle is; undefined before the first answer. */
export const identity = signal<{ readonly vehicleId: string; readonly ownEcuId: string } | undefined>(
  undefined,
);

/** One signal per ECU: what changes draws its own line and nothing else. */
const views = new Map<string, Signal<EcuView>>();

/** The tree, which changes only when ECUs come, go or move. */
export const tree = signal<readonly Branch[]>([]);

/** Grows whenever any ECU is different. */
const revision = signal(0);

/** Changes that wait for the next frame, newest per ECU. */
let pending = new Map<string, Ecu>();
let removed = new Set<string>();
let scheduled = false;

export const summary = computed(() => {
  void revision.value;
  const counts: Record<Category, number> = { ok: 0, updating: 0, failed: 0, silent: 0 };
  for (const view of views.values()) counts[view.peek().category]++;
  return counts;
});

/** All ECUs, in the order of the tree, told at most once a second. */
export const everyone = computed(() => {
  void second.value;
  return tree.value.flatMap(({ ecuId }) => views.get(ecuId)?.peek() ?? []);
});

/** All ECUs in the order of the tree as they are now. */
export function allNow(): EcuView[] {
  return tree.peek().flatMap(({ ecuId }) => views.get(ecuId)?.peek() ?? []);
}

export function viewSignal(ecuId: string): Signal<EcuView> | undefined {
  return views.get(ecuId);
}

/** Replaces everything. */
export function takeSnapshot(vehicle: Vehicle): void {
  pending = new Map(vehicle.ecus.map((ecu) => [ecu.ecuId, ecu]));
  removed = new Set([...views.keys()].filter((ecuId) => !pending.has(ecuId)));
  identity.value = { vehicleId: vehicle.vehicleId, ownEcuId: vehicle.ownEcuId };
  flush();
}

/** Takes what changed; it is drawn with the next frame, however many changes come before it. */
export function takeChange({ ecus, removedEcuIds }: VehicleChange): void {
  for (const ecu of ecus) {
    pending.set(ecu.ecuId, ecu);
    removed.delete(ecu.ecuId);
  }
  for (const ecuId of removedEcuIds) {
    pending.delete(ecuId);
    removed.add(ecuId);
  }
  if (scheduled) return;
  scheduled = true;
  // No frames come while nobody looks.
  if (document.hidden) setTimeout(flush, 200);
  else requestAnimationFrame(flush);
}

export function forgetVehicle(): void {
  batch(() => {
    views.clear();
    tree.value = [];
    identity.value = undefined;
    revision.value++;
  });
}

function flush(): void {
  scheduled = false;
  const [ecus, gone] = [pending, removed];
  pending = new Map();
  removed = new Set();
  if (ecus.size === 0 && gone.size === 0) return;
  const now = vehicleNow();
  let moved = gone.size > 0;
  batch(() => {
    for (const ecuId of gone) views.delete(ecuId);
    for (const ecu of ecus.values()) {
      const known = views.get(ecu.ecuId);
      const before = known?.peek();
      const view = viewOf(ecu, before);
      remember(view, before, now);
      if (known === undefined) views.set(ecu.ecuId, signal(view));
      else known.value = view;
      moved ||= before?.ecu.parentEcuId !== ecu.parentEcuId;
    }
    if (moved) tree.value = treeOf([...views.values()].map((view) => view.peek().ecu));
    revision.value++;
  });
}

/** Parents before their children, brothers and sisters in the order that they came in; knots and orphans at the top. */
function treeOf(ecus: readonly Ecu[]): Branch[] {
  const ids = new Set(ecus.map(({ ecuId }) => ecuId));
  const below = Map.groupBy(ecus, ({ parentEcuId }) => (ids.has(parentEcuId) ? parentEcuId : ''));
  const lines: Branch[] = [];
  const placed = new Set<string>();
  const place = ({ ecuId }: Ecu, level: number, parentId: string | undefined): void => {
    if (placed.has(ecuId)) return;
    placed.add(ecuId);
    const children = below.get(ecuId) ?? [];
    lines.push({ ecuId, level, parentId, hasChildren: children.length > 0 });
    for (const child of children) place(child, level + 1, ecuId);
  };
  for (const ecu of below.get('') ?? []) place(ecu, 1, undefined);
  for (const ecu of ecus) place(ecu, 1, undefined);
  return lines;
}

second.subscribe((now) => rememberSums(allNow(), now));
