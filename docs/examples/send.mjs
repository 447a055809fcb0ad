// A PBX in one page: sends a text, prints what becomes of it and what handsets write, until Ctrl-C.
//
//   npm ci
//   AMQP_URL=amqp://user:password@127.0.0.1:5672 node send.mjs +13125550100 "Hello"
//
// TENANT and PBX name another tenant (demo) and its PBX (main).
import { randomUUID } from "node:crypto";
import amqp from "amqplib";

const { AMQP_URL, TENANT = "demo", PBX = "main" } = process.env;
const [to, text] = process.argv.slice(2);
if (!AMQP_URL || !text) {
  console.error("usage: AMQP_URL=amqp://... node send.mjs TO TEXT");
  process.exit(2);
}

const connection = await amqp.connect(AMQP_URL);
const channel = await connection.createConfirmChannel();

// An event is acknowledged once it is dealt with; until then RabbitMQ keeps it.
// The same event may come twice: its event_id tells.
const read = (queue, show) =>
  channel.consume(queue, (message) => {
    show(JSON.parse(message.content.toString()));
    channel.ack(message);
  });

await read(`pbx.${PBX}.status`, ({ message_id, status, to, reason = "" }) =>
  console.log(message_id, status, to, reason));
await read(`pbx.${PBX}.inbound`, ({ sender, did, content }) =>
  console.log(`${sender} wrote to ${did}: ${content}`));

// The five fields that are needed. Publishing them again, with the same message_id, never sends a second text.
const request = { message_id: randomUUID(), tenant_id: TENANT, extension: "101", to, text };
const body = Buffer.from(JSON.stringify(request));
channel.publish("sms", `sms.outbound.${TENANT}`, body, { persistent: true, contentType: "application/json" });
await channel.waitForConfirms(); // from now on the text cannot be lost

process.once("SIGINT", () => connection.close());
