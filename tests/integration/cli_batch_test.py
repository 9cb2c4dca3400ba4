"""`reglet batch`: many observations from lines of JSON. CTest sets the same variables as for cli_test.py."""

import base64
import fcntl
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import termios
import threading
import time
import unittest

from cli_test import FILE_PLUGIN, REGLET, SOURCE, CliTest, guest

ECHO = guest("result_is_config")  # its values are the evidence
MIB = 1 << 20
MAX_LINE = 16 * MIB


def line(number, plugin=ECHO, **more):
    return json.dumps({"id": number, "plugin": plugin, "values": {"status": True}, **more}) + "\n"


def is_sanitized():
    with open(REGLET, "rb") as file:
        return b"__asan_init" in file.read()


class BatchTest(CliTest):
    def batch(self, text, *arguments, **options):
        return self.reglet("batch", *arguments, input=text if isinstance(text, bytes) else text.encode(), **options)

    def results(self, result):
        return [json.loads(one) for one in result.out.splitlines()]

    def one(self, text, *arguments):
        """The result of an input that gives one."""
        results = self.results(self.batch(text, "--quiet", *arguments))
        self.assertEqual(len(results), 1, results)
        return results[0]

    def piped(self, *arguments, **options):
        process = self.start("batch", *arguments, stdin=subprocess.PIPE, **options)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            stream.close()
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass

    def ended(self, process):
        """Exit code and standard error, while the input stays open and the output is not read."""
        code = process.wait(timeout=60)
        return code, process.stderr.read().decode()

    def feed_until_it_stalls(self, process, text, most):
        """Writes `text` again and again; how many bytes were taken when none were for two seconds, or `most`."""
        os.set_blocking(process.stdin.fileno(), False)
        taken = 0
        while taken < most and select.select([], [process.stdin], [], 2)[1]:
            at = taken % len(text)
            taken += os.write(process.stdin.fileno(), text[at:at + 65536])
        return taken

    def peak_memory(self, process):
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s*(\d+) kB", status.read()).group(1)) * 1024


class Usage(BatchTest):
    def test_wrong_arguments_are_one_line_and_exit_code_2(self):
        for jobs in ["0", "1025", "-1", "x", "", "4.5", "08"]:
            self.assert_usage(f"reglet batch: --jobs should be 1 to 1024, not \"{jobs}\"; see 'reglet batch --help'",
                              "batch", "--jobs", jobs)
        self.assert_usage("reglet batch: \"b\" is one argument too many; see 'reglet batch --help'", "batch", "a", "b")
        self.assert_usage("reglet batch: cannot read no-such: No such file or directory", "batch", "no-such")
        for option in ["--name=x", "--format=json", "--values=f"]:
            self.assert_usage(f"reglet batch: unknown option {option.split('=')[0]}; see 'reglet batch --help'",
                              "batch", option)
        self.assert_usage("reglet observe: unknown option --jobs; see 'reglet observe --help'",
                          "observe", FILE_PLUGIN, "--jobs", "2")

    def test_input_comes_from_a_file_or_standard_input(self):
        path = self.write("lines", line(1))
        for arguments in [[path], ["--", path], ["-", path][:1], []]:
            result = self.batch(line(1), *arguments)
            self.assert_code(0, result)
            self.assertEqual([one["id"] for one in self.results(result)], [1])

    def test_a_directory_cannot_be_read(self):
        result = self.reglet("batch", self.scratch)
        self.assert_code(3, result)
        self.assertIn(f"reglet batch: cannot read {self.scratch}: Is a directory\n", result.err)


