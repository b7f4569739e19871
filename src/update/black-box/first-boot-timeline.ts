import { z } from 'zod';
import type { SlotArchive } from '#boot/slot-archive.ts';
import { firstBootFile } from '#boot/slot-archive.ts';
import type { Slots } from '#boot/slots.ts';
import type { TimelinePoint } from '#update/timeline.ts';
import { timelineSchema, withPoint } from '#update/timeline.ts';

const schema = z.object({ format: z.literal(1), timeline: timelineSchema });

/** Notes beside the status files of the running slot that its first boot has come to a point. */
export async function noteFirstBoot(slots: Pick<Slots, 'withArchive'>, step: string): Promise<void> {
  await slots.withArchive('current', 'write', async (archive) => {
    const timeline = withPoint(await readFirstBoot(archive), step, Date.now());
    await archive.write(firstBootFile, { format: 1, timeline });
  });
}

/** How far the release in a slot came on its first boots; empty when it told nothing. */
export async function readFirstBoot(archive: SlotArchive): Promise<readonly TimelinePoint[]> {
  const read = schema.safeParse(await archive.read(firstBootFile));
  return read.success ? read.data.timeline : [];
}
