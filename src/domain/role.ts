/**
 * What somebody who is let in may do. A viewer sees everything and changes nothing; an operator also starts and stops
 * updates and rollbacks; `metrics` reads `/metrics` and nothing else.
 */
export const roles = ['viewer', 'operator', 'metrics'] as const;
export type Role = (typeof roles)[number];

/** Somebody who was let in. */
export interface Identity {
  /** From the tokens file or the client certificate; `local` for the local token. */
  readonly name: string;
  readonly role: Role;
}
