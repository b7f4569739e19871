/** Longest parts of a condition's text, in UTF-16 units: with its name and signs it stays below 1024. */
const maxMeaning = 200;
const maxSeen = 700;

/** A condition that is not fulfilled, as Status and answers tell it: `parked: the vehicle stands (Vehicle.Speed is 42)`. */
export function conditionText(name: string, meaning: string, seen: string): string {
  return `${name}: ${cut(meaning, maxMeaning)} (${cut(seen, maxSeen)})`;
}

/** The same text without the values behind it, which change all the time. */
export function withoutSeen(text: string): string {
  const at = text.lastIndexOf(' (');
  return at < 0 || !text.endsWith(')') ? text : text.slice(0, at);
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}
