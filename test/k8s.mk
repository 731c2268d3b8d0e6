# The scenarios in a real Kubernetes: test/k8s.
.PHONY: e2e-k8s run-k8s
e2e-k8s:                        ## the driver in a real Kubernetes (first builds it: a quarter of an hour)
	@tools/deps k8s
	$(BUILDSUB) MODE=debug programs
	$(SUB) MODE=debug run-k8s

run-k8s: $(BIN) $(SIM)
	@T_SUMMARY=$(SUMMARY) RDS_CSI=$(abspath $(BIN)) RDS_SIM=$(abspath $(SIM)) test/k8s/run
