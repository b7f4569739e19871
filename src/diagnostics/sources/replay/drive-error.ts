/** A recorded drive that cannot be played. `message` names the file and the line. */
export class DriveError extends Error {
  override readonly name = 'DriveError';
}
