import { OtaClientError } from '#api/client-error.ts';
import type { CliIo } from './command.ts';
import { harmless } from './render-text.ts';
import { vehicleExitCodes } from './vehicle-options.ts';

/**
 * Runs `work`, and turns a call that has no answer into a line on stderr and its exit code. The causes of such an error
 * are not told: they quote the peer.
 */
export async function withDaemon(command: string, io: CliIo, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (io.signal.aborted || !(error instanceof OtaClientError)) throw error;
    io.stderr.write(`ota ${command}: ${harmless(error.message)}\n`);
    return error.isPassing ? vehicleExitCodes.unreachable : vehicleExitCodes.failed;
  }
}
