// The most minimal call to the service: node:http, one persistent connection for each agent, fixed
// headers.
import { Agent, request } from "node:http";

export const connection = () => new Agent({ keepAlive: true, maxSockets: 1 });

/** @param onData receives each part of the response; resolves at its end. */
export function post(url, agent, operation, input, onData) {
  const body = JSON.stringify(input);
  const headers = {
    "content-type": "application/x-amz-json-1.1",
    "x-amz-target": `Kinesis_20131202.${operation}`,
    "content-length": Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const call = request(url, { method: "POST", agent, headers }, (answer) => {
      answer.on("data", onData);
      answer.once("end", resolve);
      answer.once("error", reject);
    });
    call.once("error", reject);
    call.end(body);
  });
}