class Results(BatchTest):
    def test_a_result_is_that_of_observe_with_the_id_before_it(self):
        path = self.write("f", "content\n")
        values = {"path": path, "hash": True}
        grant = ["--grant", f"fs:read:{path}"]
        observed = self.reglet("observe", FILE_PLUGIN, f"path={path}", "hash:=true", *grant).out
        result = self.batch(line("a", FILE_PLUGIN, values=values), *grant)
        self.assert_code(0, result)
        without_time = re.compile(r'"timestamp":"[^"]*"')
        self.assertEqual(without_time.sub("", result.out), without_time.sub("", '{"id":"a",' + observed[1:]))
        self.assertRegex(result.err, r"\Areglet batch: 1 line: 1 ran, 0 failed, in \d+\.\d s\n\Z")

    def test_ids_come_back_as_they_came(self):
        for text in ["0", "-0", "1.50", "1e999999", "123456789012345678901234567890", "-12345678901234567890.5E+7", '""',
                     '"a\\u0000b"', '"\\ud83d\\ude00\\/"', '"\u202eé"', '" "']:
            with self.subTest(id=text):
                result = self.batch(f'{{"id": {text} ,"plugin":"{ECHO}","values":{{"status":true}}}}', "-q")
                self.assert_code(0, result)
                self.assertTrue(result.out.startswith(f'{{"id":{text},"evidence":{{'), result.out)

    def test_a_line_without_an_id_is_known_by_its_number(self):
        text = "\n \t\r\n" + f'{{"plugin":"{ECHO}","values":{{"status":true}}}}\n\n' + f'{{"id":null,"plugin":"{ECHO}"}}\n'
        results = self.results(self.batch(text, "--ordered"))
        self.assertEqual([(one["id"], one["line"]) for one in results], [(None, 3), (None, 5)])

    def test_status_false_is_data_and_exit_code_0(self):
        result = self.batch(line(1, values={"status": False}))
        self.assert_code(0, result)
        self.assertIs(self.results(result)[0]["evidence"]["status"], False)

    def test_values_may_be_missing_null_or_an_object(self):
        for values in ["", ',"values":null', ',"values":{}']:
            self.assertIn("path is required", self.batch(f'{{"plugin":"{FILE_PLUGIN}"{values}}}').out)

    def test_keys_and_strings_may_be_escaped(self):
        text = json.dumps({"id": 1, "plugin": ECHO, "values": {"status": True}})
        escaped = text.replace('"plugin"', '"\\u0070lugin"').replace(ECHO, ECHO.replace("/", "\\/").replace("r", "\\u0072"))
        self.assertEqual(self.one(escaped)["error"], None)

    def test_line_ends_may_be_crlf_and_the_last_one_missing(self):
        text = line(1).replace("\n", "\r\n") + "\r\n" + line(2).rstrip()
        result = self.batch(text, "--ordered")
        self.assert_code(0, result)
        self.assertEqual([one["id"] for one in self.results(result)], [1, 2])

    def test_no_lines_are_no_results(self):
        for text in ["", "\n", "\n\n \n"]:
            result = self.batch(text)
            self.assert_code(0, result)
            self.assertEqual(result.out, "")
            self.assertRegex(result.err, r"\Areglet batch: 0 lines: 0 ran, 0 failed, in ")

    def test_what_a_plugin_does_wrong_is_in_its_own_result(self):
        guests = {"trap": "trap", "exit_3": "exit", "loop_observe": "timeout", "answer_not_json": "bad_output",
                  "missing_observe": "missing_export", "unknown_import": "unknown_import", "recursion": "stack_limit"}
        text = "".join(line(name, guest(name), timeout="10s" if name != "loop_observe" else 0.3) for name in guests) + line("good")
        result = self.batch(text, "--jobs", "3")
        self.assert_code(3, result)
        codes = {one["id"]: one["error"] and one["error"]["code"] for one in self.results(result)}
        self.assertEqual(codes, {**guests, "good": None})
        self.assertIn(f"reglet batch: {len(guests) + 1} lines: 1 ran, {len(guests)} failed, in ", result.err)

    def test_a_lines_timeout_wins(self):
        for timeout in [0.2, "200ms", 2e-1, 0.0001]:
            self.assertEqual(self.one(line(1, guest("loop_observe"), timeout=timeout), "--timeout", "1h")["error"]["code"], "timeout")
        self.assertEqual(self.one(line(1, guest("loop_observe")), "--timeout", "200ms")["error"]["code"], "timeout")
        self.assertEqual(self.one(line(1, guest("loop_observe"), timeout=None), "--timeout", "200ms")["error"]["code"], "timeout")

    def test_ordered_results_stand_as_the_lines(self):
        late = {3: "300ms", 4: "100ms", 40: "200ms"}
        text = "".join(line(i, guest("sleep_forever"), timeout=late[i]) if i in late else line(i) for i in range(200))
        result = self.batch(text, "--ordered", "--jobs", "8")
        self.assert_code(3, result)
        self.assertEqual([one["id"] for one in self.results(result)], list(range(200)))
        self.assertEqual({one["id"] for one in self.results(result) if one["error"]}, set(late))

    def test_without_ordered_a_slow_line_keeps_nobody_waiting(self):
        text = line("slow", guest("sleep_forever"), timeout="60s") + "".join(line(i) for i in range(3000))
        process = self.piped("--jobs", "2", self.write("lines", text))
        seen = [json.loads(process.stdout.readline())["id"] for _ in range(3000)]
        self.assertEqual(sorted(seen), list(range(3000)))
        process.send_signal(signal.SIGINT)
        self.assertEqual(json.loads(process.stdout.readline())["error"]["code"], "cancelled")

    def test_each_result_is_there_before_the_next_line_is_asked_for(self):
        process = self.piped("--ordered")
        for i in range(20):
            process.stdin.write(line(i).encode())
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline())["id"], i)
        process.stdin.close()
        self.assertEqual(process.wait(timeout=20), 0)

    def test_ten_thousand_lines_are_ten_thousand_whole_results(self):
        path = self.write("f", "content\n")
        lines = self.write("lines", "".join(line(i, FILE_PLUGIN, values={"path": path}) for i in range(10000)))
        for arguments in [[], ["--ordered"]]:
            result = self.reglet("batch", "--jobs", "4", *arguments, "--grant", f"fs:read:{path}", lines)
            self.assert_code(0, result)
            ids = [one["id"] for one in self.results(result) if one["evidence"]["status"]]
            self.assertEqual(ids if arguments else sorted(ids), list(range(10000)))
            self.assertIn("reglet batch: 10000 lines: 10000 ran, 0 failed, in ", result.err)

    def test_large_results_of_many_threads_stay_whole(self):
        raw = "x" * 100000
        text = "".join(line(i, values={"status": True, "raw": raw}) for i in range(200))
        results = self.results(self.batch(text, "--jobs", "16"))
        self.assertEqual(sorted(one["id"] for one in results), list(range(200)))
        self.assertEqual({one["evidence"]["raw"] for one in results}, {raw})

    def test_a_thousand_jobs_run_at_once(self):
        text = "".join(line(i, guest("sleep_forever"), timeout="2s") for i in range(1000))
        started = time.monotonic()
        result = self.batch(text, "--jobs", "1024")
        self.assertEqual({one["error"]["code"] for one in self.results(result)}, {"timeout"})
        self.assertLess(time.monotonic() - started, 60)  # one after the other it would be 2000 s


