# The benchmark program is made of test/bench/*.c; it links none of ours but the CSI messages.
BENCHSRC := $(sort $(wildcard test/bench/*.c))
$(BUILD)/test/prog/bench: $(BENCHSRC:%.c=$(BUILD)/%.o) $(GENO)
-include $(BENCHSRC:%.c=$(BUILD)/%.d)

# The API server of the tests as a process: it asserts as a test does, with a main of its own.
APISRV := api_sim api_sim_ask api_sim_data api_sim_watch certs tls_front
$(BUILD)/test/prog/api_server: $(APISRV:%=$(BUILD)/test/support/%.o)
$(BUILD)/test/prog/api_server: LDLIBS := $(LIB) $(LDLIBS) -lcriterion
