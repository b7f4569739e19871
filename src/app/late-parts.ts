/** Loads what the daemon itself loads only when somebody needs it, so that it is compiled before that. */
export async function loadLateParts(): Promise<void> {
  await import('#api/console/assemble.ts');
  await import('#api/console/metrics.ts');
  await import('#api/inspection/ecu-service.ts');
}