class BrokenLines(BatchTest):
    def assert_broken(self, text, message, number=None):
        """A broken line is reported with its number, and the lines around it run."""
        broken = text if isinstance(text, bytes) else text.encode()
        result = self.batch(line("before").encode() + b"\n" + broken + b"\n" + line("after").encode(), "--ordered")
        self.assert_code(3, result)
        before, bad, after = self.results(result)
        self.assertEqual((before["id"], before["error"], after["id"], after["error"]), ("before", None, "after", None))
        self.assertEqual(bad, {"id": number, "line": 3, "evidence": None,
                               "error": {"code": "invalid_argument", "message": message}})
        self.assertIn("reglet batch: 3 lines: 2 ran, 1 failed, in ", result.err)

    def test_what_is_no_object_is_said_with_its_byte(self):
        plugin = '"plugin":"p"'
        for text, message in [
                ("garbage", "byte 1: expected an object"), ("[]", "byte 1: expected an object"), ("{", "byte 2: expected a key in double quotes"),
                ("{'id':1}", "byte 2: expected a key in double quotes"), ("{id:1}", "byte 2: expected a key in double quotes"),
                ('{"id" 1}', "byte 7: expected a colon"), ('{"id":}', "byte 7: expected a value"), ('{"id":1', "byte 8: expected a comma or a closing brace"),
                ('{"id":1,}', "byte 9: expected a key in double quotes"), ('{"id":1 2}', "byte 9: expected a comma or a closing brace"),
                ('{"id":"a', "byte 9: expected the end of a string"), ('{"id":"a\\', "byte 10: expected the end of a string"),
                (f"{{{plugin}}} {{}}", "byte 16: expected nothing behind the object"), (f"{{{plugin}}}x", "byte 15: expected nothing behind the object"),
                ('{"values":{"a":[1}', "byte 19: expected the end of an array or object")]:
            with self.subTest(text=text):
                self.assert_broken(text, message, 1 if text.startswith('{"id":1') else None)

    def test_members_of_a_wrong_kind_are_named(self):
        timeout = '"timeout" should be a positive number of seconds, or a positive number and one of ms, s, m, h ' \
                  '(500ms, 5s, 2m; at most 8760h) as a string'
        cases = [(f'"id":{one}', '"id" should be a string or a number')
                 for one in ["true", "[]", "{}", "01", "1.", ".5", "-", "+1", "1e", "NaN", "Infinity", "0x1", '"\\x"', '"\\u12"']]
        cases += [(f'"plugin":{one}', '"plugin" should be a string, the path of a module') for one in ["1", '""', '"a\\u0000b"', "[]"]]
        cases += [(f'"values":{one}', '"values" should be an object') for one in ["1", "[]", '"{}"', "true"]]
        cases += [(f'"timeout":{one}', timeout)
                  for one in ["0", "-1", "1e9", "1e400", '"1"', '"1.5s"', '""', "true", "[]", '"-1s"', "01"]]
        for member, message in cases:
            with self.subTest(member=member):
                self.assert_broken(f'{{{member},"plugin":"p"}}' if not member.startswith('"plugin') else f"{{{member}}}", message)

    def test_keys_are_known_and_stand_once(self):
        self.assert_broken('{"id":7,"plugin":"p","vlaues":{}}', 'unknown key "vlaues", did you mean "values"?', 7)
        self.assert_broken('{"plugin":"p","name":"x","id":7}', 'unknown key "name"; a line has "id", "plugin", "values" and "timeout"', 7)
        self.assert_broken('{"id":7,"plugin":"p","id":8}', 'the key "id" stands twice', 7)
        self.assert_broken('{"plugin":"p","\\u0070lugin":"q"}', 'the key "plugin" stands twice')
        self.assert_broken('{"id":"x"}', '"plugin" is missing: the path of a module', "x")
        self.assert_broken('{"id":1,"plugin":null}', '"plugin" is missing: the path of a module', 1)

    def test_a_key_cannot_steer_the_reader(self):
        self.assert_broken('{"\\u001b[2J\u202e":1}', 'unknown key "\\x1b[2J\\u202e"; a line has "id", "plugin", "values" and "timeout"')

    def test_bytes_that_are_no_text_are_refused(self):
        self.assert_broken(b'{"id":"\xff"}', "byte 8: expected UTF-8")
        self.assert_broken(b'{"id":"\xed\xa0\x80"}', "byte 8: expected UTF-8")
        self.assert_broken(b'{"id":"a\0b"}', "byte 9: expected an escape instead of a control character")
        self.assert_broken(b'{"id":"a\tb"}', "byte 9: expected an escape instead of a control character")
        self.assert_broken(b"\0", "byte 1: expected an object")
        self.assert_broken(b'{\0"id":1}', "byte 2: expected a key in double quotes")
        self.assert_broken(b"\xef\xbb\xbf{}", "byte 1: expected an object")

    def test_values_are_judged_by_the_library(self):
        deep = "[" * 100000 + "]" * 100000
        for values, expected in [('{"a":nope}', "expected a value"), ('{"a":1,}', ""), ('{"a":[}', None), ('{"a":01}', "leading zero"),
                                 (f'{{"a":{deep}}}', "nested deeper"), ('{"a":' * 5000 + "1" + "}" * 5000, "nested deeper"),
                                 ('{"a":' + "[0" + ",0" * 1000000 + "]}", "more values")]:
            with self.subTest(values=values[:20]):
                one = self.one(f'{{"id":1,"plugin":"{ECHO}","values":{values}}}')
                self.assertEqual(one["id"], 1)
                if expected is not None:
                    self.assertEqual(one["error"]["code"], "invalid_config")
                    self.assertRegex(one["error"]["message"], f'^"values": .*{expected}')
        kept = self.one(f'{{"plugin":"{ECHO}","values":{{"status":true,"raw":"a","raw":"b"}}}}')
        self.assertEqual(kept["evidence"]["raw"], "b")  # as --values has it

    def test_nesting_bombs_are_one_broken_line(self):
        self.assert_broken("[" * MIB, "byte 1: expected an object")
        self.assert_broken('{"id":' + "[" * MIB, f"byte {MIB + 7}: expected the end of an array or object")
        self.assert_broken('{"id":' + '{"a":' * 200000 + "1" + "}" * 200001, '"id" should be a string or a number')

    def test_a_line_that_is_too_long_is_skipped_to_its_end(self):
        self.assert_broken(b"x" * (MAX_LINE + 1), f"longer than {MAX_LINE} bytes")
        self.assert_broken(b" " * (MAX_LINE + 1), f"longer than {MAX_LINE} bytes")
        self.assert_broken(b"x" * MAX_LINE, "byte 1: expected an object")

    def test_check_is_for_every_line(self):
        result = self.batch(line(1, FILE_PLUGIN) + line(2, FILE_PLUGIN, values={"path": "/", "hash": "yes"}), "--check", "--ordered")
        first, second = self.results(result)
        self.assertEqual({first["error"]["code"], second["error"]["code"]}, {"invalid_config"})
        self.assertIn("path", first["error"]["message"])
        self.assertIn("hash", second["error"]["message"])


