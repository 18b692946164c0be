// What a program with Microsoft's own JavaScript clients does with a tenant: everything here is theirs, unmodified, but for the addresses.
//
//   node check.mjs URL TENANT_ID CLIENT_ID     with CLIENT_SECRET in the environment
//
// It prints what it has seen as one JSON object.
import { ClientSecretCredential } from "@azure/identity";
import { BatchRequestContent, BatchResponseContent, Client, PageIterator } from "@microsoft/microsoft-graph-client";
import { TokenCredentialAuthenticationProvider } from "@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials/index.js";

const [url, tenantId, clientId] = process.argv.slice(2);
const credential = new ClientSecretCredential(tenantId, clientId, process.env.CLIENT_SECRET, { authorityHost: url, disableInstanceDiscovery: true });
const client = Client.initWithMiddleware({
  baseUrl: url + "/",
  defaultVersion: "v1.0",
  customHosts: new Set([new URL(url).hostname]),
  authProvider: new TokenCredentialAuthenticationProvider(credential, { scopes: ["https://graph.microsoft.com/.default"] }),
});

const seen = {};
for (const name of ["Ada", "Bob", "Cy"]) {
  await client.api("/users").post({
    accountEnabled: true, displayName: name, mailNickname: name, userPrincipalName: `${name}@northwind.example`, passwordProfile: { password: "a long password" },
  });
}
seen.names = [];
const first = await client.api("/users").select("displayName,userPrincipalName").top(2).get();
await new PageIterator(client, first, (u) => { seen.names.push(u.displayName); return true; }).iterate();

seen.filtered = (await client.api("/users").header("ConsistencyLevel", "eventual").count(true).filter("endsWith(userPrincipalName,'b@northwind.example') or displayName eq 'Cy'").orderby("displayName").get()).value.map((u) => u.displayName);
seen.count = await client.api("/users/$count").header("ConsistencyLevel", "eventual").get();

const group = await client.api("/groups").post({ displayName: "Team", mailEnabled: false, mailNickname: "team", securityEnabled: true });
const ada = await client.api("/users/Ada@northwind.example").get();
await client.api(`/groups/${group.id}/members/$ref`).post({ "@odata.id": `${url}/v1.0/directoryObjects/${ada.id}` });
seen.members = (await client.api(`/groups/${group.id}/members`).get()).value.map((m) => m["@odata.type"] + " " + m.displayName);

let delta = await client.api("/groups/delta").get();
while (delta["@odata.nextLink"]) delta = await client.api(delta["@odata.nextLink"]).get();
await client.api(`/groups/${group.id}/members/${ada.id}/$ref`).delete();
const changed = await client.api(delta["@odata.deltaLink"]).get();
seen.left = changed.value[0]["members@delta"][0]["@removed"].reason;

// Node's Request takes no relative URL, which the parts of a batch have.
const get = (path) => ({ url: path, method: "GET", headers: new Headers() });
const batch = new BatchRequestContent([
  { id: "1", request: get("/users/Bob@northwind.example") },
  { id: "2", request: get("/users/nobody@northwind.example") },
]);
const answers = new BatchResponseContent(await client.api("/$batch").post(await batch.getContent()));
seen.batch = [answers.getResponseById("1").status, answers.getResponseById("2").status];

try {
  await client.api("/users/nobody@northwind.example").get();
} catch (e) {
  seen.error = [e.statusCode, e.code];
}
console.log(JSON.stringify(seen));
