import * as z from 'zod';
import { section } from './option-kinds.ts';

const wrongPaths = {
  error: 'write a list of absolute paths below /, without wildcards, . and .., and none in /boot',
};
const path = z
  .string(wrongPaths)
  .regex(/^(?:\/(?!\.{1,2}(?:\/|$))[^/\p{Cc}]+)+$/u, wrongPaths)
  // They would name nothing, and nothing would say so.
  .regex(/^[^*?]*$/, wrongPaths)
  .max(4096, wrongPaths)
  // What boots a slot is its own, and so are the status files that may lie there.
  .refine((text) => text !== '/boot' && !text.startsWith('/boot/'), wrongPaths);

/** Options of files that outlive a change of the release. */
export const persistOptions = z
  .object(
    {
      back_on_rollback: z
        .array(path, wrongPaths)
        .max(256, wrongPaths)
        .default([])
        .describe(
          'files and directories that a rollback carries from the running release back into the old one: all or none',
        ),
    },
    section,
  )
  .prefault({});
