/* The bytes of test/data/routeros-schema.json within the program. */
#ifndef SIM_SCHEMA_DATA_H
#define SIM_SCHEMA_DATA_H

extern const char sim_schema_data[], sim_schema_end[];

#endif
