# Tests: included by the top Makefile.

# Daemons' main.c stay out: each test is its own program.
LIB_SRC := $(filter-out %/main.c,$(COMMON) $(MGS) $(MDS) $(OSS) $(CORE) $(FUSE)) \
	$(filter-out %_main.c,$(wildcard client/tools/*.c))
$(OBJ)/lib.a: $(call o,$(LIB_SRC))
	@rm -f $@
	$(Q)ar rcs $@ $^

UNIT := $(shell find tests/unit -name 'test_*.c' 2>/dev/null | grep -v '^tests/unit/sim/')
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT))

$(B)/unit/%: $(OBJ)/tests/unit/%.o $(OBJ)/lib.a
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(OBJ)/lib.a $(FUSE_LIBS) $(LIBS) -ljson-c -lcmocka

.PHONY: unit
unit: $(UNIT_BIN) ## unit tests (MODE=asan or tsan for sanitizer runs)
	@tests/unit/run $(UNIT_BIN)
