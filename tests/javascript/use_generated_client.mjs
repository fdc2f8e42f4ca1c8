// Uses the client that @hey-api/openapi-ts made of the plane's document, compiled by tsc into ./compiled.
// Input: one JSON object on stdin; output: one on stdout.
import * as plane from './compiled/sdk.gen.js';
import { client } from './compiled/client.gen.js';

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const asked = JSON.parse(Buffer.concat(chunks).toString());
client.setConfig({ baseUrl: asked.url, auth: asked.token });

const path = { scope: 'global' };
const read = await plane.readConfig({ path });
const etag = read.response.headers.get('ETag');
const body = { set: { [asked.key]: asked.value }, reason: 'a generated client' };
const edited = await plane.editConfig({ path, headers: { 'If-Match': etag }, body });
const stale = await plane.editConfig({ path, headers: { 'If-Match': etag }, body });
const restored = await plane.restoreRevision({ path, body: { revision: read.data.revision, reason: 'back' } });
const flags = await plane.evaluateFlags({ body: { context: {} } });
const refused = [
  await plane.readConfig({ path, auth: 'spt_none' }),
  await plane.readConfig({ path: { scope: 'symbol=NONE' } }),
  await plane.listAccounts(),
  await plane.listScopes({ query: { limit: 0 } }),
  stale,
];

console.log(
  JSON.stringify({
    before: read.data.values[asked.key],
    edited: edited.data.state,
    restored: restored.data.state,
    after: (await plane.readConfig({ path })).data.values[asked.key],
    flags: flags.data.flags.length,
    errors: refused.map((one) => [one.response.status, one.error.code]),
    etag: stale.response.headers.get('ETag'),
  }),
);
