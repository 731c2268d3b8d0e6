# End-to-end programs (test/e2e/prog/*.c over the helpers test/e2e/*.c), and two builds of the
# driver that only they use.
E2ELIBSRC := $(sort $(wildcard test/e2e/*.c))
E2ELIBOBJ := $(E2ELIBSRC:%.c=$(BUILD)/%.o)
E2EPROG   := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard test/e2e/prog/*.c)))

programs: $(E2EPROG)

$(filter-out %/metrics,$(E2EPROG)): %: %.o $(E2ELIBOBJ) $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -pthread $^ $(LDLIBS) -o $@

$(BUILD)/test/e2e/prog/rotate: $(BUILD)/test/support/secret.o

# One has the simulated API server in it, which knows the unit tests' checks.
METRICSOBJ := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard test/e2e/metrics/*.c test/support/api_sim*.c)))
$(filter %/metrics,$(E2EPROG)): %: %.o $(METRICSOBJ) $(E2ELIBOBJ) $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -pthread $^ $(LDLIBS) -lcriterion -o $@
-include $(METRICSOBJ:.o=.d)

-include $(E2ELIBOBJ:.o=.d) $(E2EPROG:=.d)

# rds-csi-crash: the driver with a hook at every move of every op and at every child's start.
CRASHBIN := $(BUILD)/test/crash/rds-csi-crash
programs: $(CRASHBIN)
$(CRASHBIN): $(BUILD)/src/main.o $(BUILD)/test/crash/hook.o $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -pthread -Wl,--wrap=op_start,--wrap=op_move,--wrap=uv_spawn,--wrap=proc_child_spawn,--wrap=proc_worker_give $^ $(LDLIBS) -o $@

-include $(BUILD)/test/crash/hook.d

# rds-csi-no-settle and rds-csi-no-rotation: drivers whose fence does not wait after it has
# switched the export off, or leaves the volume its NQN. test/vm/prog/fence.c must find
# them out.
NOFENCE := $(BUILD)/test/crash/rds-csi-no-settle $(BUILD)/test/crash/rds-csi-no-rotation
programs: $(NOFENCE)
NO_settle   := s/f->csi->fence_settle_ms/0/
NO_rotation := s/id_new_nqn(f->id.*/memcpy(f->nqn, f->box.req.volume.nqn, sizeof(f->nqn)); f->record.generation = 0;/
$(BUILD)/test/crash/fence_no_%.c: src/csi/controller/fence.c test/crash.mk
	@mkdir -p $(@D)
	@echo "  SED   $<"
	$(Q)sed -e '$(NO_$*)' $< >$@
	$(Q)! cmp -s $< $@ || { echo "$<: what a fence does is not where it was"; exit 1; }
$(BUILD)/test/crash/fence_no_%.o: $(BUILD)/test/crash/fence_no_%.c
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -c $< -o $@
$(NOFENCE): $(BUILD)/test/crash/rds-csi-no-%: $(BUILD)/src/main.o $(BUILD)/test/crash/fence_no_%.o $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -pthread $^ $(LDLIBS) -o $@

# rds-csi-no-nonce: the driver whose scripts do not compare the record before they write it,
# made by taking that condition out of the macro and of what is written beside it. test/e2e/prog/holders.c must find it out.
NONONCE := $(BUILD)/test/crash/rds-csi-no-nonce
programs: $(NONONCE)
$(BUILD)/test/crash/ros_template_no_nonce.c: src/rds/ros_template.c test/crash.mk
	@mkdir -p $(@D)
	@echo "  SED   $<"
	$(Q)sed -e 's/(!($$v3 ~ %C))/(false and (!($$v3 ~ %C)))/' \
		-e 's/:if (!(\(.*\) ~ " expected "))/:if (false and (!(\1 ~ " expected ")))/' $< >$@
	$(Q)[ "$$(grep -c 'false and .* expected' $@)" = 1 ] || { echo "$<: the comparison of the record is not where it was"; exit 1; }
$(BUILD)/test/crash/ros_template_no_nonce.o: $(BUILD)/test/crash/ros_template_no_nonce.c
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -c $< -o $@
$(NONONCE): $(BUILD)/src/main.o $(BUILD)/test/crash/ros_template_no_nonce.o $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -pthread $^ $(LDLIBS) -o $@
