"""`reglet inspect`, and the options that choose compiler, cache and images.

CTest sets the same variables as for cli_test.py.
"""

import hashlib
import os
import re
import stat
import unittest

from cli_test import FILE_PLUGIN, CliTest, guest

UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\uffff]")


# Ways that the build forces (src/util/variant.h).
FORCED = os.environ["REGLET_VARIANT"].split(",")
needs_images = unittest.skipIf("no-images" in FORCED, "without images")
needs_both_compilers = unittest.skipIf({"fast-compiler", "optimizing-compiler"} & set(FORCED), "with one compiler")


def number(value):
    """Unsigned LEB128."""
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def section(kind, items):
    body = number(len(items)) + b"".join(items)
    return bytes([kind]) + number(len(body)) + body


def module_with_exports(count):
    """A memory, and one function that is exported under so many names."""
    exports = [number(len(name)) + name + b"\0\0" for name in (f"e{i}".encode() for i in range(count))]
    return b"".join([b"\0asm\1\0\0\0", section(1, [b"\x60\0\0"]), section(3, [b"\0"]), section(5, [b"\0\1"]),
                     section(7, exports), section(10, [b"\2\0\x0b"])])


class Inspect(CliTest):
    def inspect(self, *arguments):
        result = self.reglet("inspect", *arguments, "--format", "json")
        self.assert_code(0, result)
        self.assertEqual(result.out.count("\n"), 1)
        return result.json()

    @needs_images
    def test_json_has_what_the_module_is_made_of(self):
        answer = self.inspect(FILE_PLUGIN)
        with open(FILE_PLUGIN, "rb") as file:
            wasm = file.read()
        self.assertEqual(set(answer), {"name", "sha256", "bytes", "custom_bytes", "abi", "imports", "exports", "memory",
                                       "tables", "functions", "globals", "data", "machine_code", "image"})
        self.assertEqual((answer["name"], answer["sha256"], answer["bytes"], answer["abi"]),
                         ("file", hashlib.sha256(wasm).hexdigest(), len(wasm), 1))
        self.assertIn({"name": "observe", "kind": "function", "type": "(i32, i32) -> (i64)"}, answer["exports"])
        self.assertIn({"module": "wasi_snapshot_preview1", "name": "proc_exit", "type": "(i32) -> ()", "provider": "wasi"},
                      answer["imports"])
        self.assertEqual(answer["image"], {"used": True, "reason": None})
        self.assertEqual(set(answer["machine_code"]), {"compiler", "bytes", "from_disk"})

    @needs_images
    def test_a_terminal_gets_a_table_and_a_pipe_json(self):
        table = self.on_terminal("inspect", FILE_PLUGIN).out
        self.assertRegex(table, r"(?m)^abi +v1$")
        self.assertRegex(table, r"(?m)^image +yes: calls start where initialising ended$")
        self.assertRegex(table, r"(?m)^path_open +wasi_snapshot_preview1 +WASI +\(i32, ")
        self.assertRegex(table, r"(?m)^memory +memory$")
        self.assertEqual(self.reglet("inspect", FILE_PLUGIN).out[0], "{")

    @needs_images
    def test_why_there_is_no_image_is_one_line(self):
        for name, reason in [("image_start_function", "it has a start function"),
                             ("image_opens_file", "it called path_open while it initialised"),
                             ("trap_initialize", "it did not initialise: the plugin trapped: unreachable code reached"),
                             ("cat", 'it does not export "observe"')]:
            result = self.reglet("inspect", guest(name), "--format", "table")
            self.assert_code(0, result)
            self.assertRegex(result.out, rf"(?m)^image +no: {re.escape(reason)}$")
            self.assertEqual(self.inspect(guest(name))["image"], {"used": False, "reason": reason})

    def test_a_command_is_no_plugin(self):
        self.assertIsNone(self.inspect(guest("cat"))["abi"])
        self.assertRegex(self.reglet("inspect", guest("cat"), "--format", "table").out, r"(?m)^abi +none: it is no plugin$")

    def test_a_module_that_cannot_be_loaded_is_exit_code_3_and_says_why(self):
        for name, why in [("unknown_import", '"format_disk" of "reglet_host"'), ("import_memory", '"memory" of "env"'),
                          ("wrong_signature", "(i32, i32) -> (i64)")]:
            result = self.reglet("inspect", guest(name))
            self.assert_code(3, result)
            self.assert_one_line(result.err)
            self.assertIn(why, result.err)
            self.assertEqual(result.out, "")

    @needs_images
    def test_a_plugin_that_never_initialises_ends_with_the_deadline(self):
        reason = self.inspect(guest("loop_initialize"), "--timeout", "100ms")["image"]["reason"]
        self.assertEqual(reason, "it did not initialise: the call's deadline passed")

    def test_names_never_steer_a_terminal(self):
        for output in ["table", "json"]:
            result = self.on_terminal("inspect", guest("export_names"), "--format", output)
            self.assert_code(0, result)
            self.assertIsNone(UNSAFE.search(result.out), ascii(result.out))
        names = [one["name"] for one in self.inspect(guest("export_names"))["exports"]]
        for name in ["\x1b]0;x\x07", "a\r\nb", "\u202egnp", "observe\ufffd"]:
            self.assertIn(name, names)
        table = self.reglet("inspect", guest("export_names"), "--format", "table").out
        self.assertRegex(table, r"(?m)^\\x1b\]0;x\\x07 +function +\(f32, ")
        self.assertRegex(table, r"(?m)^a\\r\\nb +function ")

    def test_of_100000_exports_the_first_are_listed(self):
        path = os.path.join(self.scratch, "many.wasm")
        with open(path, "wb") as file:
            file.write(module_with_exports(100000))
        answer = self.inspect(path)
        self.assertEqual((len(answer["exports"]), answer["exports_left_out"]), (10000, 90000))
        self.assertEqual(answer["exports"][9999]["name"], "e9999")
        table = self.reglet("inspect", path, "--format", "table").out
        self.assertIn("\n… 99900 more; --format json lists more of them\n", table)
        self.assertLess(table.count("\n"), 150)


