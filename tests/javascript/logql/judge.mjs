// Reads a JSON list of LogQL expressions and prints, as JSON, for each where its first error lies; null: nowhere.
import { parser } from "@grafana/lezer-logql";
import { text } from "node:stream/consumers";

function errorIn(expression) {
  let found = null;
  parser.parse(expression).iterate({
    enter: (node) => {
      if (node.type.isError && found === null) found = node.from;
    },
  });
  return found;
}

console.log(JSON.stringify(JSON.parse(await text(process.stdin)).map(errorIn)));
