// The SCIM service of Better Auth, with its own storage in memory.
//
//   node betterauth.mjs
//
// It prints its address, and ends when its standard input does.
import { createServer } from "node:http";
import { scim } from "@better-auth/scim";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { getAuthTables } from "better-auth/db";
import { toNodeHandler } from "better-auth/node";

const server = createServer((request, response) => handle(request, response));
let handle;
server.listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const options = {
    baseURL: url,
    secret: "a secret of more than thirty-two characters",
    logger: { level: "error" },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    plugins: [scim({ connections: [{ id: "engine", credentials: [{ id: "token", token: "a-token" }] }] })],
  };
  const tables = Object.fromEntries(Object.values(getAuthTables(options)).map((t) => [t.modelName, []]));
  handle = toNodeHandler(betterAuth({ ...options, database: memoryAdapter(tables) }));
  console.log(`${url}/api/auth/scim/v2`);
});
process.stdin.resume().on("end", () => process.exit());
