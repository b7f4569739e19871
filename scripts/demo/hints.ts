import { authority } from '#domain/ecu.ts';
import { mainOf, type Scene } from './scene.ts';

const defaultAddress = '127.0.0.1:50051';

/** How to go on with the vehicle that runs. */
export function tellHints(
  { directory, ecus, console, releases, server, surroundings, words }: Scene,
  project: string,
): void {
  const main = mainOf(ecus);
  const address = authority(main);
  const host = address === defaultAddress ? '' : ` --host ${address}`;
  const { first, second } = releases;
  const urlOf = (version: string): string => new URL(`${version}/`, server.url).href;
  const service = `${address} OtaClientV2.OtaClientService`;
  const entry = `{"ecu":[{"ecu_id":"camera","version":"${second.version}","url":"${urlOf(second.version)}"}]}`;

  words.chapter('The vehicle keeps running; Ctrl-C switches it off. From another terminal:');
  words.quiet('in a browser, as an operator:');
  words.line(console.link);
  words.line();
  words.quiet(`cd ${project}`);
  words.line();
  const asked = ` --console ${console.url} --token-file ${console.tokenFile}`;
  words.line(`npx ota status --watch${host}${asked}`);
  words.line(`npx ota events --follow${asked}`);
  words.line(
    `npx ota update --ecu camera --version ${second.version} --url ${urlOf(second.version)} --wait${host}`,
  );
  words.line(`npx ota update --all --version ${first.version} --url ${urlOf(first.version)} --wait${host}`);
  words.line(`npx ota rollback --ecu main --wait${host}`);
  words.line(`npx ota abort${host}`);
  words.line();
  words.line(`npx ota diagnostics status${asked}`);
  words.line(`npx ota diagnostics tail Vehicle.OTA${asked}`);
  words.line(`npx ota diagnostics decode --path Vehicle.Speed ${surroundings.received}`);
  words.line();
  words.quiet(
    'scripts/ota does the same without npx, from any directory. Any gRPC client does, for example:',
  );
  words.line(`grpcurl -plaintext ${service}/Status`);
  words.line(`grpcurl -plaintext -d '${entry}' ${service}/Update`);
  words.line();
  words.quiet('Kill a daemon while it works (kill -9 PROCESS): its ECU boots again, as after a power cut.');
  words.quiet(`Logs: ${directory}/*/daemon.log`);
}
