"""Kafka by confluent-kafka: the members of the group, the producer of copies, and what commands ask of brokers."""
