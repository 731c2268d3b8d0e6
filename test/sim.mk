# The simulator carries the schema inside itself (.incbin): the compiler's own dependency
# file does not name it.
$(BUILD)/test/sim/schema_data.o: test/data/routeros-schema.json
