import type { Style } from '#cli/render-style.ts';
import { paint } from '#cli/render-style.ts';
import { displayWidth } from '#cli/render-text.ts';
import { phaseWord } from '#cli/render-words.ts';
import type { UpdatePhase } from '#domain/phase.ts';

/** The stations of an update, in the order in which they come, and their short names. */
const stations: readonly (readonly [UpdatePhase, string])[] = [
  ['INITIALIZING', 'start'],
  ['PROCESSING_METADATA', 'metadata'],
  ['CALCULATING_DELTA', 'compare'],
  ['DOWNLOADING_OTA_FILES', 'download'],
  ['APPLYING_UPDATE', 'apply'],
  ['PROCESSING_POSTUPDATE', 'post'],
  ['FINALIZING_UPDATE', 'finalize'],
];

/** Where an update is: every phase by name on a wide terminal, on a narrow one as marks and the present one by name. */
export function phaseTrack(phase: UpdatePhase, style: Style): string {
  const at = stations.findIndex(([station]) => station === phase);
  if (at < 0) return phaseWord(phase);
  const [done, now, next] = style.unicode ? ['✓', '▶', '·'] : ['x', '>', '.'];
  const mark = (index: number): string => (index < at ? done : index === at ? now : next);
  const painted = (text: string, index: number): string => {
    if (index === at) return paint(style, 'bold', paint(style, 'cyan', text));
    return paint(style, index < at ? 'green' : 'dim', text);
  };
  const named = stations.map(([, name], index) => `${mark(index)} ${name}`);
  if (displayWidth(named.join('  ')) <= style.columns) return named.map(painted).join('  ');
  const marks = stations.map((_, index) => painted(mark(index), index)).join('');
  const word = phaseWord(phase);
  return stations.length + 1 + word.length <= style.columns
    ? `${marks} ${paint(style, 'cyan', word)}`
    : marks;
}
