"""A long run of real processes on real Kafka under faults, judged by what the vendor got: `make chaos`."""
