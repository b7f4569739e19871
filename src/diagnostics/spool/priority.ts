/** What matters most first: evicted last and uploaded first. */
export const priorities = ['critical', 'normal', 'bulk'] as const;
export type Priority = (typeof priorities)[number];
