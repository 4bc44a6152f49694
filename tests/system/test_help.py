#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What mtlog says about itself: help, topics, completions of three shells (each
verb and option is in each of them), and the nearest match for what is wrong."""

import os
import re
import shutil
import subprocess
import tempfile

import mtlog_test as t

MTLOG = os.environ.get("MTLOG", os.path.join(t.BUILD, "mtlog"))
SOURCE = os.environ.get("SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))


def run(*words):
    return subprocess.run([MTLOG, *words], capture_output=True, text=True, timeout=60)


def verbs():
    return re.findall(r"^  mtlog ([a-z][a-z-]*) +[A-Z]", run("--help").stdout, re.M)


def options(verb):
    """Name and whether it takes an argument, as the verb's help has them."""
    found = re.findall(r"^  (--?[a-z0-9.-]+)(?: ([A-Z0-9|:]+)(?:\.\.\.)?)? ", run(verb, "--help").stdout, re.M)
    return {name: bool(argument) for name, argument in found}


def bash_completes(script, *words):
    """What bash offers for the last word."""
    line = " ".join(f"'{w}'" for w in words)
    program = f"source '{script}'; COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n" \
        "_mtlog; printf '%s\\n' \"${COMPREPLY[@]}\""
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=60, cwd=SOURCE)
    return done.stdout.split()


def parses(script, shell, *how):
    """A shell that is not there is told, and not asked."""
    if not shutil.which(shell):
        print(f"SKIP {shell} is not installed: its completions are not parsed", flush=True)
        return
    done = subprocess.run([shell, *how, script], capture_output=True, text=True, timeout=60)
    t.check(done.returncode == 0 and not done.stderr, f"{shell} parses its completions: {done.stderr}")


def help_of_all():
    general = run("help")
    t.check(general.returncode == 0 and general.stdout == run("--help").stdout, "help alone is --help")
    t.check(run().returncode == 2 and not run().stdout, "no verb at all")
    for verb in verbs():
        said = run("help", verb)
        t.check(said.returncode == 0 and said.stdout, f"help {verb}")
        if verb != "policy":  # the topic has that name
            t.check(said.stdout == run(verb, "--help").stdout, f"help {verb} is its --help")
        t.check(f"See mtlog-{verb}(1)" in run(verb, "--help").stdout, f"{verb} names its page")
    for topic in ("policy", "formats"):
        t.check(run("help", topic).returncode == 0, f"help {topic}")


def exit_codes():
    """Each reason and code of the one table, as its source has it."""
    with open(os.path.join(SOURCE, "core/verify/verdict_code.c"), encoding="utf-8") as f:
        source = f.read()
    said = run("help", "exit-codes").stdout
    reasons = set(re.findall(r'\{"([a-z-]+)", VERDICT_', source))
    t.check(len(reasons) > 50, f"the table of reasons is found: {len(reasons)}")
    words = set(re.findall(r"[a-z][a-z-]*", said))
    for reason in sorted(reasons):
        t.check(reason in words, f"help exit-codes lists {reason}")
    for code, name in ((0, "accepted"), (1, "internal"), (2, "usage"), (10, "content-mismatch"), (17, "not-current"),
                       (30, "network"), (45, "locked")):
        t.check(re.search(rf"^ ?{code} {name}$", said, re.M), f"help exit-codes has {code} {name}")
    t.check("unknown" not in said.split(), "no code without a name")