class Plugins(BatchTest):
    def test_a_plugin_is_loaded_once_however_its_file_is_spelled(self):
        config = self.write("c.yaml", "plugins:\n  echo: {capabilities: ['env:A']}\n")  # each load without a pin warns
        shutil.copyfile(ECHO, os.path.join(self.scratch, "echo.wasm"))
        os.mkdir(os.path.join(self.scratch, "d"))
        os.symlink("../echo.wasm", os.path.join(self.scratch, "d/echo.wasm"))
        paths = ["echo.wasm", "./echo.wasm", "d/../echo.wasm", "d/echo.wasm"]
        result = self.batch("".join(line(i, paths[i % 4]) for i in range(64)), "--jobs", "16", "--config", config)
        self.assert_code(0, result)
        self.assertEqual(result.err.count("has capabilities but no sha256"), 1)

    def test_two_files_of_one_name_are_an_error_of_the_second(self):
        for name in ["a/p.wasm", "b/p.wasm"]:
            os.makedirs(os.path.dirname(os.path.join(self.scratch, name)))
            shutil.copyfile(ECHO, os.path.join(self.scratch, name))
        first, second, third = self.results(self.batch(line(1, "a/p.wasm") + line(2, "b/p.wasm") + line(3, "a/p.wasm"), "--ordered", "--jobs", "1"))
        self.assertEqual((first["error"], third["error"]), (None, None))
        self.assertEqual(second["error"], {"code": "name_taken", "message": '"b/p.wasm" would be the plugin "p", which is "a/p.wasm" in '
                                                                            "this batch; grants go by name, so two files need two names"})

    def test_grants_of_the_configuration_go_by_name(self):
        path = self.write("f", "")
        config = self.write("c.yaml", f"plugins:\n  one: {{capabilities: ['fs:read:{path}']}}\n")
        for name in ["one.wasm", "two.wasm"]:
            shutil.copyfile(FILE_PLUGIN, os.path.join(self.scratch, name))
        text = "".join(line(name, name + ".wasm", values={"path": path}) for name in ["one", "two"])
        statuses = {one["id"]: one["evidence"]["status"] for one in self.results(self.batch(text, "--config", config))}
        self.assertEqual(statuses, {"one": True, "two": False})
        both = self.results(self.batch(text, "--grant", f"fs:read:{path}"))
        self.assertEqual([one["evidence"]["status"] for one in both], [True, True])

    def test_level_strict_refuses_the_unpinned_and_runs_the_rest(self):
        config = self.write("c.yaml", "security: {level: strict}\nplugins:\n  file: {capabilities: ['fs:read:/etc/hosts']}\n")
        result = self.batch(line(1, FILE_PLUGIN, values={"path": "/etc/hosts"}) + line(2), "--config", config, "--ordered")
        refused, ran = self.results(result)
        self.assertEqual(refused["error"]["code"], "invalid_grant")
        self.assertIn(f"{config}:3:3: security level strict grants only to pinned modules", refused["error"]["message"])
        self.assertIsNone(ran["error"])

    def test_a_wrong_configuration_runs_nothing(self):
        config = self.write("c.yaml", "what: 1\n")
        result = self.batch(line(1), "--config", config)
        self.assert_code(2, result)
        self.assertEqual(result.out, "")
        self.assert_one_line(result.err)

    def test_names_that_cannot_be_are_errors_of_their_lines(self):
        for path in ["/", "a\nb.wasm", "x" * 300, "."]:
            self.assertIsNotNone(self.one(line(1, path))["error"])

    def test_a_file_that_appears_later_is_found_then(self):
        process = self.piped("-q")
        ask = lambda: (process.stdin.write(line(1, "late.wasm").encode()), process.stdin.flush(), json.loads(process.stdout.readline()))[2]
        self.assertEqual(ask()["error"]["code"], "io")
        shutil.copyfile(ECHO, os.path.join(self.scratch, "late.wasm"))
        self.assertIsNone(ask()["error"])

    def test_while_one_plugin_loads_lines_of_others_run(self):
        """More lines wait for it than there are jobs, and none of them keeps a job."""
        process = self.piped("--jobs", "2", "--no-cache", "--compiler", "optimizing", "-q")
        slow = "".join(line(f"slow {i}", guest("slow_compile")) for i in range(10))
        process.stdin.write((slow + "".join(line(i) for i in range(10))).encode())
        process.stdin.flush()
        ids = [json.loads(process.stdout.readline())["id"] for _ in range(10)]
        self.assertEqual(ids, list(range(10)))
        process.send_signal(signal.SIGTERM)
        rest = [json.loads(process.stdout.readline()) for _ in range(10)]
        self.assertEqual({one["id"] for one in rest}, {f"slow {i}" for i in range(10)})
        self.assertEqual({one["error"]["code"] for one in rest}, {"cancelled"})
        self.assertEqual(self.ended(process)[0], 3)

    def test_more_plugins_than_are_kept_come_and_go(self):
        for i in range(1100):
            os.link(self.copy_of_echo(), os.path.join(self.scratch, f"p{i}.wasm"))
        text = "".join(line(i, f"p{i}.wasm") for i in [*range(1100), *range(1100)])
        result = self.batch(text, "--jobs", "4", "-q")
        self.assert_code(0, result)
        self.assertEqual(sorted(one["id"] for one in self.results(result)), sorted([*range(1100)] * 2))

    def test_descriptors_that_are_few_are_enough_for_plugins_that_are_many(self):
        """Each has bytes, and so files of code, of its own; all of them would need more than there are."""
        paths = []
        with open(ECHO, "rb") as file:
            wasm = file.read()
        for number in range(60):
            paths.append(os.path.join(self.scratch, f"p{number}.wasm"))
            with open(paths[-1], "wb") as file:
                file.write(wasm + b"\0\x05\x04" + b"%04d" % number)
        text = "".join(line(number, path) for number, path in enumerate(paths + paths))
        limits = (128, 128)  # for all that the process opens
        result = self.batch(text, "--jobs", "1", "--quiet",
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits))
        self.assertEqual([one["error"] for one in self.results(result)], [None] * 120)
        self.assertEqual(result.code, 0)

    def test_fresh_init_has_each_line_initialise(self):
        text = "".join(line(number, guest("image_counter")) for number in range(3))
        result = self.batch(text, "--jobs", "1", "--fresh-init")
        self.assertEqual(result.code, 0)
        self.assertEqual(result.err.count("initialised"), 3)
        self.assertEqual([one["evidence"]["data"]["memory"] for one in self.results(result)], [4, 4, 4])

    def copy_of_echo(self):
        path = os.path.join(self.scratch, "echo.wasm")
        if not os.path.exists(path):
            shutil.copyfile(ECHO, path)
        return path


