import { progressLines, troubleLines } from '#cli/render-details.ts';
import type { Style } from '#cli/render-style.ts';
import { paint } from '#cli/render-style.ts';
import { humanDuration } from '#cli/render-units.ts';
import type { EcuRow } from '#cli/vehicle-view.ts';
import { phaseTrack } from './phase-track.ts';

/**
 * How much is told below the row of an ECU. `full`: everything. `brief`: what is wrong. `rows`: of that the first line.
 */
export type DetailLevel = 'full' | 'brief' | 'rows';

const indent = '  ';

/** Since when nothing was heard of an ECU that should answer. */
function silenceLine({ presence, seenAt }: EcuRow, now: number, style: Style): string[] {
  if (presence !== 'silent' || seenAt === undefined) return [];
  return [paint(style, 'yellow', `last heard of ${humanDuration(now - seenAt)} ago`)];
}

/** The lines below the row of an ECU in a view that is watched. */
export function watchDetails(
  level: DetailLevel,
  now: number,
  isLost: boolean,
): (row: EcuRow, style: Style) => string[] {
  return (row, style) => {
    const room = { ...style, columns: Math.max(10, style.columns - indent.length) };
    const progress = row.status?.progress;
    // While the daemon itself is away nothing is heard of anybody: that is told once, at the top.
    const trouble = [...(isLost ? [] : silenceLine(row, now, room)), ...troubleLines(row, room)];
    const lines =
      level === 'full' && progress !== undefined && row.presence === 'reported'
        ? [phaseTrack(progress.phase, room), ...progressLines(row, progress, room), ...trouble]
        : trouble;
    const shown = level === 'rows' ? lines.slice(0, 1) : lines;
    return shown.map((line) => indent + line);
  };
}
