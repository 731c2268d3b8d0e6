# libFuzzer with ASan and UBSan, by clang alone: test/fuzz/fuzz_x.c, seeds in test/fuzz/corpus/x.
.PHONY: fuzz-smoke
FUZZ         := wire h2conn request record ros_reply http1 k8s
FUZZ_SECONDS ?= 30
FUZZDIR      := build/fuzz-clang
FUZZFLAGS    := -std=c11 -D_GNU_SOURCE -Isrc -Itest -I$(GEN) -g -O1 -pthread -Wall -Wextra -Werror \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZSRC_wire   := src/csi/grpc/wire.c src/core/buf.c src/core/mem.c src/core/err.c
FUZZSRC_h2conn := $(FUZZSRC_wire) src/csi/grpc/fields.c src/csi/grpc/h2.c src/csi/grpc/call.c \
		src/core/clock.c
FUZZSRC_request := src/csi/validate.c src/csi/call_json.c src/csi/call_help.c src/core/str.c \
		src/core/arena.c src/core/buf.c src/core/mem.c src/core/err.c $(GEN)/csi.pb-c.c
FUZZSRC_record  := src/rds/disk_record.c src/core/str.c src/core/err.c
FUZZSRC_ros_reply := $(FUZZSRC_record) src/rds/ros_reply.c src/rds/row.c src/rds/judge.c src/rds/figures.c \
		src/rds/ros_site.c src/rds/ros_text.c src/core/json.c src/core/buf.c src/core/mem.c
FUZZSRC_http1 := src/core/http1.c src/core/buf.c src/core/mem.c src/core/err.c $(LLHTTPSRC)
# llhttp's own warnings are not ours.
FUZZFLAGS_http1 := $(LLHTTPFLAGS) -w
FUZZSRC_k8s := src/k8s/split.c src/k8s/decode.c src/k8s/line.c src/k8s/object.c src/k8s/store.c \
		src/core/json.c src/core/buf.c src/core/mem.c src/core/map.c src/core/err.c src/core/str.c

fuzz-smoke: $(FUZZ:%=$(FUZZDIR)/fuzz_%)  ## each fuzz target for FUZZ_SECONDS (30)
	@for t in $(FUZZ); do \
		mkdir -p $(FUZZDIR)/corpus/$$t; \
		echo "== fuzz_$$t, $(FUZZ_SECONDS) s"; \
		$(FUZZDIR)/fuzz_$$t -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=10 \
			-rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
			-artifact_prefix=$(FUZZDIR)/ $(FUZZDIR)/corpus/$$t test/fuzz/corpus/$$t \
			2>$(FUZZDIR)/$$t.log || { tail -60 $(FUZZDIR)/$$t.log; exit 1; }; \
		grep -E 'executed_units|peak_rss' $(FUZZDIR)/$$t.log; \
	done

$(FUZZDIR)/fuzz_%: test/fuzz/fuzz_%.c Makefile test/fuzz.mk $(wildcard src/k8s/*.[ch] src/csi/*.[ch] src/csi/grpc/*.[ch] src/core/*.[ch] src/rds/*.[ch]) \
		$(GENH)
	@mkdir -p $(@D)
	@echo "  FUZZ  $@"
	$(Q)clang $(FUZZFLAGS) $(FUZZFLAGS_$*) $< $(FUZZSRC_$*) $(LLHTTPLIBS_$*) -luv -lnghttp2 -lprotobuf-c -ljansson -o $@