class Memory(BatchTest):
    LIMIT = 512 * MIB

    def test_endless_input_needs_no_more_memory_than_some(self):
        """As `yes` would, under a limit on memory; sanitizers need more of it, and are held by the peak alone."""
        limited = None if is_sanitized() else lambda: resource.setrlimit(resource.RLIMIT_DATA, (self.LIMIT, self.LIMIT))
        process = self.piped("--jobs", "2", "-q", preexec_fn=limited)
        text = b"".join(line(i, values={"status": True, "raw": "x" * 20000}).encode() for i in range(50)) + b"x" * (3 * MIB) + b"\n"
        def feed():
            try:
                while True:
                    process.stdin.write(text)
            except (BrokenPipeError, ValueError):
                pass
        feeder = threading.Thread(target=feed)
        feeder.start()
        until = time.monotonic() + 4
        results = 0
        while time.monotonic() < until or results < 1000:
            json.loads(process.stdout.readline())
            results += 1
        self.assertLess(self.peak_memory(process), self.LIMIT)
        process.kill()
        feeder.join()

    def test_a_reader_that_stands_still_stops_the_reading(self):
        process = self.piped("--jobs", "2", "-q")
        text = b"".join(line(i, values={"status": True, "raw": "x" * 100000}).encode() for i in range(10))
        taken = self.feed_until_it_stalls(process, text, 300 * MIB)
        self.assertLess(taken, 80 * MIB)  # 64 MiB in hand, and what the pipes hold
        self.assertLess(self.peak_memory(process), self.LIMIT)

    def test_a_slow_line_fills_the_window_of_ordered_and_no_more(self):
        process = self.piped("--jobs", "2", "--ordered", "-q")
        process.stdin.write(line("slow", guest("sleep_forever"), timeout="1h").encode())
        process.stdin.flush()
        large = self.feed_until_it_stalls(process, line(1, values={"status": True, "raw": "x" * 100000}).encode(), 300 * MIB)
        self.assertLess(large, 80 * MIB)
        self.assertLess(self.peak_memory(process), self.LIMIT)
        process.send_signal(signal.SIGINT)
        self.assertEqual(json.loads(process.stdout.readline())["id"], "slow")
        self.assertEqual(json.loads(process.stdout.readline())["id"], 1)

    def test_an_endless_line_is_not_gathered(self):
        process = self.piped("-q")
        self.assertEqual(self.feed_until_it_stalls(process, b"x" * MIB, 400 * MIB), 400 * MIB)
        self.assertLess(self.peak_memory(process), self.LIMIT - 100 * MIB)
        os.set_blocking(process.stdin.fileno(), True)
        process.stdin.write(b"\n" + line(2).encode())
        process.stdin.close()
        self.assertEqual(json.loads(process.stdout.readline())["line"], 1)
        self.assertIsNone(json.loads(process.stdout.readline())["error"])