class Options(CliTest):
    def setUp(self):
        super().setUp()
        self.environment.pop("XDG_CACHE_HOME")  # what is kept is below HOME, and of this test alone

    def machine_code(self, *arguments):
        result = self.reglet("inspect", FILE_PLUGIN, *arguments)
        self.assert_code(0, result)
        return result.json()["machine_code"]

    def kept(self, directory):
        return sum(len(files) for _, _, files in os.walk(os.path.join(self.scratch, directory)))

    @needs_both_compilers
    def test_compiler_chooses_whose_code_runs(self):
        for compiler in ["fast", "optimizing"]:
            self.assertEqual(self.machine_code("--no-cache", "--compiler", compiler)["compiler"], compiler)
        self.assertEqual(self.machine_code("--no-cache", "--compiler=auto")["compiler"], "fast")

    def test_fresh_init_turns_images_off(self):
        result = self.reglet("inspect", FILE_PLUGIN, "--fresh-init")
        self.assertEqual(result.json()["image"], {"used": False, "reason": "images are turned off"})
        path = os.path.join(self.scratch, "f")
        observed = self.reglet("observe", FILE_PLUGIN, f"path={path}", "--fresh-init", "--grant", f"fs:read:{path}")
        self.assertIsNone(observed.json()["error"])

    def test_code_is_kept_in_cache_dir_and_found_there(self):
        for directory in ["kept", os.path.join(self.scratch, "absolute")]:
            self.assertIs(self.machine_code("--compiler", "optimizing", "--cache-dir", directory)["from_disk"], False)
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.scratch, directory)).st_mode), 0o700)
            self.assertIs(self.machine_code("--compiler", "optimizing", "--cache-dir", directory)["from_disk"], True)
        self.assertFalse(os.path.exists(os.path.join(self.scratch, ".cache")))

    def test_no_cache_neither_finds_nor_keeps_code(self):
        self.machine_code("--no-cache", "--compiler", "optimizing")
        self.assertFalse(os.path.exists(os.path.join(self.scratch, ".cache")))
        self.machine_code("--compiler", "optimizing")
        self.assertGreater(self.kept(".cache/reglet"), 0)
        self.assertIs(self.machine_code("--compiler", "optimizing")["from_disk"], True)
        self.assertIs(self.machine_code("--compiler", "optimizing", "--no-cache")["from_disk"], False)

    def test_no_grant_reaches_the_kept_code(self):
        self.machine_code("--compiler", "optimizing", "--cache-dir", "kept")
        for root, _, files in os.walk(os.path.join(self.scratch, "kept")):
            for name in files:
                path = os.path.join(root, name)
                result = self.reglet("observe", FILE_PLUGIN, f"path={path}", "--grant", f"fs:read:{self.scratch}/**",
                                     "--cache-dir", "kept")
                self.assertIn(f"reglet: denied: file: look at {path}", result.err)

    def test_wrong_values_are_told(self):
        for arguments, message in [
                (["--compiler", "best"], '--compiler should be auto, fast or optimizing, not "best"'),
                (["--cache-dir", ""], '--cache-dir should be a directory, not ""'),
                (["--cache-dir", "a", "--no-cache"], "--no-cache and --cache-dir do not go together")]:
            result = self.reglet("inspect", FILE_PLUGIN, *arguments)
            self.assert_code(2, result)
            self.assertEqual(result.err, f"reglet inspect: {message}; see 'reglet inspect --help'\n")
        self.assert_code(2, self.reglet("run", "--fresh-init", guest("cat")))  # it has no images


if __name__ == "__main__":
    unittest.main(verbosity=2)
