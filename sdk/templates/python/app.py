"""Does a file have a certain line?"""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import host, types

NAME = "@NAME@"


class Plugin(exports.Plugin):
    def describe(self) -> types.PluginInfo:
        return types.PluginInfo(NAME, "0.1.0", "Says whether a file has a certain line",
                                [types.Capability("fs", "read:/etc/**")])

    def schema(self) -> types.ConfigSchema:
        return types.ConfigSchema([types.FieldDef("path", "string", True, "The file"),
                                   types.FieldDef("line", "string", True, "What to look for")])

    def observe(self, config: types.Config) -> types.Evidence:
        fields = dict(config.values)
        if "path" not in fields or "line" not in fields:
            return failed("config", "INVALID_CONFIG", "path and line are needed")
        try:
            content = host.fs_read(fields["path"], 0, None).content
        except Err as error:
            return refused(error.value)
        lines = content.decode(errors="replace").splitlines()
        return evidence([("found", types.Value_Bool(fields["line"] in lines)), ("lines", types.Value_Int(len(lines)))])


def evidence(data: list) -> types.Evidence:
    return types.Evidence(True, None, "", data, None)


def failed(kind: str, code: str, message: str) -> types.Evidence:
    return types.Evidence(False, types.Error(code, message, kind, None, None, None), "", [], None)


def refused(error: host.HostError) -> types.Evidence:
    """What a function of the host answered instead: all but `cancelled` say more."""
    if isinstance(error, host.HostError_Cancelled):
        return failed("timeout", "ECANCELED", "the request was given up")
    return failed(error.value.kind, error.value.code, error.value.message)
