# SPDX-License-Identifier: Apache-2.0
# The simulator: the whole cluster in one program, linked with other implementations of the ports.
# Included by tests/tests.mk.

SIM_PORTS := common/loop_ev.c common/net_tcp%.c common/disk_uring%.c
SIM_SRC := $(filter-out $(SIM_PORTS) %/main.c,$(COMMON) $(MGS) $(MDS) $(OSS) $(CORE)) \
	$(filter-out tests/sim/main.c,$(wildcard tests/sim/*.c)) $(wildcard tests/lib/*.c)
# Clocks, randomness and disk space of the system: tests/sim/wrap_sim.c
sim_comma := ,
SIM_WRAP := $(addprefix -Wl$(sim_comma)--wrap=,getrandom clock_gettime gettimeofday time statvfs fstatvfs)
SIM_UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/sim/test_*.c))

$(OBJ)/sim.a: $(call o,$(SIM_SRC)) tests/sim/sim.mk
	@rm -f $@
	$(Q)ar rcs $@ $(filter %.o,$^)

$(B)/tests/sim: $(OBJ)/tests/sim/main.o $(OBJ)/sim.a
	$(call link,$(SIM_WRAP) $(LIBS))

$(B)/unit/sim/%: $(OBJ)/tests/unit/sim/%.o $(OBJ)/sim.a
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(OBJ)/sim.a $(SIM_WRAP) $(LIBS) -lcmocka
