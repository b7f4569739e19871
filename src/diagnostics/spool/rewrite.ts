import {
  type ContainerHeader,
  readContainerHeader,
  writeContainerHeader,
} from '#diagnostics/messages/container.ts';

/** The same blocks behind a header with other metadata. Errors: MessageError when the header is damaged. */
export function withMetadata(bytes: Buffer, change: Readonly<Record<string, string>>): Buffer {
  const { end, ...header } = readContainerHeader(bytes);
  return Buffer.concat([headerWith(header, change), bytes.subarray(end)]);
}

/** The sync marker stays, so that blocks can be taken as they are. */
export function headerWith(header: ContainerHeader, change: Readonly<Record<string, string>>): Buffer {
  return writeContainerHeader({ ...header, metadata: { ...header.metadata, ...change } });
}
