# SPDX-License-Identifier: Apache-2.0
# Sheen. `make help` lists the targets.
#
# Objects live in $(B)/obj, programs in $(B)/bin; other modes get folders of their own:
#   make MODE=asan, MODE=tsan, MODE=debug; make CC=clang B=build/clang

MODE ?= release
V ?= 0
PREFIX ?= /usr/local
DESTDIR ?=
B ?= build$(if $(filter-out release,$(MODE)),/$(MODE))
BIN := $(B)/bin
OBJ := $(B)/obj

ifeq ($(origin CC),default)
CC := gcc
endif
CPPFLAGS := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I.
WARN := -Wall -Wextra -Wshadow -Wundef -Wvla -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Werror
OPT_release := -O2 -g
OPT_debug := -O0 -g
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
# Sanitizers make frames larger, and so are their fiber stacks.
FRAME := $(if $(filter release,$(MODE)),-Wframe-larger-than=6144)
CFLAGS ?= $(OPT_$(MODE))
ALL_CFLAGS := -std=gnu11 $(CPPFLAGS) $(WARN) $(CFLAGS) -pthread
# Tests run on ordinary stacks; and gcc does not know that a failed assertion of cmocka does not return.
of_tests := $(if $(findstring clang,$(CC)),,-Wno-maybe-uninitialized)
ALL_LDFLAGS := $(filter -fsanitize=%,$(CFLAGS)) -pthread $(LDFLAGS)
LIBS := -llmdb -lev -luring -lisal
BLOB_LIBS := -lcurl -lcrypto -lexpat -ljson-c
FUSE_CFLAGS := $(shell pkg-config --cflags fuse3 2>/dev/null)
FUSE_LIBS := $(shell pkg-config --libs fuse3 2>/dev/null || echo -lfuse3)

# ---- packages (Debian 12); scripts/install-deps installs what is missing ----
BUILD_PACKAGES := gcc make pkg-config libc6-dev libfuse3-dev fuse3 libev-dev liblmdb-dev \
	liburing-dev libisal-dev libjson-c-dev libcmocka-dev libcurl4-openssl-dev libssl-dev libexpat1-dev
RUN_PACKAGES := fuse3 util-linux procps
TEST_PACKAGES := $(BUILD_PACKAGES) clang libclang-rt-14-dev python3 git attr acl libacl1-dev rsync fio \
	dbench sqlite3 util-linux procps iproute2 e2fsprogs xfsprogs strace man-db openssl \
	python3-swift curl rclone

