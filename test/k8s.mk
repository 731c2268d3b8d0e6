# The scenarios in a real Kubernetes: test/k8s.
SHORT_DAY := $(BUILD)/test/k8s/short_day
.PHONY: e2e-k8s run-k8s test-chart lab run-lab
e2e-k8s:                        ## the driver in a real Kubernetes (first builds it: a quarter of an hour)
	@tools/deps k8s
	$(BUILDSUB) MODE=debug programs
	$(SUB) MODE=debug run-k8s
	$(if $(E2E_K8S_ONLY),,@T_SUMMARY=$(SUMMARY) test/chart/run)

test-chart:                     ## the Helm chart, judged without a cluster
	@test/chart/run

run-k8s: $(BIN) $(SIM) $(SHORT_DAY)
	@T_SUMMARY=$(SUMMARY) RDS_CSI=$(abspath $(BIN)) RDS_SIM=$(abspath $(SIM)) \
		RDS_CSI_SHORT_DAY=$(abspath $(SHORT_DAY)) test/k8s/run

lab:                            ## a Kubernetes beside a simulated box, to install the chart in (docs/tutorial/first-pod.md)
	@tools/deps k8s
	$(BUILDSUB) MODE=debug programs
	@test/k8s/build
	$(SUB) MODE=debug run-lab

run-lab: $(BIN) $(SIM)
	@RDS_CSI=$(abspath $(BIN)) RDS_SIM=$(abspath $(SIM)) K8S_LAB_DRIVER=pods test/k8s/lab up

# See short_day.c.
$(SHORT_DAY): $(BUILD)/src/main.o $(SHORT_DAY).o $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -Wl,--wrap=reconcile_is_ripe -pthread $^ $(LDLIBS) -o $@
-include $(SHORT_DAY).d
