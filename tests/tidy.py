#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tidy.py - the rules of style that a script can check; prints file:line: what, and fails if there is any.

Limits on lines, functions, files and headers; banned calls; who may include whom; words that mean "not done"; the
licence line and a design paragraph; a unit test for every module of the pure parts. It reads text, it is no compiler:
what it cannot see (names, comments worth reading) is for people.
"""

import os
import re
import sys

LINE_MAX = 100
SCRIPT_LINE_MAX = 160
FUNCTION_MAX = 70
FILE_MAX = 800
HEADER_MAX = 300

# Tests whose one scenario reads better in one piece.
LONG_FUNCTIONS = {
}

# Data rather than prose: PROTOCOL lists are one row per line.
LONG_LINES = {
    "common/proto/mds_proto.h",
    "common/proto/mgs_proto.h",
    "common/proto/oss_proto.h",
    "common/proto/common_proto.h",
}

BANNED = {
    "strcpy": "use snprintf or memcpy with a known length",
    "strcat": "use snprintf",
    "sprintf": "use snprintf",
    "vsprintf": "use vsnprintf",
    "gets": "use fgets",
    "atoi": "use strtol and check it",
    "atol": "use strtol and check it",
    "atoll": "use strtoll and check it",
    "alloca": "the stack of a fiber is small",
    "usleep": "wait for an event, not for time",
}

# Fixed names in arrays of a test may be copied; a test of time stamps must let time pass.
TESTS_MAY = {"strcpy", "strcat", "sprintf"}
MOUNT_TESTS_MAY = {"usleep"}

# Who may include what, first match counts. Headers of the system are checked by WRAPPED.
DEPENDS = [
    ("common/", ["common/"]),
    ("blob/", ["common/", "blob/"]),
    ("mgs/", ["common/", "mgs/"]),
    ("mds/", ["common/", "mds/"]),
    ("oss/", ["common/", "oss/"]),
    ("client/core/", ["common/", "client/core/"]),
    ("client/fuse/", ["common/", "client/core/", "client/fuse/"]),
    ("client/tools/", ["common/", "client/tools/", "client/core/"]),
    ("client/", ["common/", "client/"]),
    ("mover/", ["common/", "blob/", "client/core/", "mover/"]),
    ("tests/", ["common/", "blob/", "mover/", "mgs/", "mds/", "oss/", "client/", "tests/"]),
]

# Libraries that one file hides from all others (benches and tests of the library itself aside).
WRAPPED = [
    (r"ev\.h", ["common/loop_ev.c"]),
    (r"liburing\.h", ["common/disk_uring.c", "client/fuse/uring.c", "tests/crash/fault_shim.c"]),
    (r"lmdb\.h", ["common/store_int.h"]),
    (r"isa-l.*", ["common/crc.c"]),
    (r"fuse.*\.h", ["client/fuse/", "tests/crash/disk_recorder.c"]),
    (r"curl/.*", ["blob/http_curl.c"]),
    (r"openssl/.*", ["blob/hash.c"]),
    (r"expat\.h", ["blob/xml.c"]),
]
WRAPPED_FREE = ("tests/bench/",)

# Every module with a header of its own is tested: by tests/unit/<same path>/test_<name>.c, or by a unit test or the simulator
# that includes its header. These are reached through something else.
TESTED_DIRS = ["common", "common/proto", "blob", "mgs", "mds", "oss", "client/core", "client/tools"]
TESTED_ELSEWHERE = {
}

errors = []


def error(path, line, text):
    errors.append(f"{path}:{line}: {text}")


def sources():
    for top in ("common", "blob", "mover", "mgs", "mds", "oss", "client", "tests", "scripts"):
        for folder, dirs, files in os.walk(top):
            dirs[:] = sorted(d for d in dirs if d not in ("corpus", "__pycache__"))
            for name in sorted(files):
                yield os.path.join(folder, name)


def strip_code(text):
    """Blanks comments and the insides of strings, keeps lines."""
    def blank(m):
        s = m.group(0)
        if s.startswith("/"):
            return re.sub(r"[^\n]", " ", s)
        return s[0] + re.sub(r"[^\n]", " ", s[1:-1]) + s[-1]
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def check_lines(path, lines):
    limit = LINE_MAX if path.endswith((".c", ".h", ".S")) else SCRIPT_LINE_MAX
    for nr, line in enumerate(lines, 1):
        columns = len(line.expandtabs(8))
        if columns > limit and path not in LONG_LINES:
            error(path, nr, f"line of {columns} columns (at most {limit})")
        if line != line.rstrip():
            error(path, nr, "blanks at the end of the line")
        m = re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line)
        if m and path != "tests/tidy.py":
            error(path, nr, f"{m.group(1)}: do it or write an issue")


def check_head(path, text, lines):
    head = "\n".join(lines[:3])
    if "SPDX-License-Identifier: Apache-2.0" not in head:
        error(path, 1, "no SPDX-License-Identifier: Apache-2.0 line at the top")
        return
    if not path.endswith((".c", ".h")):
        return
    if path.startswith("tests/unit/"):
        return  # the names of the tests say what it is
    m = re.match(r"/\* SPDX[^\n]*\n/\* (?:(\S+) - )?", text)
    if not m:
        error(path, 2, "the second line does not begin the design paragraph")
    elif m.group(1) and m.group(1) != os.path.basename(path):
        error(path, 2, f"the design paragraph is about {m.group(1)}")


def check_size(path, lines):
    # A test's header is its fixture, code and all; elsewhere a header is an interface.
    header = path.endswith(".h") and not path.startswith("tests/unit/")
    limit = HEADER_MAX if header else FILE_MAX
    if len(lines) > limit:
        error(path, limit, f"file of {len(lines)} lines (at most {limit})")


def check_functions(path, code_lines):
    """A function ends with a brace in the first column; it begins with the one before that."""
    start = None
    for nr, line in enumerate(code_lines, 1):
        if line.startswith("{"):
            start = nr
        elif line.startswith("}") and start:
            if line.rstrip() == "}" and nr - start - 1 > FUNCTION_MAX:
                name = function_name(code_lines, start)
                if f"{path}:{name}" not in LONG_FUNCTIONS:
                    error(path, start, f"{name}() has {nr - start - 1} lines (at most {FUNCTION_MAX})")
            start = None


def function_name(code_lines, brace):
    text = " ".join(code_lines[max(0, brace - 8):brace - 1])
    names = re.findall(r"(\w+)\s*\([^;{}]*\)\s*$", text)
    return names[-1] if names else "function"


def check_calls(path, code_lines):
    names = set(BANNED)
    if path.startswith("tests/"):
        names -= TESTS_MAY
    if path.startswith("tests/mount/"):
        names -= MOUNT_TESTS_MAY
    banned = re.compile(r"(?<![\w.>])(" + "|".join(sorted(names)) + r")\s*\(")
    for nr, line in enumerate(code_lines, 1):
        m = banned.search(line)
        if m:
            error(path, nr, f"{m.group(1)}(): {BANNED[m.group(1)]}")
        if "pragma once" not in line and re.match(r"\s*#\s*define\s+\w+\(.*\b(return|goto)\b", line) \
                and not re.search(r"\{\s*\\?$", line):
            error(path, nr, "a macro that returns or jumps hides it")


def check_includes(path, lines):
    for nr, line in enumerate(lines, 1):
        m = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not m:
            continue
        system, name = m.group(1) == "<", m.group(2)
        if system:
            if path.startswith(WRAPPED_FREE):
                continue
            for pattern, allowed in WRAPPED:
                if re.fullmatch(pattern, name) and not path.startswith(tuple(allowed)):
                    error(path, nr, f"<{name}> belongs to {', '.join(allowed)}")
            continue
        if path.startswith("tests/mount/") and "/" not in name:
            continue  # small programs, compiled in their folder
        if not os.path.exists(name):
            error(path, nr, f'"{name}" is no path from the top of the tree')
        for prefix, allowed in DEPENDS:
            if path.startswith(prefix):
                if not name.startswith(tuple(allowed)):
                    error(path, nr, f"{prefix} may not include {name}")
                break


def check_tested(included_by_tests):
    for folder in TESTED_DIRS:
        names = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        for name in sorted(names):
            path = f"{folder}/{name}"
            header = name[:-2] + ".h"
            if not name.endswith(".c") or header not in names or path in TESTED_ELSEWHERE:
                continue
            if os.path.exists(f"tests/unit/{folder}/test_{name}"):
                continue
            if not included_by_tests & {f"{folder}/{header}", path}:
                error(path, 1, f"no tests/unit/{folder}/test_{name}, and no test includes {header}")


def check_c(path, text, lines):
    code_lines = strip_code(text).split("\n")
    check_size(path, lines)
    check_functions(path, code_lines)
    check_calls(path, code_lines)
    check_includes(path, lines)
    if path.endswith(".h") and "#pragma once" not in text:
        error(path, 1, "no #pragma once")


def is_text_source(path):
    name = os.path.basename(path)
    if name.endswith((".c", ".h", ".py", ".sh", ".mk", ".S")):
        return True
    if "." in name:
        return False
    with open(path, "rb") as f:
        return f.read(2) == b"#!"


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    n = 0
    included_by_tests = set()
    for path in sources():
        if not is_text_source(path):
            continue
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read()
        lines = text.rstrip("\n").split("\n")
        n += 1
        if path.startswith(("tests/unit/", "tests/sim/")):
            included_by_tests.update(re.findall(r'#include "([^"]+)"', text))
        check_lines(path, lines)
        check_head(path, text, lines)
        if path.endswith((".c", ".h")):
            check_c(path, text, lines)
    check_tested(included_by_tests)
    for e in errors:
        print(e)
    print(f"tidy: {n} files, {len(errors)} complaints: " +
          ("0 passed, 1 failed" if errors else "1 passed, 0 failed"))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
