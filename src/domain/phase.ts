/** Phases of an update, second generation, in the order in which they appear. */
export const updatePhases = [
  'INITIALIZING',
  'PROCESSING_METADATA',
  'CALCULATING_DELTA',
  'DOWNLOADING_OTA_FILES',
  'APPLYING_UPDATE',
  'PROCESSING_POSTUPDATE',
  'FINALIZING_UPDATE',
  'DOWNLOADING_OTA_CLIENT',
] as const;
export type UpdatePhase = (typeof updatePhases)[number];

/** Phases of an update, first generation, in the order in which they appear. */
export const progressPhases = [
  'INITIAL',
  'METADATA',
  'DIRECTORY',
  'SYMLINK',
  'REGULAR',
  'PERSISTENT',
  'POST_PROCESSING',
] as const;
export type ProgressPhase = (typeof progressPhases)[number];
