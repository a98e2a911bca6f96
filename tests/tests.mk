# SPDX-License-Identifier: Apache-2.0
# Tests: included by the top Makefile.

comma := ,
# Daemons' main.c stay out: each test is its own program.
LIB_SRC := $(filter-out %/main.c,$(COMMON) $(BLOB) $(MOVER) $(MGS) $(MDS) $(OSS) $(CORE) $(FUSE)) \
	$(filter-out %_main.c,$(wildcard client/tools/*.c)) tests/lib/tmpdir.c
$(OBJ)/lib.a: $(call o,$(LIB_SRC))
	@rm -f $@
	$(Q)ar rcs $@ $^

UNIT := $(shell find tests/unit -name 'test_*.c' 2>/dev/null | grep -v '^tests/unit/sim/')
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT))

$(B)/unit/%: $(OBJ)/tests/unit/%.o $(OBJ)/lib.a
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(OBJ)/lib.a $(FUSE_LIBS) $(LIBS) $(BLOB_LIBS) -lcmocka

.PHONY: unit
unit: $(UNIT_BIN) ## unit tests (MODE=asan or tsan for sanitizer runs)
	@tests/unit/run $(UNIT_BIN)

# ---- a client that must be caught: see tests/mount/broken/broken.c ----
$(OBJ)/tests/mount/broken/broken.o: private ALL_CFLAGS += $(FUSE_CFLAGS)
$(B)/tests/sheen-broken: $(OBJ)/tests/mount/broken/broken.o $(call o,$(FUSE) $(CORE)) $(OBJ)/common.a
	$(call link,-Wl$(comma)--wrap=notifier_co_invalidate $(FUSE_LIBS) $(LIBS))

# ---- blob/ against real servers ----
# npm: Debian's, unless another brought its own (then Debian's package would replace that).
NPM_PACKAGES := $(if $(shell command -v npm 2>/dev/null),,nodejs npm)
AZURITE := azurite@3.35.0
S3RVER := s3rver@3.7.1
$(B)/tests/blob: $(call o,$(wildcard tests/blob/*.c)) $(OBJ)/blob.a $(OBJ)/common.a
	$(call link,$(LIBS) $(BLOB_LIBS))
build/npm/ok.$(AZURITE).$(S3RVER):
	$(say) NPM "$(AZURITE) $(S3RVER)"
	@rm -rf build/npm && mkdir -p build/npm
	$(Q)npm install --prefix build/npm --no-save --no-audit --no-fund --ignore-scripts --loglevel=error $(AZURITE) $(S3RVER)
	@touch $@
.PHONY: blob-servers blob-test
blob-servers: build/npm/ok.$(AZURITE).$(S3RVER)
blob-test: $(B)/tests/blob blob-servers ## blob/ against azurite, Swift and s3rver, with faults between
	@BLOB_BUILD=$(B) tests/blob/run

# ---- breaks tables for tests/mount/lfsck.sh ----
$(B)/tests/mdt_damage: $(OBJ)/tests/mount/lfsck/mdt_damage.o $(OBJ)/lib.a
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(OBJ)/lib.a $(LIBS)

# ---- what servers are run with in tests/mount/faults.sh ----
build/tests/fault_shim.so: tests/crash/fault_shim.c
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -fPIC -std=gnu11 -D_GNU_SOURCE -O1 -g $(WARN) -o $@ $<

# ---- disks that lose their power, for tests/mount/power_all.sh ----
build/tests/disk_recorder: tests/crash/disk_recorder.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(CPPFLAGS) -O1 -g $(WARN) $(FUSE_CFLAGS) -o $@ $< $(FUSE_LIBS)

# ---- generated documents ----
$(B)/gen/%: $(OBJ)/tests/gen/%.o $(OBJ)/lib.a
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(OBJ)/lib.a $(LIBS)

.PHONY: protocol schema drift
protocol: $(B)/gen/gen_protocol ## write PROTOCOL.md from the RPC lists
	$< > PROTOCOL.md
schema: $(B)/gen/gen_schema ## write SCHEMA.md from the table list
	$< > SCHEMA.md
drift: $(B)/gen/gen_protocol $(B)/gen/gen_schema ## fail if PROTOCOL.md or SCHEMA.md are not what the lists say
	@$(B)/gen/gen_protocol | diff -u PROTOCOL.md - && $(B)/gen/gen_schema | diff -u SCHEMA.md - && \
		echo "2 passed, 0 failed"

# ---- simulator ----
-include tests/sim/sim.mk

# ---- everything ----
.PHONY: soak-crash soak-power soak-ost-power fault-sweep
.PHONY: check check-deps sim sim-check sim-check-short tidy mount-test fuzz soak
.PHONY: soak-coherence bench bench-scale bench-recovery bench-archive bench-import demo demo-stop
check-deps:
	@scripts/install-deps $(TEST_PACKAGES) $(NPM_PACKAGES) $(RUN_PACKAGES)
check: check-deps ## install what the tests need and run them all (under 20 minutes on 2 cores)
	@tests/check
sim: $(B)/tests/sim ## one run of the whole cluster on virtual time: make sim SEED=n [N=count] [SIM_MODE=mixed]
	@$< -n $(or $(N),1) -m $(or $(SIM_MODE),mixed) $(or $(SEED),1)
sim-check: $(B)/tests/sim $(SIM_UNIT)
	@SIM_BUILD=$(B) tests/sim/check 200
sim-check-short: $(B)/tests/sim $(SIM_UNIT)
	@SIM_BUILD=$(B) tests/sim/check 20
tidy: ## style rules that a script can check
	@python3 tests/tidy.py
mount-test: all ## tests on a real mount (root)
	@tests/mount/run
fuzz: ## fuzz every parser, FUZZ_SECONDS each (default 60)
	@tests/fuzz/run $(or $(FUZZ_SECONDS),60)
soak: all check-deps ## the long versions of the mount tests
	@tests/soak/run
soak-coherence: all check-deps ## an hour of histories from several mounts, checked; clients that must fail; real work
	@tests/soak/run coherence broken two_mounts_fsx mmap_pingpong realwork_dbench
	@tests/mount/run $(sort $(basename $(notdir $(wildcard tests/mount/realwork_*.sh))))
soak-crash: all check-deps ## kills, stops and restarts everything at random under load: make soak-crash [SECONDS=3600] [SEED=n]
	@CRASH_SECONDS=$(or $(SECONDS),3600) CRASH_SEED=$(SEED) TEST_TIMEOUT=$$(($(or $(SECONDS),3600) + 900)) tests/soak/run crash
soak-power: all check-deps ## the whole cluster loses its power at random moments: make soak-power [SECONDS=60] [SEED=n]
	@POWER_SECONDS=$(or $(SECONDS),60) POWER_SEED=$(SEED) tests/soak/run power_all
soak-ost-power: all check-deps ## an OSS's machine loses its power under load, clients live: make soak-ost-power [ROUNDS=50] [SEED=n]
	@POWER_ROUNDS=$(or $(ROUNDS),50) POWER_SEED=$(SEED) tests/soak/run ost_loss
fault-sweep: all check-deps ## every call of a server that can fail fails once, at each place that makes it
	@FAULT_FULL=1 tests/soak/run faults
$(B)/bench/%: $(OBJ)/tests/bench/%.o $(OBJ)/lib.a
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(OBJ)/lib.a $(FUSE_LIBS) $(LIBS)
bench: all check-deps $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/micro_*.c)) ## what the parts cost, and lanes
	@tests/bench/run
bench-scale: all check-deps $(B)/bench/fill_mdt ## how cost and memory grow, some 15 minutes: make bench-scale [PARTS="osts mounts dirs requests memory"]
	@tests/bench/scale $(PARTS)
bench-recovery: all check-deps $(B)/bench/recovery_clients ## how long a restarted MDS with 10 to 10,000 clients is away
	@tests/bench/recovery
bench-archive: all check-deps ## how fast released files come back, beside curl and rclone
	@tests/bench/archive
bench-import: all check-deps ## how fast a container becomes names, and the memory that takes
	@tests/bench/import
demo: ## install, build, start a cluster on loopback, mount it and do a real job
	@BUILD_PACKAGES="$(BUILD_PACKAGES) $(RUN_PACKAGES)" scripts/demo
demo-stop: ## unmount and stop what make demo started
	@scripts/demo stop
