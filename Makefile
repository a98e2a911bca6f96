# Sheen: make help
MODE ?= release
CC_NAME ?= gcc
V ?= 0
PREFIX ?= /usr/local
DESTDIR ?=

B := build$(if $(filter-out release,$(MODE)),/$(MODE))
BIN := $(B)/bin
OBJ := $(B)/obj

CC := $(CC_NAME)
CSTD := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I.
WARN := -Wall -Wextra -Wshadow -Wundef -Wvla -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wframe-larger-than=6144 -Werror
OPT_release := -O2 -g
OPT_debug := -O0 -g
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS ?= $(OPT_$(MODE))
LDFLAGS ?= $(filter -fsanitize=%,$(OPT_$(MODE)))
LIBS := -llmdb -lev -luring -lisal -lpthread
FUSE_CFLAGS := $(shell pkg-config --cflags fuse3 2>/dev/null)
FUSE_LIBS := $(shell pkg-config --libs fuse3 2>/dev/null || echo -lfuse3)

COMMON := $(wildcard common/*.c common/proto/*.c)
MGS := $(wildcard mgs/*.c)
MDS := $(wildcard mds/*.c mds/ops/*.c)
OSS := $(wildcard oss/*.c oss/ops/*.c)
CORE := $(wildcard client/core/*.c)
FUSE := $(wildcard client/fuse/*.c)
TOOLS := $(wildcard client/tools/*.c)

obj = $(patsubst %.c,$(OBJ)/%.o,$(1))

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-6s %s\n' $(1) $(2))

PROGRAMS := sheen-mgs sheen-mds sheen-oss sheen mount.sheen mkfs.sheen lfs lctl sheenctl

all: $(addprefix $(BIN)/,$(PROGRAMS)) ## build every program into build/bin (default)

$(OBJ)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CSTD) $(WARN) $(CFLAGS) $(if $(filter client/fuse/%,$<),$(FUSE_CFLAGS)) -MMD -MP -c $< -o $@

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
