"""`reglet grants` and what a configuration decides: levels, pins, pinned arguments, certificates and resolvers.

CTest sets the same variables as for cli_test.py.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import unittest

from cli_test import FILE_PLUGIN, SOURCE, CliTest, ServersTest, guest

HTTP_PLUGIN = os.path.join(os.environ["REGLET_PLUGINS"], "http.wasm")
COMMAND_PLUGIN = os.path.join(os.environ["REGLET_PLUGINS"], "command.wasm")
DECLARES = guest("declares")
HOSTILE = guest("declares_hostile")
HOSTILE_CAPABILITIES = ["fs:read:/\u202egnp", "fs:read:/a: b #c", "fs:read:/\ufeff\uffff"]  # those that parse
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\uffff]")


class GrantsTest(CliTest):
    def grants(self, *arguments, plugin=DECLARES):
        result = self.reglet("grants", plugin, "--format", "json", *arguments)
        self.assert_code(0, result)
        return result.json()

    def declared(self, *arguments, plugin=DECLARES):
        return {one["capability"]: one for one in self.grants(*arguments, plugin=plugin)["declared"]}

    def granted_by(self, *arguments):
        return {name: one["granted_by"] or one["granted"] for name, one in self.declared("-q", *arguments).items()}


class Listing(GrantsTest):
    def test_json_has_what_is_declared_and_what_is_granted(self):
        answer = self.grants()
        self.assertEqual(set(answer), {"plugin", "sha256", "pinned", "level", "declared", "granted"})
        self.assertEqual((answer["plugin"], answer["pinned"], answer["level"]), ("declares", False, "standard"))
        self.assertRegex(answer["sha256"], "^[0-9a-f]{64}$")
        self.assertEqual(answer["granted"], [])
        self.assertEqual(answer["declared"][0],
                         {"capability": "fs:read:/etc/hosts", "risk": "medium", "broad": False,
                          "sentence": "Read the file /etc/hosts.", "valid": True, "granted": False, "granted_by": None})
        granted = self.grants("--grant", "exec:bash", "-q")["granted"]
        self.assertEqual([set(one) for one in granted], [{"capability", "risk", "broad", "sentence", "shared"}])
        self.assertEqual((granted[0]["capability"], granted[0]["risk"], granted[0]["broad"], granted[0]["shared"]),
                         ("exec:bash", "high", True, False))

    def test_a_declaration_that_does_not_parse_is_shown_with_the_reason(self):
        one = self.declared()["network:dns"]
        self.assertEqual((one["valid"], one["granted"]), (False, False))
        self.assertIn("character at byte 8", one["sentence"])

    def test_what_is_granted_names_the_grant(self):
        granted = self.granted_by("--grant", "fs:read:/etc/**", "--grant", "env:H*", "--grant", "network:outbound:443",
                                  "--grant", "kv:read:**", "--grant", "exec:**")
        self.assertEqual(granted["fs:read:/etc/hosts"], "fs:read:/etc/**")
        self.assertEqual(granted["fs:read:/etc/*.conf"], "fs:read:/etc/**")
        self.assertEqual(granted["env:HOME"], "env:H*")
        self.assertEqual(granted["network:outbound:example.test:443"], "network:outbound:443")
        self.assertEqual(granted["network:outbound:https://example.test/v1"], "network:outbound:443")
        self.assertEqual(granted["kv:read:settings/*"], "kv:read:**")
        self.assertEqual(granted["exec:bash"], "exec:**")
        self.assertIs(granted["network:dns"], False)

    def test_what_is_certainly_not_granted_is_told_from_what_patterns_leave_open(self):
        granted = self.granted_by("--grant", "fs:read:/etc/h*", "--grant", "env:PATH", "--grant", "network:outbound:80",
                                  "--grant", "exec:ls", "--grant", "kv:write:**")
        self.assertEqual(granted["fs:read:/etc/hosts"], "fs:read:/etc/h*")
        self.assertFalse(granted["env:HOME"])
        self.assertFalse(granted["network:outbound:example.test:443"])
        self.assertFalse(granted["exec:bash"])
        one = self.declared("--grant", "fs:read:/etc/h*")["fs:read:/etc/*.conf"]
        self.assertIsNone(one["granted"])
        self.assertIs(self.declared("--grant", "fs:write:/etc/h*")["fs:read:/etc/*.conf"]["granted"], False)

    def test_grants_of_the_configuration_are_listed_with_shared_ones_and_pinned_arguments(self):
        config = self.write("c.yaml", "capabilities: ['env:HOME']\n"
                                      "plugins:\n"
                                      "  declares:\n"
                                      "    capabilities: ['fs:read:/etc/hosts']\n"
                                      "    exec: [{path: /bin/true, args: [-x, 'a*']}]\n"
                                      "  other: {capabilities: ['env:OTHER']}\n")
        answer = self.grants("--config", config)
        self.assertEqual([(one["capability"], one["shared"]) for one in answer["granted"]],
                         [("fs:read:/etc/hosts", False), ("env:HOME", True), ("exec:/bin/true [-x, a*]", False)])
        self.assertEqual([one["capability"] for one in answer["declared"] if one["granted"]],
                         ["fs:read:/etc/hosts", "env:HOME"])

    def test_table_is_for_terminals(self):
        result = self.on_terminal("grants", DECLARES, "--grant", "env:HOME", "--grant", "exec:bash")
        self.assert_code(0, result)
        self.assertRegex(result.out, r"(?m)^pinned +no: ")
        self.assertRegex(result.out, r"(?m)^DECLARED +RISK +GRANTED +MEANING$")
        self.assertRegex(result.out, r"(?m)^env:HOME +low +by env:HOME +Read the environment variable HOME\.$")
        self.assertRegex(result.out, r"(?m)^fs:read:/etc/hosts +medium +not granted +Read the file /etc/hosts\.$")
        self.assertRegex(result.out, r"(?m)^exec:bash +high, broad +this plugin ")
        self.assertRegex(result.err, r"\Areglet: warn: declares: the grant exec:bash is broad: Run bash")
        self.assertIn("none", self.on_terminal("grants", guest("tool")).out)

    def test_the_docs_show_it_as_it_is_printed(self):
        with open(os.path.join(SOURCE, "docs/cli.md"), encoding="utf-8") as file:
            docs = file.read()
        grant = ["--grant", "network:outbound:443", "--format", "table"]
        for arguments in [[], ["--ask", "network:outbound:example.org:443", "--ask", "network:outbound:10.0.0.1:443"]]:
            for line in self.reglet("grants", HTTP_PLUGIN, *grant, *arguments).out.splitlines():
                if not line.startswith("sha256"):
                    self.assertIn(line, docs)

    def test_a_module_that_is_no_plugin_has_declared_nothing(self):
        self.assertEqual(self.grants(plugin=guest("tool"))["declared"], [])
        self.assertIn("plugins:\n  tool:\n    sha256: ", self.reglet("grants", guest("tool"), "--suggest").out)

    def test_no_export_runs_but_the_description(self):
        """observe and schema of this one loop for ever; its description is missing."""
        self.assertEqual(self.grants("--timeout", "5s", plugin=guest("loop_observe"))["declared"], [])
        late = self.reglet("grants", guest("loop_describe"), "--timeout", "300ms")
        self.assert_code(3, late)
        self.assertTrue(late.err.endswith(" [timeout]\n"), late.err)

    def test_ctrl_c_cancels_it(self):
        process = self.start("grants", guest("loop_describe"), "--timeout", "60s")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(timeout=60), (b"", b"reglet grants: cancelled\n"))
        self.assertEqual(process.returncode, 3)


class Suggest(GrantsTest):
    def suggest(self, plugin, *arguments):
        result = self.reglet("grants", "--suggest", *arguments, "--", plugin)
        self.assert_code(0, result)
        self.assertEqual(result.err, "")
        return result.out

    def test_what_is_missing_is_suggested_and_pasting_it_grants_it(self):
        config = self.write("c.yaml", self.suggest(DECLARES))
        answer = self.grants("--config", config, "-q")
        self.assertIs(answer["pinned"], True)
        self.assertEqual([one["capability"] for one in answer["declared"] if not one["granted"] and one["valid"]], ["exec:*"])
        again = self.reglet("grants", DECLARES, "--suggest", "--config", config, "-q").out
        self.assertIn(f"    sha256: {answer['sha256']}\n", again)
        self.assertNotIn("      - ", again)

    def test_what_is_granted_is_left_out_and_what_is_broad_has_a_comment(self):
        out = self.suggest(DECLARES, "--grant", "fs:read:/etc/hosts", "--grant", "env:HOME")
        self.assertNotIn("/etc/hosts", out)
        self.assertNotIn("HOME", out)
        self.assertIn("      # Broad, risk high: Run bash, as it is found on the PATH, with any arguments, and with it "
                      "every other program.\n      - exec:bash\n", out)
        self.assertRegex(out, r"(?m)^      # No grant: capability \"network:dns\", character at byte 8: ")
        self.assertRegex(out, r"(?m)^      # No grant, .*exec:\*: Everything of the kind exec\.$")

    def test_what_level_strict_would_refuse_is_a_comment_there(self):
        strict = self.write("strict.yaml", "security: {level: strict}\n")
        pasted = self.write("c.yaml", "security: {level: strict}\n" + self.suggest(DECLARES, "--config", strict))
        with open(pasted, encoding="utf-8") as file:
            self.assertIn("      # Broad, which level strict refuses: exec:bash: ", file.read())
        self.assertEqual(self.declared("--config", pasted)["env:HOME"]["granted_by"], "env:HOME")

    def test_hostile_capabilities_are_data_and_nothing_else(self):
        out = self.suggest(HOSTILE)
        self.assertIsNone(UNSAFE.search(out), ascii(out))
        config = self.write("c.yaml", out)
        granted = self.grants("--config", config, plugin=HOSTILE)
        self.assertEqual(len(granted["granted"]), len(HOSTILE_CAPABILITIES))
        self.assertEqual([one["granted"] for one in granted["declared"]], [False, True, True, True, False, False])
        for name in HOSTILE_CAPABILITIES[1:2]:  # as the plugin asks for it
            self.assert_code(0, self.reglet("grants", HOSTILE, "--config", config, "--ask", name))

    def test_hostile_names_are_names_and_nothing_else(self):
        for name in ["*", "a: b", "a #b", "- x", "~", "null", "<<", "{a: b}", "'", '"', "&a", "!!int 5", "22:22", " a ", "? x",
                     "a\u2028- x", "\u202egnp", "\ufeff", "x" * 255, "é" * 127]:
            with self.subTest(name=name):
                out = self.suggest(DECLARES, "--name", name)
                self.assertIsNone(UNSAFE.search(out), ascii(out))
                answer = self.grants("--name", name, "--config", self.write("c.yaml", out), "-q")
                self.assertEqual((answer["plugin"], answer["pinned"]), (name, True))
                self.assertEqual(self.grants("--config", os.path.join(self.scratch, "c.yaml"))["pinned"], False)

    def test_hostile_file_names_are_names_too(self):
        for name, expected in [("*.wasm", "*"), ("-x.wasm", "-x"), ("a: b #c.wasm", "a: b #c"), (".wasm", ".wasm")]:
            shutil.copyfile(DECLARES, os.path.join(self.scratch, name))
            config = self.write("c.yaml", self.suggest(name))
            answer = self.reglet("grants", "--config", config, "-q", "--", name)
            self.assert_code(0, answer)
            self.assertEqual((answer.json()["plugin"], answer.json()["pinned"]), (expected, True))
        shutil.copyfile(DECLARES, os.path.join(self.scratch, "a\nplugins: b.wasm"))
        broken = self.reglet("grants", "a\nplugins: b.wasm", "--suggest")
        self.assert_code(2, broken)
        self.assert_one_line(broken.err)
        self.assertEqual(broken.out, "")
        self.assertIn("  b:\n", self.suggest("a\nplugins: b.wasm", "--name", "b"))

    def test_nothing_steers_the_terminal(self):
        for arguments in [[], ["--suggest"], ["--format", "json"], ["--ask", "env:HOME", "--grant", "env:HOME"],
                          ["--ask", "fs:read:/\u202egnp"], ["--ask", "fs:read:/\u202egnp", "--format", "json"],
                          ["--ask", "env:\x1b[2J"], ["--name", "\u202egnp\ufeff"], ["--name", "\u202egnp", "--suggest"],
                          ["--grant", "fs:read:/\u202egnp/**"]]:
            with self.subTest(arguments=arguments):
                result = self.on_terminal("grants", HOSTILE, *arguments)
                self.assertIn(result.code, (0, 1, 2))
                self.assertIsNone(UNSAFE.search(result.out), ascii(result.out))
                self.assertIsNone(UNSAFE.search(result.err), ascii(result.err))

    def test_it_does_not_go_with_ask_or_format(self):
        self.assert_usage("reglet grants: --suggest and --ask do not go together; see 'reglet grants --help'",
                          "grants", DECLARES, "--suggest", "--ask", "env:A")
        self.assert_usage("reglet grants: --suggest prints YAML; --format does not go with it; see 'reglet grants --help'",
                          "grants", DECLARES, "--suggest", "--format", "json")


class Ask(GrantsTest):
    def ask(self, *requests, grants=(), config=None):
        words = [word for one in requests for word in ("--ask", one)] + [word for one in grants for word in ("--grant", one)]
        result = self.reglet("grants", DECLARES, *words, *(["--config", config] if config else []))
        return result.code, result.json()["decisions"] if result.out else result.err

    def test_0_when_all_are_allowed_and_1_when_one_is_denied(self):
        self.assertEqual(self.ask("env:HOME", grants=["env:HOME"]),
                         (0, [{"asked": "env:HOME", "allowed": True, "rule": "env:HOME",
                               "reason": "the grant env:HOME covers it", "grant": None}]))
        code, (first, second) = self.ask("env:HOME", "network:outbound:example.org:443", grants=["env:H*"])
        self.assertEqual((code, first["allowed"], first["rule"]), (1, True, "env:H*"))
        self.assertEqual((second["allowed"], second["rule"], second["grant"]), (False, None, "network:outbound:example.org:443"))

    def test_files_are_judged_as_they_are(self):
        path = self.write("d/f", "")
        os.symlink("/etc/passwd", os.path.join(self.scratch, "d/l"))
        grants = [f"fs:read:{self.scratch}/d/**"]
        self.assertEqual(self.ask(f"fs:read:{path}", grants=grants)[0], 0)
        self.assertEqual(self.ask(f"fs:read:{self.scratch}/d/../d/f", grants=grants)[0], 0)
        for denied in [f"fs:write:{path}", f"fs:read:{self.scratch}/d/l", "fs:read:/etc/passwd"]:
            self.assertEqual(self.ask(denied, grants=grants)[0], 1)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "")

    def test_addresses_and_urls(self):
        grants = ["network:outbound:443", "network:outbound:https://a.example/v1"]
        for request, code in [("10.0.0.1:443", 1), ("8.8.8.8:443", 0), ("example.org:443", 0), ("example.org:80", 1),
                              ("169.254.169.254:443", 1), ("[::ffff:127.0.0.1]:443", 1), ("https://b.example/x", 0)]:
            self.assertEqual(self.ask("network:outbound:" + request, grants=grants)[0], code, request)
        self.assertEqual(self.ask("network:outbound:10.0.0.1:443", grants=[*grants, "network:outbound:private"])[0], 0)

    def test_what_no_grant_opens_suggests_none(self):
        code, (decision,) = self.ask("fs:read:/proc/self/environ", grants=["fs:read:**"])
        self.assertEqual((code, decision["allowed"], decision["grant"]), (1, False, None))

    def test_a_request_that_is_none_is_usage_and_says_which_character(self):
        for request, byte in [("env:*", 4), ("network:outbound:443", 17), ("network:outbound:a:80-90", 21), ("fs:raed:/x", 3),
                              ("fs:read:x", 3), ("what", 0), ("exec:**", 5), ("network:outbound:10.0.0.0/8:1", 25), ("", 0),
                              ("kv:read-write:a", 3)]:
            result = self.reglet("grants", DECLARES, "--ask", "env:HOME", "--ask", request)
            self.assert_code(2, result)
            self.assert_one_line(result.err)
            self.assertTrue(result.err.startswith("reglet grants: --ask: capability "), result.err)
            self.assertIn(f", character at byte {byte}: ", result.err)
            self.assertEqual(result.out, "")

    def test_a_table_has_the_grant_as_a_word_for_a_shell(self):
        result = self.on_terminal("grants", DECLARES, "--ask", "fs:read:/a b;'*c", "--ask", "env:HOME", "--grant", "env:HOME")
        self.assert_code(1, result)
        self.assertRegex(result.out, r"(?m)^env:HOME +allowed +the grant env:HOME covers it$")
        word = re.search(r"denied .*\(grant it with --grant (.*)\)$", result.out, re.MULTILINE).group(1)
        printed = subprocess.run(["sh", "-c", f"printf %s {word}"], stdout=subprocess.PIPE, check=True, cwd=self.scratch)
        capability = printed.stdout.decode()
        self.assertEqual(capability, "fs:read:/a b;'\\*c")
        self.assertEqual(self.ask("fs:read:/a b;'*c", grants=[capability])[0], 0)

    def test_grants_for_all_plugins_count_where_they_are_declared(self):
        config = self.write("c.yaml", "capabilities: ['env:*']\n")
        self.assertEqual(self.ask("env:HOME", config=config)[0], 0)
        self.assertEqual(self.ask("env:PATH", config=config)[0], 1)


class Levels(GrantsTest):
    def config(self, level, *, sha256=None, capabilities=("fs:read:/etc/hosts",), more=""):
        pin = f"    sha256: {sha256}\n" if sha256 else ""
        return self.write("c.yaml", f"security: {{level: {level}{more}}}\nplugins:\n  file:\n{pin}"
                                    f"    capabilities: {json.dumps(list(capabilities))}\n")

    def observe(self, config, *arguments):
        return self.reglet("observe", FILE_PLUGIN, "path=/etc/hosts", "--config", config, *arguments)

    def sha256(self):
        return self.grants(plugin=FILE_PLUGIN)["sha256"]

    def test_strict_wants_a_pin_and_says_where_and_who_knows_it(self):
        config = self.config("strict")
        for arguments in [[], ["--quiet"]]:
            result = self.observe(config, *arguments)
            self.assert_code(2, result)
            self.assertEqual(result.err, f"reglet observe: {config}:3:3: security level strict grants only to pinned modules: "
                             "plugin \"file\" needs a sha256 below its name in \"plugins\"; "
                             f"'reglet grants --suggest {FILE_PLUGIN}' prints it\n")
        suggested = self.reglet("grants", "--suggest", FILE_PLUGIN, "--config", config)
        self.assert_code(0, suggested)
        self.assertIn(f"    sha256: {self.sha256()}\n", suggested.out)
        self.assert_code(0, self.observe(self.config("strict", sha256=self.sha256())))

    def test_strict_wants_a_pin_for_grants_of_the_command_line_too(self):
        config = self.write("c.yaml", "security:\n  level: strict\n")
        result = self.observe(config, "--grant", "fs:read:/etc/hosts")
        self.assert_code(2, result)
        self.assertTrue(result.err.startswith(f"reglet observe: {config}:2:10: security level strict "), result.err)

    def test_strict_answers_for_a_plugin_that_is_not_pinned_yet_as_if_it_were(self):
        answer = self.grants("--config", self.config("strict"), plugin=FILE_PLUGIN)
        self.assertEqual((answer["level"], answer["pinned"]), ("strict", False))
        self.assertEqual([one["capability"] for one in answer["granted"]], ["fs:read:/etc/hosts"])

    def test_strict_refuses_broad_grants_and_what_is_not_declared(self):
        broad = self.observe(self.config("strict", sha256=self.sha256(), capabilities=["fs:read:/etc/**"]))
        self.assert_code(2, broad)
        self.assert_one_line(broad.err)
        self.assertIn('"fs:read:/etc/**" is broad, which level strict refuses', broad.err)
        own = self.observe(self.config("strict", sha256=self.sha256(), more=", custom_broad_patterns: ['fs:read:/etc/hosts']"))
        self.assert_code(2, own)
        config = self.config("strict", sha256=self.sha256(), capabilities=["env:HOME"])
        denied = self.reglet("grants", FILE_PLUGIN, "--ask", "env:HOME", "--config", config)
        self.assert_code(1, denied)

    def test_strict_gives_a_command_nothing_because_it_declares_nothing(self):
        sha256 = self.grants(plugin=guest("tool"))["sha256"]
        config = self.write("c.yaml", f"security: {{level: strict}}\nplugins: {{tool: {{sha256: {sha256}, "
                                      "capabilities: ['fs:read:/etc/hosts']}}\n")
        self.assert_code(1, self.reglet("run", "--config", config, guest("tool"), "cat", "/etc/hosts"))

    def test_standard_warns_of_broad_grants_and_missing_pins_and_permissive_says_nothing(self):
        result = self.observe(self.config("standard", capabilities=["fs:read:/etc/**"]))
        self.assert_code(0, result)
        self.assertIn('c.yaml:3:3: plugin "file" has capabilities but no sha256', result.err)
        self.assertIn("reglet: warn: file: the grant fs:read:/etc/** is broad: Read every file below /etc.\n", result.err)
        self.assertEqual(len(result.err.splitlines()), 2)
        for quiet in [self.observe(self.config("standard", capabilities=["fs:read:/etc/**"]), "-q"),
                      self.observe(self.config("permissive", capabilities=["fs:read:/etc/**"]))]:
            self.assert_code(0, quiet)
            self.assertEqual(quiet.err, "")

    def test_patterns_of_the_operator_are_broad_as_well(self):
        config = self.config("standard", sha256=self.sha256(), more=", custom_broad_patterns: ['fs:read:/etc/hosts']")
        self.assertIn("the grant fs:read:/etc/hosts is broad", self.observe(config).err)
        granted = self.grants("--config", config, "-q", plugin=FILE_PLUGIN)["granted"][0]
        self.assertEqual((granted["broad"], granted["risk"]), (True, "high"))


class PinnedArguments(GrantsTest):
    def run_command(self, args, *, command="/bin/echo", exec_=None, capabilities=()):
        config = self.write("c.yaml", "security: {level: permissive}\nplugins:\n  command:\n"
                                      f"    capabilities: {json.dumps(list(capabilities))}\n    exec: {json.dumps(exec_)}\n")
        return self.reglet("observe", COMMAND_PLUGIN, f"command={command}", "args:=" + json.dumps(args), "--config", config)

    def test_only_these_arguments_run(self):
        pins = [{"path": "/bin/echo", "args": ["hello", "a*"]}, {"path": "/bin/echo", "args": []}]
        for args in [["hello", "abc"], ["hello", "a/b"], []]:
            result = self.run_command(args, exec_=pins)
            self.assert_code(0, result)
            self.assertEqual(result.json()["evidence"]["data"]["stdout"], " ".join(args) + "\n")
        for args in [["hello"], ["hello", "b"], ["hello", "abc", "x"], ["x"]]:
            result = self.run_command(args, exec_=pins, capabilities=["exec:/bin/echo"])
            self.assert_code(1, result)
            self.assertRegex(result.err, r"\Areglet: denied: command: ")

    def test_without_a_pin_the_grant_means_any_arguments(self):
        self.assert_code(0, self.run_command(["x"], exec_=[], capabilities=["exec:/bin/echo"]))

    def test_a_wrong_pattern_is_refused_at_its_place(self):
        config = self.write("c.yaml", "plugins:\n  command:\n    exec:\n    - path: /bin/echo\n      args:\n      - 'x'\n      - a[b\n")
        result = self.reglet("observe", COMMAND_PLUGIN, "command=/bin/echo", "--config", config)
        self.assert_code(2, result)
        self.assertTrue(result.err.startswith(f"reglet observe: {config}:7:10: pinned argument \"a[b\""), result.err)


class Denials(GrantsTest):
    def test_a_refused_connection_names_the_grant_that_would_allow_it(self):
        result = self.reglet("observe", HTTP_PLUGIN, "url=http://a.example:8080/x")
        self.assert_code(1, result)
        self.assertRegex(result.err, r"\Areglet: denied: http: .*http://a\.example:8080/x \(grant it with --grant "
                                     r"network:outbound:a\.example:8080\)\n\Z")

    def test_grants_are_quoted_for_a_shell(self):
        name = "c*d [x];$(y) 'z' \"q\" `w` !1 ~ &|<>#\\"
        path = os.path.join(self.scratch, name)
        os.mkdir(path)
        with open(os.path.join(path, "f"), "wb"):
            pass
        result = self.reglet("observe", FILE_PLUGIN, f"path={path}/f")
        self.assert_code(1, result)
        word = re.search(r"--grant (.*)\)\n", result.err).group(1)
        for shell in ["sh", "bash"]:
            printed = subprocess.run([shell, "-c", f"printf %s {word}"], stdout=subprocess.PIPE, check=True, cwd=self.scratch)
            self.assert_code(0, self.reglet("observe", FILE_PLUGIN, f"path={path}/f", "--grant", printed.stdout))
        self.assertEqual(os.listdir(self.scratch), [name])


class Servers(ServersTest):
    """Certificates and a resolver of the operator's, on servers of this machine."""

    def fetch(self, host, server, *arguments, scheme="https"):
        port = self.ports[server]
        return self.reglet("observe", HTTP_PLUGIN, f"url={scheme}://{host}:{port}/hello", "--grant",
                           f"network:outbound:{host}:{port}", "--grant", "network:outbound:private", *arguments)

    def test_ca_file_is_whom_servers_are_verified_against(self):
        trusted = self.fetch("localhost", "https", "--ca-file", self.paths["ca"])
        self.assert_code(0, trusted)
        for arguments in [[], ["--ca-file", self.paths["other_ca"]]]:
            refused = self.fetch("localhost", "https", *arguments)
            self.assert_code(1, refused)
            self.assertIn("ECERT", refused.out)
        self.environment["SSL_CERT_FILE"] = self.paths["ca"]
        self.assert_code(1, self.fetch("localhost", "https"))

    def test_a_ca_file_that_cannot_be_used_is_a_mistake_of_the_command_line(self):
        for path, expected in [("no-such.pem", "No such file"), (self.write("empty.pem", ""), "no certificates in PEM form"),
                               (self.write("text.pem", "hello\n"), "no certificates in PEM form")]:
            result = self.fetch("localhost", "https", "--ca-file", path)
            self.assert_code(2, result)
            self.assert_one_line(result.err)
            self.assertIn(expected, result.err)

    def test_no_grant_reaches_the_ca_file(self):
        """A plugin that may write there must not choose whom the next call trusts."""
        path = self.write("d/ca.pem", "")
        shutil.copyfile(self.paths["ca"], path)
        grants = ["--grant", f"fs:write:{self.scratch}/d/**", "--grant", f"fs:read:{self.scratch}/d/**"]
        written = self.reglet("run", "--ca-file", "d/ca.pem", *grants, guest("tool"), "write", path, "x")
        self.assert_code(1, written)
        self.assertNotIn("--grant", written.err)
        self.assertGreater(os.path.getsize(path), 1)

    def test_nameserver_is_who_is_asked(self):
        resolver = f"127.0.0.1:{self.ports['dns']}"
        asked = self.fetch("server.example.test", "http", "--nameserver", resolver, scheme="http")
        self.assert_code(0, asked)
        both = self.fetch("server.example.test", "http", "--nameserver", resolver, "--nameserver", "127.0.0.1:1", scheme="http")
        self.assert_code(0, both)

    def test_a_nameserver_that_is_none_is_a_mistake_of_the_command_line(self):
        for value in ["", "localhost:53", "127.0.0.1:x", "127.0.0.1:0", "1.2.3", "::1:53x"]:
            result = self.fetch("localhost", "http", "--nameserver", value)
            self.assert_code(2, result)
            self.assert_one_line(result.err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
