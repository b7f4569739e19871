import { isAbsolute } from 'node:path';
import * as z from 'zod';

/** Longest time that may be set: a week, in milliseconds. Timers of Node end at 24 days. */
const maxMs = 7 * 24 * 3600 * 1000;

export function int(initial: number, min: number, max: number, about: string) {
  const wrong = { error: `write a whole number from ${min} to ${max}` };
  return z.int(wrong).min(min, wrong).max(max, wrong).default(initial).describe(about);
}

export function ms(initial: number, about: string, min = 1) {
  return int(initial, min, maxMs, about);
}

const wrongPath = { error: 'write an absolute path' };
export const absolutePath = z.string(wrongPath).refine(isAbsolute, wrongPath);

export function directory(initial: string, about: string) {
  return absolutePath.default(initial).describe(about);
}

export function flag(initial: boolean, about: string) {
  return z.boolean({ error: 'write true or false' }).default(initial).describe(about);
}

const wrongCommand = { error: 'write a list of 1 to 64 texts: the program and its arguments' };
const command = z.array(z.string(wrongCommand).min(1, wrongCommand), wrongCommand).min(1, wrongCommand);
export const commandLine = command.max(64, wrongCommand);

export const section = { error: 'write `key: value` lines below it' };
