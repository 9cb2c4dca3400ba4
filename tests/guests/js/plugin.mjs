// A component in JavaScript: each value of `what` is something that the types of the interface can say.
import host from "reglet:plugin/host@1.1.0";

const nothing = { status: true, error: undefined, timestamp: "", data: [], raw: undefined };
const string = (val) => ({ tag: "string", val });
const int = (val) => ({ tag: "int", val });

const ways = {
  values: () => ({
    ...nothing,
    timestamp: "2026-01-31T12:00:00Z",
    raw: "raw",
    data: [
      ["text", string("g\u00fcnstig \u{1f980}")],
      ["int", int(-9007199254740991)],
      ["float", { tag: "float", val: 0.1 }],
      ["bool", { tag: "bool", val: false }],
      ["list", { tag: "list", val: [int(1), { tag: "list", val: [string("a"), { tag: "bool", val: true }] }] }],
      ["json", { tag: "json", val: '{"deep":[[[[1]]]],"null":null}' }],
    ],
  }),
  config: (config) => ({ ...nothing, data: config.map(([name, value]) => [name, string(value)]) }),
  thrown: () => {
    throw { code: "E1", message: "this one was thrown", kind: "execution", isTimeout: true };
  },
  trap: () => {
    throw new Error("no record of the interface");
  },
  nan: () => ({ ...nothing, data: [["nan", { tag: "float", val: NaN }]] }),
  bigint: () => ({ ...nothing, data: [["big", int(1n)]] }),
  forever: () => {
    for (;;);
  },
  clock: () => ({ ...nothing, data: [["now", int(Date.now())]] }),
  log: () => {
    host.log("warn", "a line", [["key", "value"]]);
    return nothing;
  },
  stat: (config) => {
    const file = host.fsStat(new Map(config).get("path"), true, false);
    return { ...nothing, data: [["size", int(Number(file.size))], ["type", string(file.type)]] };
  },
};

// What a function of the host throws, as it came.
function refused(error) {
  const { tag, val } = error.payload;
  const data = Object.entries(val).map(([name, value]) => [name, string(String(value))]);
  return { ...nothing, data: [["variant", string(tag)], ...data] };
}

export const plugin = {
  describe: () => ({
    name: "js",
    version: "1.0.0",
    description: "What a component can say",
    capabilities: [{ kind: "fs", pattern: "read:/etc/hosts" }],
  }),
  schema: () => ({ fields: [{ name: "what", fieldType: "string", required: true, description: "What to say" }] }),
  observe: ({ values }) => {
    try {
      return ways[new Map(values).get("what")](values);
    } catch (error) {
      if (error.payload) return refused(error);
      throw error;
    }
  },
};
