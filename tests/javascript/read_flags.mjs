// Reads flags with the stock OpenFeature clients, twice: raw (ofrep-core) and through the web SDK.
// Input: one JSON object on stdin; output: one on stdout.
import { OFREPApi } from '@openfeature/ofrep-core';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature } from '@openfeature/web-sdk';

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const asked = JSON.parse(Buffer.concat(chunks).toString());
const headers = [['Authorization', `Bearer ${asked.token}`]];

// `expected` maps a key to a JavaScript literal, so that no JSON stands between the two numbers.
function judged(values) {
  return Object.fromEntries(
    Object.entries(asked.expected).map(([key, literal]) => [key, Object.is(values[key], Number(literal))]),
  );
}

const api = new OFREPApi({ baseUrl: asked.url, headers });
const single = {};
for (const key of Object.keys(asked.expected)) {
  single[key] = (await api.postEvaluateFlag(key, { context: asked.context })).value.value;
}
const first = await api.postBulkEvaluateFlags({ context: asked.context });
const etag = first.httpResponse.headers.get('ETag');
const again = await api.postBulkEvaluateFlags({ context: asked.context }, etag);
const other = await api.postBulkEvaluateFlags({ context: asked.otherContext }, etag);
const missing = await api.postEvaluateFlag('NO_SUCH_FLAG', { context: {} });

const provider = new OFREPWebProvider({
  baseUrl: asked.url,
  headers,
  cacheMode: 'disabled',
});
await OpenFeature.setContext(asked.context);
await OpenFeature.setProviderAndWait(provider);
const client = OpenFeature.getClient();
const read = () =>
  Object.fromEntries(Object.keys(asked.expected).map((key) => [key, client.getNumberValue(key, NaN)]));
const web = judged(read());
const details = client.getNumberDetails(Object.keys(asked.expected)[0], NaN);
await OpenFeature.setContext(asked.otherContext);
const switched = read();
await OpenFeature.setContext({ ...asked.context, symbol: null });
const cleared = judged(read());
await OpenFeature.close();

console.log(
  JSON.stringify({
    single: judged(single),
    web,
    switched,
    cleared,
    details,
    flags: first.value.flags.length,
    status: { again: again.httpStatus, other: other.httpStatus, missing: missing.httpStatus },
    missing: missing.value,
    eventStreams: first.value.eventStreams,
  }),
);
process.exit(0);
