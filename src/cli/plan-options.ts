/** Options that say for which ECU `ota plan` plans: three directories, or the files of a daemon. */
export const settingOptions = {
  active: { type: 'string' },
  standby: { type: 'string' },
  trust: { type: 'string' },
  'ecu-info': { type: 'string' },
  options: { type: 'string' },
} as const;

export type SettingValues = { readonly [Name in keyof typeof settingOptions]?: string | undefined };
