import type { TestContext } from 'node:test';
import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  FailureType,
  StatusOta,
  type StatusResponseEcuV2Schema,
  UpdatePhase,
  type UpdateResponseEcuSchema,
} from '#gen/otaclient_v2_pb.ts';
import { type ScriptedPeer, scriptedPeer } from './scripted-peer.ts';

type Answer = MessageInitShape<typeof UpdateResponseEcuSchema>;
type EcuStatus = MessageInitShape<typeof StatusResponseEcuV2Schema>;

const totalBytes = 400_000_000;
const totalFiles = 8000;

/** How an ECU of the fleet behaves: it takes updates, refuses them, or fails in the middle. */
export type Mood = 'good' | 'refuses' | 'fails';

interface Member {
  readonly ecuId: string;
  readonly parentId: string;
  readonly mood: Mood;
  version: string;
  failed: boolean;
  update: { readonly version: string; readonly beganMs: number } | undefined;
}

export interface ScriptedFleet {
  readonly ecuIds: readonly string[];
  readonly peer: ScriptedPeer;
}

/**
 * A program that speaks OtaClientV2 and answers for an ECU and many below it. Updates take `updateMs`; meanwhile every
 * answer has other numbers for every ECU.
 */
export async function scriptedFleet(
  t: TestContext,
  options: {
    readonly name: string;
    /** ECUs in all, the first one included. */
    readonly size: number;
    readonly updateMs: number;
    readonly moods?: Readonly<Record<string, Mood>>;
    readonly port?: number;
  },
): Promise<ScriptedFleet> {
  const { name, size, updateMs, moods = {} } = options;
  const members = new Map<string, Member>();
  for (let index = 0; index < size; index++) {
    const ecuId = index === 0 ? name : `${name}-${String(index).padStart(2, '0')}`;
    // Groups of ten below the first one.
    const zone = `${name}-${String(index - (index % 10)).padStart(2, '0')}`;
    const parentId = index === 0 ? '' : index % 10 === 0 || index < 10 ? name : zone;
    const mood = moods[ecuId] ?? 'good';
    members.set(ecuId, { ecuId, parentId, mood, version: '1.0', failed: false, update: undefined });
  }
  const peer = await scriptedPeer(
    t,
    {
      status: () => ({ ecuV2: Array.from(members.values(), (member) => statusOf(member, updateMs)) }),
      update: ({ ecu }) => ({
        ecu: ecu.flatMap<Answer>(({ ecuId, version }) => {
          const member = members.get(ecuId);
          if (member === undefined) return [];
          if (member.mood === 'refuses') {
            const message = 'The vehicle moves at 42 km/h: stop it and ask again.';
            return [{ ecuId, result: FailureType.RECOVERABLE, message }];
          }
          member.failed = false;
          member.update = { version, beganMs: performance.now() };
          return [{ ecuId, result: FailureType.NO_FAILURE, message: '' }];
        }),
      }),
    },
    options.port ?? 0,
  );
  return { ecuIds: [...members.keys()], peer };
}

function statusOf(member: Member, updateMs: number): EcuStatus {
  const { ecuId, parentId, mood, update } = member;
  const base = {
    ecuId,
    parentEcuId: parentId,
    otaclientVersion: '0.9',
    slot: 'slot_a',
    bootloader: 'scripted',
  };
  if (update === undefined) return settled(member, base);
  const share = (performance.now() - update.beganMs) / updateMs;
  if (mood === 'fails' && share > 0.4) {
    member.update = undefined;
    member.failed = true;
    return settled(member, base);
  }
  if (share >= 1) {
    member.update = undefined;
    member.version = update.version;
    return settled(member, base);
  }
  return {
    ...base,
    firmwareVersion: member.version,
    otaStatus: StatusOta.UPDATING,
    updateStatus: progressOf(update, share, ecuId.length),
  };
}

function settled({ version, failed }: Member, base: EcuStatus): EcuStatus {
  if (!failed) return { ...base, firmwareVersion: version, otaStatus: StatusOta.SUCCESS };
  return {
    ...base,
    firmwareVersion: version,
    otaStatus: StatusOta.FAILURE,
    failureType: FailureType.RECOVERABLE,
    failureReason:
      'E104: the image server sent 12 kB of 40 MB and closed. Check the link to the server and ask again.',
  };
}

function progressOf(
  { version, beganMs }: { readonly version: string; readonly beganMs: number },
  share: number,
  odd: number,
): EcuStatus['updateStatus'] {
  const part = (of: number): bigint => BigInt(Math.floor(of * share));
  const elapsed = (performance.now() - beganMs) / 1000;
  const seconds = { seconds: BigInt(Math.floor(elapsed)), nanos: Math.floor((elapsed % 1) * 1e9) };
  return {
    updateFirmwareVersion: version,
    totalFilesNum: BigInt(totalFiles),
    totalFilesSizeUncompressed: BigInt(totalBytes),
    updateStartTimestamp: BigInt(Math.floor((Date.now() - elapsed * 1000) / 1000)),
    phase:
      share < 0.05
        ? UpdatePhase.CALCULATING_DELTA
        : share < 0.9
          ? UpdatePhase.DOWNLOADING_OTA_FILES
          : UpdatePhase.FINALIZING_UPDATE,
    totalDownloadFilesNum: 2000n,
    totalDownloadFilesSize: 90_000_000n,
    downloadedFilesNum: part(2000),
    downloadedFilesSize: part(90_000_000),
    downloadedBytes: part(40_000_000 + odd * 1000),
    processedFilesNum: part(totalFiles),
    processedFilesSize: part(totalBytes),
    totalElapsedTime: seconds,
    downloadingElapsedTime: seconds,
  };
}