class Endings(BatchTest):
    def test_the_first_signal_cancels_and_sums_up(self):
        for number, arguments in [(signal.SIGINT, []), (signal.SIGTERM, ["--ordered"])]:
            process = self.piped("--jobs", "3", *arguments)
            for i, name in enumerate(["loop_observe", "sleep_forever", "loop_initialize", "loop_observe", "loop_observe"]):
                process.stdin.write(line(i, guest(name), timeout="1h").encode())
            process.stdin.write(line("done").encode() if not arguments else b"")
            process.stdin.flush()
            time.sleep(0.3)  # some of them run; what was read is cancelled all the same
            process.send_signal(number)
            code, err = self.ended(process)
            results = [json.loads(one) for one in process.stdout]
            self.assertEqual(code, 3)
            self.assertEqual({one["error"]["code"] for one in results}, {"cancelled"})
            self.assertRegex(err, rf"\Areglet batch: cancelled; {len(results)} lines: 0 ran, {len(results)} failed, in \d+\.\d s\n\Z")
            if arguments:
                self.assertEqual([one["id"] for one in results], list(range(len(results))))

    def test_a_signal_while_nothing_comes_ends_it(self):
        process = self.piped()
        process.send_signal(signal.SIGINT)
        code, err = self.ended(process)
        self.assertEqual(code, 3)
        self.assertRegex(err, r"\Areglet batch: cancelled; 0 lines: 0 ran, 0 failed, in ")

    def test_a_second_signal_ends_the_process_at_once(self):
        process = self.piped()
        process.send_signal(signal.SIGSTOP)  # so that both are pending before either is handled
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        self.assertIn(process.wait(timeout=20), (-signal.SIGINT, -signal.SIGTERM))

    def test_a_reader_that_goes_away_ends_it_quietly(self):
        """Also while the input stays open and nothing comes."""
        process = self.piped("--jobs", "2")
        process.stdin.write(line(1).encode() + line(2, guest("sleep_forever"), timeout="1h").encode())
        process.stdin.flush()
        self.assertEqual(json.loads(process.stdout.readline())["id"], 1)
        process.stdout.close()
        self.assertEqual(self.ended(process), (3, ""))

    def test_head_takes_what_it_wants(self):
        self.write("lines", "".join(line(i) for i in range(20000)))
        done = subprocess.run(["bash", "-c", '"$0" batch --ordered lines | head -n 3; echo "${PIPESTATUS[0]}"', REGLET], cwd=self.scratch,
                              env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=100, check=False)
        *results, code = done.stdout.splitlines()
        self.assertEqual([json.loads(one)["id"] for one in results], [0, 1, 2])
        self.assertEqual((code, done.stderr), (b"3", b""))

    def test_a_full_disk_is_an_error_that_ends_it(self):
        for more in [b"", b'{"never":']:
            process = subprocess.Popen([REGLET, "batch"], stdin=subprocess.PIPE, stdout=os.open("/dev/full", os.O_WRONLY | os.O_CLOEXEC),
                                       stderr=subprocess.PIPE, env=self.environment)
            process.stdin.write(line(1).encode() + more)
            process.stdin.flush()
            self.assertEqual(self.ended(process), (3, "reglet: cannot write the output: No space left on device\n"))
            process.stdin.close()
            process.stderr.close()

    def test_a_non_blocking_output_loses_nothing(self):
        read, write = os.pipe()
        os.set_blocking(write, False)
        text = "".join(line(i, values={"status": True, "raw": "x" * 50000}) for i in range(100))
        process = subprocess.Popen([REGLET, "batch", "--ordered", "-q", self.write("lines", text)], stdout=write, env=self.environment)
        os.close(write)
        with os.fdopen(read, "rb") as out:
            self.assertEqual([json.loads(one)["id"] for one in out], list(range(100)))
        self.assertEqual(process.wait(timeout=20), 0)

    def test_quiet_says_nothing(self):
        result = self.batch(line(1) + "broken\n", "--quiet")
        self.assert_code(3, result)
        self.assertEqual(result.err, "")


