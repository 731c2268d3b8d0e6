# The scenarios that need a real kernel: test/vm/prog/*.c over test/vm/*.c and the end-to-end
# helpers, run in virtual machines by test/vm/run.
VMLIBSRC := $(sort $(wildcard test/vm/*.c))
VMLIBOBJ := $(VMLIBSRC:%.c=$(BUILD)/%.o)
VMPROG   := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard test/vm/prog/*.c)))

.PHONY: vm-programs e2e-vm run-vm bench-vm
vm-programs: programs $(VMPROG)

$(VMPROG): %: %.o $(VMLIBOBJ) $(E2ELIBOBJ) $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -pthread $^ $(LDLIBS) -o $@

-include $(VMLIBOBJ:.o=.d) $(VMPROG:=.d)

e2e-vm:                         ## the scenarios on Debian's own kernels, in virtual machines
	@tools/deps vm
	$(BUILDSUB) MODE=debug vm-programs
	$(SUB) MODE=debug run-vm

bench-vm: vm-programs           ## the node's part of bench
	@T_SUMMARY=/dev/null RDS_CSI=$(abspath $(BIN)) RDS_SIM=$(abspath $(SIM)) \
		T_PROG=$(abspath $(BUILD)/test/prog) test/vm/bench

run-vm: vm-programs
	@T_SUMMARY=$(SUMMARY) RDS_CSI=$(abspath $(BIN)) RDS_SIM=$(abspath $(SIM)) \
		T_PROG=$(abspath $(BUILD)/test/prog) test/vm/run
