import { formatProblem } from '#config/config-error.ts';
import { readConfigFile } from '#config/config-file.ts';
import type { Log } from '#domain/log.ts';
import type { Campaign } from './campaign.ts';
import { parseCampaign } from './parse-campaign.ts';

/** The campaigns of these files that are in force; a broken one is told and left out, the others run. */
export async function loadCampaigns(
  files: readonly string[],
  nowUnixMs: number,
  log: Log,
): Promise<readonly Campaign[]> {
  const campaigns: Campaign[] = [];
  for (const file of files) {
    const read = await readConfigFile(file);
    const parsed = read.ok
      ? parseCampaign(read.text, file)
      : { ok: false as const, problems: [read.problem] };
    if (!parsed.ok) {
      for (const problem of parsed.problems)
        log.error({ file }, `campaign left out: ${formatProblem(problem)}`);
      continue;
    }
    const { campaign } = parsed;
    const { id, startsAt = 0, expiresAt = Number.POSITIVE_INFINITY } = campaign;
    if (campaigns.some((other) => other.id === id))
      log.error({ file, id }, 'campaign left out: its id is taken');
    else if (nowUnixMs < startsAt || nowUnixMs >= expiresAt)
      log.info({ file, id }, 'campaign is not in force');
    else campaigns.push(campaign);
  }
  return campaigns;
}