# ---- sources ----
COMMON := $(wildcard common/*.c common/*.S common/proto/*.c)
MGS := $(wildcard mgs/*.c mgs/ops/*.c)
MDS := $(wildcard mds/*.c mds/ops/*.c)
OSS := $(wildcard oss/*.c oss/ops/*.c)
CORE := $(wildcard client/core/*.c)
FUSE := $(wildcard client/fuse/*.c)
TOOL := $(wildcard client/tools/tool_*.c)
BLOB := $(wildcard blob/*.c)
MOVER := $(wildcard mover/*.c)

o = $(patsubst %.S,$(OBJ)/%.o,$(patsubst %.c,$(OBJ)/%.o,$(1)))
tool = $(wildcard client/tools/$(1)_*.c) $(TOOL)

PROGRAMS := sheen-mgs sheen-mds sheen-oss sheen sheen-copytool mount.sheen mkfs.sheen lfs lctl sheenctl

ifeq ($(V),1)
say :=
Q :=
else
say = @printf '  %-5s %s\n'
Q := @
endif

.DEFAULT_GOAL := all
.PHONY: all help
all: $(addprefix $(BIN)/,$(PROGRAMS)) ## build every program into build/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort
	@echo "  variables: MODE=release|debug|asan|tsan CC=gcc|clang V=1 PREFIX=/usr/local DESTDIR="

$(OBJ)/%.o: %.c
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(filter tests/%,$<),$(of_tests),$(FRAME)) \
		$(if $(filter client/fuse/%,$<),$(FUSE_CFLAGS)) -MMD -MP -c $< -o $@

$(OBJ)/%.o: %.S
	$(say) AS $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

define link
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^) $(1)
endef

# Everything in common/, so that each program takes what it needs.
$(OBJ)/common.a: $(call o,$(COMMON))
	@rm -f $@
	$(Q)ar rcs $@ $^

# Azure Blob and S3; whoever uses it links common.a behind it, and $(BLOB_LIBS).
$(OBJ)/blob.a: $(call o,$(BLOB))
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BIN)/sheen-mgs: $(call o,$(MGS)) $(OBJ)/common.a
	$(call link,$(LIBS))
$(BIN)/sheen-mds: $(call o,$(MDS)) $(OBJ)/common.a
	$(call link,$(LIBS))
$(BIN)/sheen-oss: $(call o,$(OSS)) $(OBJ)/common.a
	$(call link,$(LIBS))
$(BIN)/sheen: $(call o,$(FUSE) $(CORE)) $(OBJ)/common.a
	$(call link,$(FUSE_LIBS) $(LIBS))
$(BIN)/sheen-copytool: $(call o,$(MOVER) $(CORE)) $(OBJ)/blob.a $(OBJ)/common.a
	$(call link,$(BLOB_LIBS) $(LIBS))
$(BIN)/mount.sheen: $(call o,$(call tool,mount)) $(OBJ)/common.a
	$(call link,$(LIBS) -ljson-c)
$(BIN)/mkfs.sheen: $(call o,$(call tool,mkfs)) $(OBJ)/common.a
	$(call link,$(LIBS) -ljson-c)
$(BIN)/lfs: $(call o,$(call tool,lfs)) $(OBJ)/common.a
	$(call link,$(LIBS) -ljson-c)
$(BIN)/lctl: $(call o,$(call tool,lctl)) $(OBJ)/common.a
	$(call link,$(LIBS) -ljson-c)
$(BIN)/sheenctl: $(call o,$(call tool,sheenctl)) $(OBJ)/common.a
	$(call link,$(LIBS) -ljson-c)

.SECONDARY:

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)

include tests/tests.mk

# ---- install ----
MAN1 := $(wildcard docs/man/*.1)
MAN8 := $(wildcard docs/man/*.8)

.PHONY: install uninstall clean deps
install: all ## install into $(DESTDIR)$(PREFIX); mount helpers into $(DESTDIR)/sbin, the cluster agent where Pacemaker looks
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)/sbin \
		$(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(BIN)/sheen $(BIN)/lfs $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BIN)/sheen-mgs $(BIN)/sheen-mds $(BIN)/sheen-oss $(BIN)/sheen-copytool $(BIN)/mkfs.sheen \
		$(BIN)/lctl \
		$(BIN)/sheenctl $(BIN)/mount.sheen $(DESTDIR)$(PREFIX)/sbin
	$(if $(filter /sbin /usr/sbin,$(DESTDIR)$(PREFIX)/sbin),,ln -sf $(PREFIX)/sbin/mount.sheen $(DESTDIR)/sbin/mount.sheen)
	[ -e $(DESTDIR)/sbin/mount.lustre ] || ln -s mount.sheen $(DESTDIR)/sbin/mount.lustre
	install -D -m 755 contrib/ocf/target $(DESTDIR)/usr/lib/ocf/resource.d/sheen/target
	$(if $(MAN1),install -m 644 $(MAN1) $(DESTDIR)$(PREFIX)/share/man/man1)
	$(if $(MAN8),install -m 644 $(MAN8) $(DESTDIR)$(PREFIX)/share/man/man8)

uninstall: ## remove what install put there
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,sheen lfs)
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/sbin/,sheen-mgs sheen-mds sheen-oss sheen-copytool mkfs.sheen lctl sheenctl mount.sheen)
	[ "$$(readlink $(DESTDIR)/sbin/mount.lustre)" != mount.sheen ] || rm $(DESTDIR)/sbin/mount.lustre
	rm -f $(DESTDIR)/sbin/mount.sheen $(DESTDIR)/usr/lib/ocf/resource.d/sheen/target
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/share/man/man1/,$(notdir $(MAN1)))
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/share/man/man8/,$(notdir $(MAN8)))

clean: ## remove build/
	rm -rf build

deps: ## install the Debian packages that building needs
	scripts/install-deps $(BUILD_PACKAGES) $(RUN_PACKAGES)
