# rds-csi. `make help` lists the targets; MODE and CC select build/$(MODE)-$(CC).
MODE   ?= debug
CC     := $(if $(filter default,$(origin CC)),gcc,$(CC))
CCNAME := $(notdir $(lastword $(CC)))
BUILD  ?= build/$(MODE)-$(CCNAME)
PREFIX ?= /usr/local
V      ?= 0
Q      := $(if $(filter 1,$(V)),,@)

RELEASE := $(shell tools/version)
VERSION := $(word 1,$(RELEASE))
COMMIT  := $(word 2,$(RELEASE))

WARN  := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wundef -Wvla -Wformat=2 \
	 -Wstrict-prototypes -Wold-style-definition -Wmissing-prototypes -Wpointer-arith \
	 -Wcast-qual -Wcast-align -Wwrite-strings -Wimplicit-fallthrough -Wdate-time \
	 -Wdouble-promotion -Walloca -Wredundant-decls -Wnested-externs
GCCW  := -Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wjump-misses-init \
	 -Wtrampolines -Wstack-usage=16384 -Wimplicit-fallthrough=5 -Wcast-align=strict
HARD  := -fstack-protector-strong -fstack-clash-protection -fno-common -fPIE
HARDL := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed
ifneq ($(filter x86_64-% i686-%,$(shell $(CC) -dumpmachine)),)
HARD  += -fcf-protection=full
endif
IS_CLANG := $(shell $(CC) --version 2>/dev/null | grep -c clang)
ifeq ($(IS_CLANG),0)
WARN  += $(GCCW)
HARD  += -ftrivial-auto-var-init=zero
endif
ifneq ($(WERROR),0)
WARN  += -Werror
endif

MODE_debug   := -O1 -g3 -fno-omit-frame-pointer
MODE_release := -O2 -g -D_FORTIFY_SOURCE=3
MODE_asan    := -O1 -g3 -fno-omit-frame-pointer -fsanitize=address,undefined \
		-fno-sanitize-recover=all
MODE_cov     := -O0 -g3 --coverage
MODEFLAGS    := $(MODE_$(MODE))
SANLD        := $(filter -fsanitize% --coverage,$(MODEFLAGS))

PKGS     := libuv libnghttp2 libprotobuf-c libssh2 libssl libcrypto jansson blkid libnvme uuid
CPPFLAGS += -Isrc -I$(GEN) -D_GNU_SOURCE
CFLAGS   += -std=c11 -pthread $(MODEFLAGS) $(HARD)
LDFLAGS  += $(HARDL) $(SANLD)
LDLIBS   += $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm
TESTWARN := $(filter-out -Wconversion -Wsign-conversion -Wstack-usage=16384 -Wnested-externs,$(WARN))
# A test's path that does not fit its buffer fails the test anyway (gcc tells at -O2 only).
TESTWARN += $(if $(filter 0,$(IS_CLANG)),-Wno-format-truncation)

# ---- sources --------------------------------------------------------------------------------
GEN    := build/gen
PROTO  := csi registration
GENH   := $(PROTO:%=$(GEN)/%.pb-c.h)
GENO   := $(PROTO:%=$(BUILD)/gen/%.pb-c.o)
SRC    := $(sort $(filter-out src/main.c,$(wildcard src/*.c src/*/*.c src/*/*/*.c)))
OBJ    := $(SRC:%.c=$(BUILD)/%.o) $(GENO)
LIB    := $(BUILD)/librds-csi.a
BIN    := $(BUILD)/rds-csi
include third_party/llhttp.mk

