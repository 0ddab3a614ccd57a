"""The vendor, read off its page a second time; imports nothing of the connector's core, config or observe."""
