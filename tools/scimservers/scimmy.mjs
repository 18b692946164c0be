// A SCIM service by SCIMMY, which parses, filters, patches and answers; what it stores is in maps.
//
//   node scimmy.mjs
//
// It prints its address, and ends when its standard input does.
import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const store = (unique) => {
  const all = new Map();
  return {
    ingress: (resource, data) => {
      const id = resource.id ?? randomUUID();
      if (resource.id && !all.has(id)) throw new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
      for (const [other, r] of all) {
        if (other !== id && r[unique]?.toLowerCase() === data[unique]?.toLowerCase()) throw new SCIMMY.Types.Error(409, "uniqueness", `${unique} is taken`);
      }
      const kept = { ...JSON.parse(JSON.stringify(data)), id };
      all.set(id, kept);
      return kept;
    },
    egress: (resource) => {
      if (!resource.id) return resource.filter ? resource.filter.match([...all.values()]) : [...all.values()];
      if (!all.has(resource.id)) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
      return all.get(resource.id);
    },
    degress: (resource) => {
      if (!all.delete(resource.id)) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
    },
  };
};
const users = store("userName"), groups = store("displayName");
SCIMMY.Resources.declare(SCIMMY.Resources.User, { ...users, extensions: [{ schema: SCIMMY.Schemas.EnterpriseUser, required: false }] });
SCIMMY.Resources.declare(SCIMMY.Resources.Group, groups);

const app = express();
app.use("/scim/v2", new SCIMMYRouters({
  type: "bearer",
  handler: (request) => {
    if (request.header("Authorization") !== "Bearer a-token") throw new Error("not authorized");
    return "engine";
  },
}));
const server = app.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/scim/v2`));
process.stdin.resume().on("end", () => process.exit());
