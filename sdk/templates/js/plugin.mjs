// Does a file have a certain line?
import host from "reglet:plugin/host@1.1.0";

function observe(config) {
  const { path, line } = Object.fromEntries(config.values);
  if (path === undefined || line === undefined)
    return failed({ kind: "config", code: "INVALID_CONFIG", message: "path and line are needed" });
  let file;
  try {
    file = host.fsRead(path, 0, undefined);
  } catch (error) {
    return failed(reason(error));
  }
  const lines = decode(file.content).split("\n");
  if (lines.at(-1) === "") lines.pop();
  return evidence({
    found: { tag: "bool", val: lines.includes(line) },
    lines: { tag: "int", val: lines.length },
  });
}

export const plugin = {
  describe: () => ({
    name: "@NAME@",
    version: "0.1.0",
    description: "Says whether a file has a certain line",
    capabilities: [{ kind: "fs", pattern: "read:/etc/**" }],
  }),
  schema: () => ({
    fields: [
      { name: "path", fieldType: "string", required: true, description: "The file" },
      { name: "line", fieldType: "string", required: true, description: "What to look for" },
    ],
  }),
  observe,
};

function evidence(data) {
  return { status: true, error: undefined, timestamp: "", data: Object.entries(data), raw: undefined };
}

function failed(error) {
  return { status: false, error, timestamp: "", data: [], raw: undefined };
}

// The host-error that a function of the host threw: all but `cancelled` say more.
function reason(error) {
  const { tag, val } = error.payload ?? error;
  return { kind: val?.kind ?? "internal", code: val?.code ?? tag, message: val?.message ?? String(error) };
}

// There is no TextDecoder here. Bytes that are not UTF-8 as a whole are taken one by one.
function decode(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  try {
    return decodeURIComponent(escape(text));
  } catch {
    return text;
  }
}
