import type { Category } from '#dashboard/page/words/states.ts';

interface ProgressBarProps {
  /** Undefined: nobody can tell. */
  readonly percent: number | undefined;
  readonly label: string;
  readonly category: Category;
}

export function ProgressBar({ percent, label, category }: ProgressBarProps) {
  return (
    <span
      class={`bar bar-${category}${percent === undefined ? ' unknown' : ''}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
    >
      <span class="bar-fill" style={percent === undefined ? {} : { transform: `scaleX(${percent / 100})` }} />
    </span>
  );
}
