import type { Command } from './command.ts';

/** One command as the list shows it. Its module is loaded only when it is called: start-up time is felt. */
export interface CatalogueEntry {
  /** The words that call it, such as `image build`. */
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

export interface CatalogueGroup {
  readonly title: string;
  readonly entries: readonly CatalogueEntry[];
}

/** Every command of `ota`, in the order in which help lists them. Summaries equal those of the commands (tested). */
export const catalogue: readonly CatalogueGroup[] = [
  {
    title: 'Vehicle',
    entries: [
      {
        name: 'status',
        summary: 'Show what every ECU of the vehicle does',
        load: async () => (await import('./status.ts')).statusCommand,
      },
      {
        name: 'update',
        summary: 'Bring ECUs to another release',
        load: async () => (await import('./update.ts')).updateCommand,
      },
      {
        name: 'rollback',
        summary: 'Take ECUs back to their previous release',
        load: async () => (await import('./rollback.ts')).rollbackCommand,
      },
      {
        name: 'abort',
        summary: 'Stop running updates',
        load: async () => (await import('./abort.ts')).abortCommand,
      },
      {
        name: 'events',
        summary: 'Show the journal of the vehicle',
        load: async () => (await import('./events.ts')).eventsCommand,
      },
    ],
  },
  {
    title: 'This ECU',
    entries: [
      {
        name: 'serve',
        summary: 'Run the OTA daemon of this ECU',
        load: async () => (await import('./serve.ts')).serveCommand,
      },
      {
        name: 'plan',
        summary: 'Tell what an update would copy, link and download',
        load: async () => (await import('./plan.ts')).planCommand,
      },
      {
        name: 'blackbox',
        summary: 'Tell why this ECU came back from releases',
        load: async () => (await import('./blackbox.ts')).blackboxCommand,
      },
      {
        name: 'quarantine',
        summary: 'List the releases that this ECU refuses, or allow them again',
        load: async () => (await import('./quarantine.ts')).quarantineCommand,
      },
      {
        name: 'console token',
        summary: 'Make a token that lets somebody into the console',
        load: async () => (await import('./console-token.ts')).consoleTokenCommand,
      },
      {
        name: 'config check',
        summary: 'Check the configuration of this ECU',
        load: async () => (await import('./config-check-command.ts')).configCheckCommand,
      },
    ],
  },
  {
    title: 'Images',
    entries: [
      {
        name: 'image build',
        summary: 'Build an image from a directory or a tar stream',
        load: async () => (await import('./image-build.ts')).imageBuildCommand,
      },
      {
        name: 'image keys',
        summary: 'Make keys and certificates that sign images',
        load: async () => (await import('./image-keys.ts')).imageKeysCommand,
      },
      {
        name: 'image sign',
        summary: 'Sign an image',
        load: async () => (await import('./image-sign.ts')).imageSignCommand,
      },
      {
        name: 'image inspect',
        summary: 'Show what an image holds and who signed it',
        load: async () => (await import('./image-inspect.ts')).imageInspectCommand,
      },
      {
        name: 'image verify',
        summary: 'Verify an image as a vehicle does',
        load: async () => (await import('./image-verify.ts')).imageVerifyCommand,
      },
    ],
  },
  {
    title: 'Diagnostics',
    entries: [
      {
        name: 'diagnostics status',
        summary: 'Show sources, campaigns, spool and uploads',
        load: async () => (await import('./diagnostics-status.ts')).diagnosticsStatusCommand,
      },
      {
        name: 'diagnostics tail',
        summary: 'Show values of signals as they come',
        load: async () => (await import('./diagnostics-tail.ts')).diagnosticsTailCommand,
      },
      {
        name: 'diagnostics decode',
        summary: 'Show the values in diagnostics files',
        load: async () => (await import('./diagnostics-decode.ts')).diagnosticsDecodeCommand,
      },
      {
        name: 'diagnostics overlay',
        summary: 'Show our signals as a catalog for a databroker',
        load: async () => (await import('./diagnostics-overlay.ts')).diagnosticsOverlayCommand,
      },
      {
        name: 'campaign check',
        summary: 'Check files of collection campaigns',
        load: async () => (await import('./campaign-check.ts')).campaignCheckCommand,
      },
    ],
  },
  {
    title: 'The command line',
    entries: [
      {
        name: 'completion',
        summary: 'Write a script by which a shell completes the command line',
        load: async () => (await import('./completion.ts')).completionCommand(everyCommand),
      },
    ],
  },
];

/** Every command, loaded, in the order of the list. */
export async function everyCommand(): Promise<Command[]> {
  return await Promise.all(catalogue.flatMap(({ entries }) => entries.map((entry) => entry.load())));
}