SIMSRC := $(sort $(filter-out test/sim/main.c,$(wildcard test/sim/*.c)))
SIMOBJ := $(SIMSRC:%.c=$(BUILD)/%.o)
SIMLIB := $(BUILD)/librds-sim.a
SIM    := $(BUILD)/rds-sim

SUPSRC := $(sort $(wildcard test/support/*.c test/fakes/*.c))
SUPOBJ := $(SUPSRC:%.c=$(BUILD)/%.o)
SUPLIB := $(BUILD)/libtest.a
TSRC   := $(sort $(wildcard test/unit/test_*.c test/flow/test_*.c))
TBIN   := $(TSRC:%.c=$(BUILD)/%)
SIMTSRC := $(sort $(wildcard test/sim/tests/test_*.c))
SIMTBIN := $(SIMTSRC:%.c=$(BUILD)/%)
# Programs of the tests that are not Criterion binaries: test/prog/x.c -> $(BUILD)/test/prog/x
PROGSRC := $(sort $(wildcard test/prog/*.c))
PROGBIN := $(PROGSRC:%.c=$(BUILD)/%)

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
ARCHS  ?=

.PHONY: all deps image dist check-style format format-check clean help install programs tests

all: $(BIN)                     ## build rds-csi
programs: $(BIN) $(SIM) $(PROGBIN)
tests: programs $(TBIN) $(SIMTBIN)

include $(sort $(wildcard test/*.mk))

deps:                           ## install what the build and the tests need (asks apt-get)
	@tools/deps

install: $(BIN)                 ## install under $(DESTDIR)$(PREFIX)
	install -D -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/bin/rds-csi

image:                          ## the images as OCI archives in build/image, for ARCHS (amd64, arm64; default: this machine's)
	@tools/deps image
	@tools/image/build $(ARCHS)

DIST   ?= source chart images
dist:                           ## a release in build/dist: source, chart, images that are made, SHA256SUMS; DIST="source chart" leaves some out
	@tools/dist $(DIST)

check-style:                    ## the include table, the size limits, banned calls
	@tools/check-style

format:                         ## rewrite the sources by .clang-format
	@clang-format -i $$(git ls-files '*.c' '*.h')

format-check:                   ## fail where .clang-format would change something
	@clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')

clean:                          ## remove build/
	rm -rf build

help:                           ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 18

# ---- rules ----------------------------------------------------------------------------------
$(GEN)/%.pb-c.c $(GEN)/%.pb-c.h &: src/csi/%.proto Makefile
	@mkdir -p $(GEN)
	@echo "  PROTO $<"
	$(Q)protoc-c --proto_path=src/csi --c_out=$(GEN) $<

$(BUILD)/gen/%.o: $(GEN)/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -w -MMD -MP -c $< -o $@

$(BUILD)/src/main.o $(BUILD)/src/app.o $(BUILD)/src/app_metrics.o $(BUILD)/src/check/prove_main.o: CPPFLAGS += -DRDS_CSI_VERSION='"$(VERSION)"' -DRDS_CSI_COMMIT='"$(COMMIT)"'

$(BUILD)/src/%.o: src/%.c Makefile | $(GENH)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -MMD -MP -c $< -o $@

# The simulator sees nothing of src/: an error of ours must not cancel out.
$(BUILD)/test/sim/%.o: test/sim/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) -D_GNU_SOURCE -Itest $(CFLAGS) $(TESTWARN) -MMD -MP -c $< -o $@

$(BUILD)/test/%.o: test/%.c Makefile | $(GENH)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) -Itest -DT_BUILD_DIR='"$(BUILD)"' $(CFLAGS) $(TESTWARN) -MMD -MP -c $< -o $@

%.a:
	@mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^
$(LIB): $(OBJ)
$(SIMLIB): $(SIMOBJ)
$(SUPLIB): $(SUPOBJ)

$(BIN): $(BUILD)/src/main.o $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -pthread $^ $(LDLIBS) -o $@

$(SIM): $(BUILD)/test/sim/main.o $(SIMLIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -pthread $^ -lssh -ljansson -lcrypto -o $@

$(SIMTBIN): %: %.o $(SIMLIB) $(BUILD)/test/support/report.o
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -pthread $^ -lssh -ljansson -lcrypto -lcriterion -o $@

$(PROGBIN): %: %.o $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -pthread $^ $(LDLIBS) -o $@

$(TBIN): %: %.o $(SUPLIB) $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -pthread $(filter-out $(SUPLIB) $(LIB),$^) $(SUPOBJ) $(LIB) $(LDLIBS) -lcriterion -o $@

-include $(OBJ:.o=.d) $(SIMOBJ:.o=.d) $(SUPOBJ:.o=.d) $(TSRC:%.c=$(BUILD)/%.d) \
	 $(SIMTSRC:%.c=$(BUILD)/%.d) $(PROGSRC:%.c=$(BUILD)/%.d) $(BUILD)/src/main.d $(BUILD)/test/sim/main.d
