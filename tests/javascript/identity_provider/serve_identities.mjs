// A stock OpenID provider on a loopback port; each start has a signing key of its own.
//
// Its one argument is JSON: port, clients ({client_id, client_secret, redirect_uris}) and groups, by person.
// It says "serving" on stdout when it does. People log in with any password through its own forms.

import { generateKeyPairSync, randomUUID } from "node:crypto";

import Provider from "oidc-provider";

const { port, clients, groups } = JSON.parse(process.argv[2]);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig" }] },
  cookies: { keys: [randomUUID()] },
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"], email: ["email"] },
  findAccount: (_, person) => ({
    accountId: person,
    claims: () => ({ sub: `subject-of-${person}`, preferred_username: person, groups: groups[person] ?? [] }),
  }),
});

provider.listen(port, "127.0.0.1", () => console.log("serving"));
