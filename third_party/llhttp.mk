# llhttp, the HTTP/1.1 parser. Debian 13 has it as a library; Debian 12 only as generated C
# source inside the package of its Node module, which is compiled here and put into the library
# of ours. Strict mode: without it 8.1 takes "A B: 3" for a header and bytes >= 0x80 in a URL.
LLHTTP_SRC := /usr/share/llhttp
ifeq ($(shell pkg-config --exists libllhttp 2>/dev/null && echo y),y)
PKGS += libllhttp
LLHTTPLIBS_http1 := $(shell pkg-config --libs libllhttp)
else
LLHTTPFLAGS := -isystem /usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1
LLHTTPSRC := $(patsubst %,$(LLHTTP_SRC)/%.c,llhttp api http)
CPPFLAGS += $(LLHTTPFLAGS)
OBJ += $(patsubst %,$(BUILD)/third_party/llhttp/%.o,llhttp api http)
endif

$(BUILD)/third_party/llhttp/%.o: $(LLHTTP_SRC)/%.c Makefile third_party/llhttp.mk
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -w -MMD -MP -c $< -o $@
