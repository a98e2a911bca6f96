#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A build with gcc -flto inside the mount: many small files, mmap, temporary files, an archive, a run of the result.
. "$(dirname "$0")/lib.sh"
requires gcc make ar
shared_cluster
chmod 777 "$A"
user_home
N=24
[ "$SCALE" = soak ] && N=400
cat >"$WORK/gen.py" <<'P'
import sys
d, n = sys.argv[1], int(sys.argv[2])
for i in range(n):
    with open(f"{d}/u{i}.c", "w") as f:
        f.write("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n")
        for k in range(30):
            f.write(f"static int g{k}(int x) {{ int a[32]; for (int i = 0; i < 32; i++) a[i] = x * i + {k}; qsort(a, 32, 4, (void *)strcmp);"
                    f" return a[{k}]; }}\n" if k % 7 == 6 else f"static int g{k}(int x) {{ return x * {i + k} + {k}; }}\n")
        f.write(f"int f{i}(int x);\nint f{i}(int x) {{ return " + " + ".join(f"g{k}(x)" for k in range(30) if k % 7 != 6) + "; }\n")
with open(f"{d}/main.c", "w") as f:
    f.write("#include <stdio.h>\n" + "".join(f"int f{i}(int);\n" for i in range(n)))
    f.write("int main(void) { long s = 0; " + "".join(f"s += f{i}({i}); " for i in range(n)) + 'printf("%ld\\n", s); return 0; }\n')
with open(f"{d}/Makefile", "w") as f:
    f.write("O := $(patsubst %.c,%.o,$(wildcard u*.c))\nprog: main.o libu.a\n\tgcc -flto=2 -O2 -o $@ $^\n"
            "libu.a: $(O)\n\trm -f $@; gcc-ar rcs $@ $^\n%.o: %.c\n\tgcc -flto -O2 -w -c $< -o $@\n")
P
mkdir "$WORK/l" && $PY "$WORK/gen.py" "$WORK/l" $N
mkdir "$A/b" && cp "$WORK"/l/* "$A/b/" && chown -R 65534:65534 "$A/b"
mkdir "$A/tmp" && chmod 1777 "$A/tmp"
check "make on the mount, temporary files there too" as_user env TMPDIR="$A/tmp" make -s -C "$A/b" -j2 prog
check "make on the local disk" make -s -C "$WORK/l" -j2 prog
is "the program of the mount says the same" "$(as_user "$B/b/prog")" "$("$WORK/l/prog")"
is "nothing is left to do on the other mount" "$(make -s -q -C "$B/b" prog && echo done)" done
touch "$B/b/u3.c"
check "a touched file is noticed on the first mount" sh -c '! make -s -q -C "$0" prog' "$A/b"
is "temporary files are gone" "$(ls -A "$B/tmp")" ""
finish