class Screen:
    """What a terminal shows that knows characters, carriage return and newline, and nothing else."""

    def __init__(self, text):
        self.rows, self.column = [""], 0
        for c in text:
            if c == "\r":
                self.column = 0
            elif c == "\n":
                self.rows.append("")
                self.column = 0
            else:
                row = self.rows[-1].ljust(self.column)
                self.rows[-1] = row[:self.column] + c + row[self.column + 1:]
                self.column += 1
        self.rows = [row.rstrip() for row in self.rows]


class Progress(BatchTest):
    DRAWN = re.compile(r"\r((?:\[#*\.*\] +\d+%  )?(\d+) done, (\d+) failed, \d+/s, \d+:\d\d)")

    def on_terminals(self, text, *arguments, columns=80, both=False):
        """Code, standard output and what came on the terminal that standard error (or both) is."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([REGLET, "batch", *arguments, self.write("lines", text)], stdin=subprocess.DEVNULL, stderr=slave,
                                   stdout=slave if both else subprocess.PIPE, cwd=self.scratch, env=self.environment)
        os.close(slave)
        shown = b""
        try:
            while chunk := os.read(master, 65536):
                shown += chunk
        except OSError:  # EIO: the other end is closed
            pass
        os.close(master)
        out, _ = process.communicate(timeout=100)
        return process.returncode, out, shown.decode().replace("\r\n", "\n")

    def slow_lines(self, count):
        return "".join(line(i, guest("sleep_forever"), timeout="200ms") + line(-1 - i) for i in range(count))

    def test_a_terminal_shows_how_far_it_is_and_is_clean_at_the_end(self):
        started = time.monotonic()
        code, out, shown = self.on_terminals(self.slow_lines(6), "--jobs", "1")
        most = (time.monotonic() - started) * 10 + 1
        self.assertEqual((code, len(out.splitlines())), (3, 12))
        drawn = self.DRAWN.findall(shown)
        self.assertGreater(len(drawn), 3)
        self.assertLessEqual(len(drawn), most)
        self.assertEqual([int(done) for _, done, _ in drawn], sorted(int(done) for _, done, _ in drawn))
        self.assertRegex(drawn[-1][0], r"^\[#+\.*\] +\d+%  ")
        rows = Screen(shown).rows
        self.assertRegex(rows[0], r"^reglet batch: 12 lines: 6 ran, 6 failed, in \d+\.\d s$")
        self.assertEqual(rows[1:], [""])

    def test_messages_and_results_stand_in_lines_of_their_own(self):
        denied = line("file", FILE_PLUGIN, values={"path": "/etc/hosts"})
        code, _, shown = self.on_terminals(self.slow_lines(3) + denied + self.slow_lines(1), "--jobs", "1", both=True, columns=4000)
        self.assertEqual(code, 3)
        self.assertGreater(len(self.DRAWN.findall(shown)), 3)
        rows = Screen(shown).rows
        self.assertIn("reglet: denied: file: look at /etc/hosts (grant it with --grant fs:read:/etc/hosts)", rows)
        self.assertEqual(len([row for row in rows if row.startswith('{"id":') and json.loads(row)]), 9)
        self.assertEqual(len(rows), 9 + 1 + 1 + 1)

    def test_a_narrow_terminal_is_not_wrapped(self):
        _, _, shown = self.on_terminals(self.slow_lines(3), "--jobs", "1", columns=20)
        drawn = re.findall(r"\r([^\r\n]*)", shown.split("reglet batch:")[0])
        self.assertGreater(len(drawn), 3)
        self.assertLess(max(len(one) for one in drawn), 20)

    def test_quiet_draws_nothing(self):
        code, _, shown = self.on_terminals(self.slow_lines(2), "--jobs", "1", "--quiet")
        self.assertEqual((code, shown), (3, ""))

    def test_an_id_cannot_steer_the_terminal(self):
        _, _, shown = self.on_terminals(line("\x1b]0;x\x07\u202e\x9b31m").replace("\\u202e", "\u202e").replace("\\u009b", "\x9b"), both=True)
        self.assertIsNone(re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", shown), ascii(shown))
        self.assertIn('{"id":"\\u001b]0;x\\u0007\\u202e\\u009b31m",', shown)


class Scaling(BatchTest):
    """The commands of docs/scaling.md, as they stand there."""

    def run_block(self, tool):
        with open(os.path.join(SOURCE, "docs/scaling.md"), encoding="utf-8") as file:
            blocks = re.findall(r"```sh\n(.*?)```", file.read(), re.DOTALL)
        commands = [block for block in blocks if tool in block]
        self.assertEqual(len(commands), 1)
        shutil.copyfile(FILE_PLUGIN, os.path.join(self.scratch, "file.wasm"))
        bin_directory = os.path.join(self.scratch, "bin")
        os.mkdir(bin_directory)
        os.symlink(REGLET, os.path.join(bin_directory, "reglet"))
        self.environment["PATH"] = f"{bin_directory}:{self.environment['PATH']}"
        for script in [blocks[0], commands[0]]:
            subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=self.scratch, env=self.environment, check=True, timeout=100)
        with open(os.path.join(self.scratch, "results.jsonl"), encoding="utf-8") as file:
            return [json.loads(one) for one in file]

    def assert_complete(self, tool, ordered):
        if not shutil.which(tool):
            self.skipTest(f"no {tool}")
        results = self.run_block(tool + " ")
        self.assertTrue(all(one["evidence"]["status"] for one in results))
        ids = [one["id"] for one in results]
        self.assertEqual(ids if ordered else sorted(ids), list(range(1, 1001)))

    def test_xargs(self):
        self.assert_complete("xargs", ordered=True)

    def test_gnu_parallel(self):
        self.assert_complete("parallel", ordered=True)


class MetricsTest(BatchTest):
    def setUp(self):
        super().setUp()
        self.file = os.path.join(self.scratch, "reglet.prom")

    def samples(self):
        with open(self.file, encoding="utf-8") as file:
            return dict(one.rsplit(" ", 1) for one in file.read().splitlines() if not one.startswith("#"))

    def test_what_was_counted_replaces_the_file(self):
        with open(self.file, "w", encoding="utf-8") as file:
            file.write("what was there before")
        self.assertEqual(self.batch(line(1) + line(2) + "no request\n", "--metrics", self.file).code, 3)
        samples = self.samples()
        self.assertEqual(samples['reglet_calls_total{plugin="result_is_config",outcome="success"}'], "2")
        self.assertEqual(samples['reglet_duration_seconds_count{plugin="result_is_config",phase="guest"}'], "2")
        self.assertEqual(os.listdir(self.scratch).count("reglet.prom"), 1)
        self.assertEqual([name for name in os.listdir(self.scratch) if name.endswith(".tmp")], [])

    def test_a_file_that_cannot_be_written_is_said(self):
        for path, code, words in [("/dev/null", 2, "is no regular file"), (os.path.join(self.scratch, "no/where"), 3, "cannot write")]:
            result = self.batch(line(1), "--metrics", path)
            self.assertEqual(result.code, code)
            self.assertIn(words, result.err)

    def test_what_a_killed_command_left_is_no_obstacle(self):
        """In a container a command has the same number each time."""
        script = 'echo half >"$2.$$.tmp" && exec "$1" batch --metrics "$2"'
        result = subprocess.run(["sh", "-c", script, "sh", REGLET, self.file], input=line(1).encode(), env=self.environment,
                                cwd=self.scratch, capture_output=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('reglet_calls_total{plugin="result_is_config",outcome="success"}', self.samples())
        self.assertEqual([name for name in os.listdir(self.scratch) if name.endswith(".tmp")], [])

    def test_a_plugin_does_not_reach_the_file(self):
        with open(self.file, "w", encoding="utf-8") as file:
            file.write("as it was")
        config = self.write("c.yaml", f"plugins: {{relay: {{capabilities: ['fs:write:{self.scratch}/**']}}}}\n")
        values = {"function": "fs_write", "request": {"path": self.file, "content": "", "mode": "truncate"}}
        request = json.dumps({"id": 1, "plugin": guest("relay"), "values": values}) + "\n"
        self.assertIn("EACCES", self.batch(request, "--metrics", self.file, "--config", config).out)

    def test_a_symlink_is_not_followed(self):
        target = os.path.join(self.scratch, "target")
        os.symlink(target, self.file)
        result = self.batch(line(1), "--metrics", self.file)
        self.assertEqual(result.code, 2)
        self.assertFalse(os.path.exists(target))


class LogFormatTest(BatchTest):
    def test_every_line_on_standard_error_is_an_object(self):
        lines = json.dumps({"plugin": FILE_PLUGIN, "values": {"path": "/etc/shadow"}}) + "\n" + line(2)
        result = self.batch(lines, "--log-format", "json", "--verbose")
        events = [json.loads(one) for one in result.err.splitlines()]
        denials = [one for one in events if one["source"] == "denial"]
        self.assertTrue(denials)
        self.assertEqual(denials[0]["plugin"], "file")
        self.assertEqual(denials[0]["attrs"]["grant"], "fs:read:/etc/shadow")
        self.assertRegex(denials[0]["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")
        self.assertTrue(any("2 lines" in one["message"] for one in events))

    def test_no_text_of_a_plugin_ends_a_line_or_steers_a_terminal(self):
        hostile = "a\nb\r\x1b]52;c;AAAA\x07\u202egnp.exe\u2028\u0085end"
        steps = [{"log": {"level": "WARN", "message": hostile, "attrs": [{"key": hostile, "type": "string", "value": hostile}]}},
                 {"stdout_base64": base64.b64encode(b"\x1b[2J\xff\xfe out\n").decode()}]
        request = json.dumps({"plugin": guest("teller"), "values": {"steps": steps}}) + "\n"
        result = self.batch(request, "--log-format", "json")
        events = [json.loads(one) for one in result.err.split("\n") if one]
        self.assertTrue(all(isinstance(one, dict) for one in events))
        self.assertTrue([one for one in events if "gnp.exe" in one["message"]])
        self.assertTrue([one for one in events if one["message"].endswith(" out")])
        for steering in "\x1b\x07\r\u202e\u2028\u0085":
            self.assertNotIn(steering, result.err)

    def test_another_format_is_refused(self):
        result = self.batch("", "--log-format", "xml")
        self.assertEqual(result.code, 2)
        self.assertIn('--log-format should be json or text, not "xml"', result.err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
