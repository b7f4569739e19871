/**
 * Node's HTTP server and client, for values; types come from `node:http`. An `import` of that module asks it for every name
 * it exports, and two of them load Node's whole `fetch`: 15 MiB that an idle daemon has no use for.
 */
export const nodeHttp = process.getBuiltinModule('node:http');
