# The targets that run things. Each first sees to its packages (tools/deps), then builds in a
# second make, because pkg-config answers only once they are there.
.PHONY: test demo conformance bench asan e2e test-walk

SUB   := +@$(MAKE) --no-print-directory CC="$(CC)"
BUILDSUB := $(SUB) -j$(shell nproc)
SUMMARY := build/test-summary

test:                           ## all tests, then those of the units under ASan and UBSan
	@tools/deps test
	@rm -f $(SUMMARY)
	$(BUILDSUB) MODE=debug tests
	$(SUB) MODE=debug run-tests
	$(SUB) MODE=debug run-e2e
	$(BUILDSUB) MODE=asan tests
	$(SUB) MODE=asan run-tests
	@awk '{ for (i = 1; i <= 3; i++) { split($$i, a, "="); n[a[1]] += a[2] } } END { \
		printf "%d passed, %d failed%s\n", n["passed"], n["failed"], \
		n["skipped"] ? ", " n["skipped"] " skipped" : "" }' $(SUMMARY)

.PHONY: run-tests run-e2e
run-tests: programs $(TBIN) $(SIMTBIN)
	@echo "== $(MODE): $(words $(TBIN) $(SIMTBIN)) test programs"
	@T_SUMMARY=$(SUMMARY) RDS_CSI=$(abspath $(BIN)) RDS_SIM=$(abspath $(SIM)) \
		test/run $(TBIN) $(SIMTBIN)

E2E := $(sort $(wildcard test/e2e/*.sh))
run-e2e: programs
	$(if $(E2E),@echo "== end to end: $(words $(E2E)) scripts")
	$(if $(E2E),@T_SUMMARY=$(SUMMARY) RDS_CSI=$(abspath $(BIN)) RDS_SIM=$(abspath $(SIM)) \
		T_PROG=$(abspath $(BUILD)/test/prog) test/run -j 2 $(E2E))

asan:                           ## the test programs under ASan, UBSan and LSan
	$(BUILDSUB) MODE=asan tests
	$(SUB) MODE=asan run-tests

.PHONY: test-image
test-image:                     ## the images in build/image: they run, are complete, small, and pack to the same digest
	@tools/deps test
	@test/image/run

demo:                           ## a volume's whole life on a simulated box, step by step
	@tools/deps test
	$(BUILDSUB) MODE=release programs
	@RDS_CSI=build/release-$(CCNAME)/rds-csi RDS_SIM=build/release-$(CCNAME)/rds-sim test/demo

bench:                          ## speed and size as a table and as JSON (build/bench.json)
	@tools/deps test
	$(BUILDSUB) MODE=release programs
	@RDS_CSI=build/release-$(CCNAME)/rds-csi RDS_SIM=build/release-$(CCNAME)/rds-sim \
		T_PROG=build/release-$(CCNAME)/test/prog test/bench/run
	@tools/deps vm
	$(BUILDSUB) MODE=release vm-programs
	$(SUB) MODE=release bench-vm

test-walk: programs             ## the tutorial by hand, its commands run and its outputs compared as written
	@test/walk/walk docs/tutorial/first-volume.md

conformance:                    ## csi-sanity, the grpc-go interop client, h2spec
	@tools/deps conformance
	$(BUILDSUB) MODE=release programs
	@RDS_CSI=$(abspath build/release-$(CCNAME)/rds-csi) RDS_SIM=$(abspath build/release-$(CCNAME)/rds-sim) \
		T_PROG=$(abspath build/release-$(CCNAME)/test/prog) test/conformance

.PHONY: docs docs-check
docs: $(BIN)                    ## write the generated pages of docs/reference
	@tools/docs $(BIN)

docs-check: $(BIN)              ## fail where they are stale, a link of any page leads nowhere, or a table names what the program does not know
	@tools/docs $(BIN) --check
	@tools/doc-links
	@tools/doc-names
