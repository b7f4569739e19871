import type { MessageInitShape } from '@bufbuild/protobuf';
import type { UpdateTargetSchema } from '#gen/ota/console/v1/types_pb.ts';

/** What an operator wrote. */
export interface UpdateForm {
  readonly url: string;
  readonly version: string;
  readonly cookies: string;
  readonly force: boolean;
  readonly ecuIds: readonly string[];
  /** ECUs that get something else than the others. */
  readonly own: Readonly<Record<string, { readonly url: string; readonly version: string }>>;
}

export type Field = 'url' | 'version' | 'cookies' | 'ecus';

export type Target = MessageInitShape<typeof UpdateTargetSchema>;

/** Stands for the id of the ECU in a URL. */
const placeholder = '{ecu}';

/** What is wrong with the form, by field. */
export function faultsOf(form: UpdateForm): Partial<Record<Field, string>> {
  const faults: Partial<Record<Field, string>> = {};
  const { cookies, ecuIds, own } = form;
  if (ecuIds.length === 0) faults.ecus = 'Choose at least one ECU.';
  const usesShared = ecuIds.some((ecuId) => own[ecuId] === undefined);
  const urls = [...(usesShared ? [form.url] : []), ...ecuIds.flatMap((ecuId) => own[ecuId]?.url ?? [])];
  const versions = [
    ...(usesShared ? [form.version] : []),
    ...ecuIds.flatMap((ecuId) => own[ecuId]?.version ?? []),
  ];
  if (urls.some((url) => !isUrl(url))) {
    faults.url = 'Write where the image is, such as https://images.example/2.0/ — http or https.';
  }
  if (versions.some((version) => version.trim() === ''))
    faults.version = 'Write the version of the image, such as 2.0.';
  if (cookies.trim() !== '' && !isTextObject(cookies)) {
    faults.cookies = 'Write a JSON object of texts, such as {"session": "…"}.';
  }
  return faults;
}

export function targetsOf({ url, version, cookies, force, ecuIds, own }: UpdateForm): Target[] {
  return ecuIds.map((ecuId) => ({
    ecuId,
    url: (own[ecuId]?.url ?? url).trim().replaceAll(placeholder, encodeURIComponent(ecuId)),
    version: (own[ecuId]?.version ?? version).trim(),
    cookies: cookies.trim(),
    force,
  }));
}

function isUrl(text: string): boolean {
  const url = URL.parse(text.trim().replaceAll(placeholder, 'ecu'));
  return url?.protocol === 'http:' || url?.protocol === 'https:';
}

function isTextObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return (
      typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      Object.values(value).every((item) => typeof item === 'string')
    );
  } catch {
    return false;
  }
}
