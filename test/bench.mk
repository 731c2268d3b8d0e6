# The benchmark program is made of test/bench/*.c; it links none of ours but the CSI messages.
BENCHSRC := $(sort $(wildcard test/bench/*.c))
$(BUILD)/test/prog/bench: $(BENCHSRC:%.c=$(BUILD)/%.o) $(GENO)
-include $(BENCHSRC:%.c=$(BUILD)/%.d)
