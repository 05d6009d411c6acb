// Runs a program of Vector's language on each line of standard input, and prints the events that come out:
// node remap.mjs 'PROGRAM'
import { readFileSync } from "node:fs";
import { check, execute, formatDiagnostic } from "@bpinternal/verel";

const program = process.argv[2];
const { errors } = check(program);
if (errors.length > 0) {
	console.error(errors.map(formatDiagnostic).join("\n"));
	process.exit(1);
}
for (const message of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
	console.log(JSON.stringify(execute(program, { message, host: "ward", timestamp: "2020-01-01T00:00:00Z" }).event));
}