def completions(folder):
    scripts = {}
    for shell in ("bash", "zsh", "fish"):
        said = run("completion", shell)
        t.check(said.returncode == 0, f"completion {shell}")
        scripts[shell] = os.path.join(folder, shell)
        with open(scripts[shell], "w", encoding="utf-8") as f:
            f.write(said.stdout)
    parses(scripts["bash"], "bash", "-n")
    parses(scripts["zsh"], "zsh", "-n")
    parses(scripts["fish"], "fish", "--no-execute")
    bash, zsh, fish = (open(scripts[s], encoding="utf-8").read() for s in ("bash", "zsh", "fish"))
    t.check(len(verbs()) >= 10, "the verbs are found")
    for verb in verbs():
        t.check(verb in bash_completes(scripts["bash"], "mtlog", verb[:2]), f"bash offers {verb}")
        t.check(f'"{verb}:' in zsh, f"zsh offers {verb}")
        t.check(f"-n __mtlog_first -a {verb} " in fish, f"fish offers {verb}")
        offered = set(bash_completes(scripts["bash"], "mtlog", verb, "-"))
        t.check(offered == set(options(verb)) | {"--help"}, f"bash offers the options of {verb} and no others")
        part = re.search(rf"^\t{verb}\)\n(.*?)^\t\t;;", zsh, re.M | re.S)
        for name, argument in options(verb).items():
            sign = ("=" if name[1] == "-" else "+") if argument else ""
            t.check(part and f"{name}{sign}[" in part[1], f"zsh offers {verb} {name}")
            word = f"-l {name[2:]}" if name[1] == "-" else f"-s {name[1:]}"
            line = re.search(rf"^complete -c mtlog -n '__mtlog_verb {verb}' {re.escape(word)} (.*)", fish, re.M)
            t.check(line and bool(re.match(r"-[xr]", line[1])) == argument, f"fish offers {verb} {name}")
    return scripts["bash"]


def bash_knows_places(script):
    """Files, folders, words and nothing, where each belongs."""
    for words, expected in (
            (("key", ""), ["new", "show", "convert"]),
            (("key", "n"), ["new"]),
            (("key", "show", "READ"), ["README.md"]),
            (("help", "exit"), ["exit-codes"]),
            (("help", "sub"), ["submit"]),
            (("completion", ""), ["bash", "zsh", "fish"]),
            (("completion", "bash", "READ"), []),
            (("verify", "READ"), ["README.md"]),
            (("verify", "--policy", "READ"), ["README.md"]),
            (("verify", "--policy", "=", "READ"), ["README.md"]),
            (("verify", "--state", "serv"), ["server"]),
            (("verify", "--state", "READ"), []),
            (("verify", "--name", "READ"), []),
            (("nonsense", "READ"), []),
    ):
        found = bash_completes(script, "mtlog", *words)
        t.check(found == expected, f"bash completes {words}: {found}")


def nearest():
    for words, meant in (
            (("verfy",), '"verify"'),
            (("sing",), '"sign"'),
            (("revoke_key",), '"revoke-key"'),
            (("help", "exit-code"), "exit-codes"),
            (("help", "polcy"), "policy"),
            (("help", "verifi"), "verify"),
            (("completion", "bahs"), "bash"),
            (("key", "shwo"), "show"),
            (("verify", "--polciy", "x", "m"), "--policy"),
            (("verify", "--polciy=/a/very/long/path/of/a/file", "m"), "--policy"),
            (("sign", "--hepl"), "--help"),
    ):
        said = run(*words)
        t.check(said.returncode == 2 and f"did you mean {meant}" in said.stderr, f"{words}: {said.stderr}")
        t.check(not said.stdout, f"{words} prints nothing on standard output")
    for words in (("banana",), ("help", "banana"), ("verify", "--banana"), ("completion",), ("completion", "bash", "x"),
                  ("help", "policy", "x"), ("key", "")):
        said = run(*words)
        t.check(said.returncode == 2 and "did you mean" not in said.stderr, f"{words} is like nothing: {said.stderr}")


def full_disk():
    """A script that could not be written whole must not look well."""
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w", encoding="utf-8") as f:
            done = subprocess.run([MTLOG, "completion", "bash"], stdout=f, stderr=subprocess.PIPE, timeout=60)
        t.check(done.returncode == 40, f"completion on a full disk: {done.returncode}")


help_of_all()
exit_codes()
with tempfile.TemporaryDirectory() as place:
    bash_knows_places(completions(place))
nearest()
full_disk()
t.finish()
