// One journey with the protocol's own TypeScript library, which checks every message against its schema.
// Arguments: the program, the workspace, the goal. Prints what it saw as JSON.
import { spawn } from "node:child_process";
import { Readable, Writable } from "node:stream";
import * as acp from "@agentclientprotocol/sdk";

const [program, cwd, goal] = process.argv.slice(2);
const child = spawn(program, ["acp"], { cwd, stdio: ["pipe", "pipe", "inherit"] });
const stream = acp.ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout));
const updates = [];
const { agent, client } = acp.methods;
const app = acp
  .client({ name: "journey" })
  .onNotification(client.session.update, ({ params }) => {
    updates.push(params.update);
  })
  .onRequest(client.session.requestPermission, ({ params }) => ({
    outcome: { outcome: "selected", optionId: params.options[0].optionId },
  }));
const seen = await app.connectWith(stream, async (ctx) => {
  const hello = await ctx.request(agent.initialize, {
    protocolVersion: acp.PROTOCOL_VERSION,
    clientCapabilities: {},
  });
  const session = await ctx.request(agent.session.new, { cwd, mcpServers: [] });
  const { sessionId } = session;
  const prompt = [{ type: "text", text: goal }];
  const answer = await ctx.request(agent.session.prompt, { sessionId, prompt });
  const listed = await ctx.request(agent.session.list, { cwd });
  return { hello, session, answer, listed };
});
child.stdin.end();
const code = await new Promise((done) => child.on("exit", done));
console.log(JSON.stringify({ ...seen, updates, code }));
process.exit(0);
